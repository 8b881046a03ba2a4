/* pool.h - threads for work that takes long: waiting for the network, or reading what somebody else
 * has made.
 *
 * Threads are started as needed and end after a while without work. At most `jobs` of them work for
 * one host at once (or whatever the work is divided by): a dead host takes no other's threads. Each
 * owns a struct remote, so its connections are used again; the thread that became idle last takes
 * the next job, whose connection is the warmest.
 *
 * What a job does is its owner's; this file only runs it. */
#ifndef GITCACHE_FETCH_POOL_H
#define GITCACHE_FETCH_POOL_H

#include <stdbool.h>

#include "gitcache/net/remote.h"

struct pool;

/* Runs a job on a thread: `data` is the owner's; what the job is about and of which kind is what
 * pool_queue was told. remote is NULL if the pool has none, or the thread could not make one (out of
 * memory): then the job fails. False: the thread is to end (its priority is lower now). */
typedef bool (*pool_run)(void *data, void *subject, int kind, struct remote *remote);

/* Settings are copied; NULL: the work needs no network. NULL: out of memory. */
struct pool *pool_new(unsigned jobs, const struct net_settings *settings, pool_run run, void *data);

/* At most so many threads for all hosts together, from now on. Call it before the first job. */
void pool_limit_threads(struct pool *pool, unsigned max);

/* Queues a job for a host ("" for what needs no network). Whether the same is queued already is the
 * caller's to know. 0 or a negative errno: then it will not run. */
int pool_queue(struct pool *pool, const char *host, void *subject, int kind);

/* The same for what nobody waits for: it begins when no other job can, and leaves one of the host's places
 * free for those (unless there is but one). */
int pool_queue_later(struct pool *pool, const char *host, void *subject, int kind);

/* Starts nothing more, makes pool_is_stopping true, waits until all threads have ended, at most
 * `patience` milliseconds. True if all have: then the pool is freed, and jobs that no thread has
 * begun are forgotten; else it is left to a process that is about to exit. */
bool pool_stop(struct pool *pool, int patience);

/* For a struct watch: true while it is being stopped. */
bool pool_is_stopping(struct pool *pool);

/* Waits until no job is queued or running. */
void pool_drain(struct pool *pool);

#endif
