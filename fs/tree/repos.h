/* repos.h - the repositories of a mount, and what the worker knows and does about their versions.
 *
 * A `struct repo` stands for one top-level folder. It holds no network code and makes no nodes: it
 * is the state that the name space reads and the fetcher writes:
 *
 *     wanted   a version that somebody wants: LISTED -> FETCHING -> READY or FAILED (-> FETCHING
 * ...) listing  the work of asking the remote for its refs backoff  after a failure, the time
 * before which the remote isn't asked again
 *
 * Repositories and wanted versions live as long as the worker: pointers to them are never freed
 * before it ends.
 */
#ifndef FS_TREE_REPOS_H
#define FS_TREE_REPOS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/tree/work.h"
#include "gitcache/base/error.h"
#include "gitcache/base/source.h"
#include "gitcache/store/versions.h"

struct repo;

enum wanted_state { WANTED_LISTED, WANTED_FETCHING, WANTED_READY, WANTED_FAILED };

struct wanted {
    struct repo *repo;
    char *name;   /* tag, branch or commit id; NULL: the default branch */
    char *commit; /* what it must be, 40 digits, or NULL */
    struct work work;
    struct wanted *next; /* in its repository; constant once linked */
    /* under repo->lock: */
    enum wanted_state state;
    bool queued;            /* the fetcher has it, but no thread yet */
    bool again;             /* fetch although the cache has it: what it has is damaged */
    bool newest;            /* fetch what the branch is at the remote now */
    struct version version; /* READY */
    struct error error;     /* FAILED */
    int64_t retry_at;       /* FAILED: clock_now() before which the same error is answered */
    uint32_t *nodes;        /* version nodes that show it: a branch's are switched together */
    size_t node_count;
};

/* A version that a source names. */
struct named {
    char *name;   /* NULL: the default branch */
    char *commit; /* what it must be, or NULL */
    enum source_kind kind;
};

struct repo {
    uint32_t node;
    char *name;  /* its folder */
    char *shown; /* its URL without credentials */
    char *host;  /* "" for a local path */
    struct repository *repository;
    struct work listing;
    pthread_mutex_t trees;   /* who reads a tree into nodes: one at a time for a repository */
    pthread_mutex_t folders; /* who changes its folder and those of prefixes */
    pthread_mutex_t lock;    /* held for moments, never while waiting; guards all below */
    struct wanted *wanted;   /* prepended */
    struct named *named;
    size_t named_count;
    atomic_bool in_use;         /* a list names it; else only its open files go on */
    _Atomic int64_t changed_at; /* nanoseconds since the epoch: the folder's mtime */
    bool list_queued, fetch_queued, fetch_running;
    int64_t asked_at;   /* clock_now() when its remote was last asked for its refs; 0: never */
    int64_t missed_at;  /* clock_now() when a missing name last made us ask */
    struct error error; /* why the last listing or fetch failed; errnum 0 after a success */
    unsigned failures;  /* in a row */
    int64_t retry_at;
};

struct repos {
    pthread_rwlock_t lock; /* guards the array, not what it points to */
    struct repo **items;   /* appended */
    size_t count;
};

void repos_init(struct repos *repos);
void repos_release(struct repos *repos); /* closes everything; no other thread may be left */

/* Makes a repository for a node. Takes nothing over. 0 or a negative errno. */
int repo_new(struct repo **out, struct cache *cache, const char *name, const char *url,
             uint32_t node, struct error *e);
int repos_add(struct repos *repos, struct repo *repo);

/* The repository of a node, or NULL. */
struct repo *repos_find(struct repos *repos, uint32_t node);
/* The i-th, NULL past the end: for walks that need no lock. */
struct repo *repos_at(struct repos *repos, size_t i);

/* Records that a source names this version; a branch is asked for in later listings. 0 or -ENOMEM.
 */
int repo_name_version(struct repo *repo, const struct source *source);
/* Forgets all named versions, before a new reading of the lists. */
void repo_forget_named(struct repo *repo);

/* What sources say that a version must be: a copy, the caller's; NULL if they don't say, or not the
 * same. */
char *repo_pin(struct repo *repo, const char *name);

/* The wanted version with that name and pin, made if there is none. NULL: out of memory. */
struct wanted *repo_want(struct repo *repo, const char *name, const char *commit);

/* Remembers that a version node shows it (for switching branches). Idempotent. */
int wanted_add_node(struct wanted *wanted, uint32_t node);

/* After an attempt to reach the remote. A failure that says something about the remote (not ENOENT)
 * sets the back-off: 1 s, doubling to 60 s. Returns true if this differs from what was known
 * before: then it is worth a log line. */
bool repo_succeeded(struct repo *repo);
bool repo_failed(struct repo *repo, const struct error *error);

/* 0, or the negative errno of the failure that still makes us back off; *error (may be NULL) gets
 * its sentence. */
int repo_backoff(struct repo *repo, struct error *error);

/* Seconds since the listing that is known was made; -1 if none is known. */
int64_t repo_listing_age(struct repo *repo);

#endif
