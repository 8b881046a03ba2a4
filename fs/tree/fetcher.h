/* fetcher.h - the threads that may wait for the network.
 *
 * Threads are started as needed and end after a while without work. At most `jobs` of them work for
 * one host at once: a dead host takes no other's threads. Each owns a struct remote, so its
 * connections are used again; the thread that became idle last takes the next job, whose connection
 * is the warmest.
 *
 * What a job does is its owner's (refresh.c for a mount); this file only runs it. */
#ifndef FS_TREE_FETCHER_H
#define FS_TREE_FETCHER_H

#include <stdbool.h>

#include "gitcache/net/remote.h"

struct fetcher;
struct repo;

enum job_kind { JOB_LIST, JOB_FETCH };

typedef void (*fetcher_run)(void *data, struct repo *repo, enum job_kind kind,
                            struct remote *remote);

/* NULL: out of memory. Settings are copied. */
struct fetcher *fetcher_new(unsigned jobs, const struct remote_settings *settings, fetcher_run run,
                            void *data);

/* Queues a job. Whether the same is queued already is the caller's to know. 0 or a negative errno.
 */
int fetcher_queue(struct fetcher *fetcher, struct repo *repo, enum job_kind kind);

/* Makes every transfer's `cancelled` true, starts nothing more, waits until all threads have ended,
 * at most `patience` milliseconds. True if all have: then it is freed; else it is left to a process
 * that is about to exit. */
bool fetcher_stop(struct fetcher *fetcher, int patience);

/* For remote_watch: true while it is being stopped. */
bool fetcher_is_stopping(struct fetcher *fetcher);

/* Waits until no job is queued or running. */
void fetcher_drain(struct fetcher *fetcher);

#endif
