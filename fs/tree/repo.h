/* repo.h - one repository of a mount, and what the worker knows and does about its versions.
 *
 * A `struct repo` stands for one top-level folder. It holds no network code and makes no nodes: it
 * is the state that the name space reads and the fetch threads write:
 *
 *     versions   LISTED -> FETCHING -> READY, or FAILED (-> FETCHING ...)
 *     listing    the work of asking the remote for its refs
 *     back-off   after a failure, the time before which the remote is not asked again
 *
 * Repositories and their versions live as long as the worker: pointers to them stay good. */
#ifndef FS_TREE_REPO_H
#define FS_TREE_REPO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/tree/shown.h"
#include "fs/tree/version_nodes.h"
#include "fs/tree/work.h"
#include "gitcache/base/error.h"
#include "gitcache/base/source.h"
#include "gitcache/store/versions.h"

struct repo;
struct searches;

enum repo_version_state { VERSION_LISTED, VERSION_FETCHING, VERSION_READY, VERSION_FAILED };

/* A version that somebody has asked for, or that a set shows. */
struct repo_version {
    struct repo *repo;
    char *name;   /* tag, branch or commit id; NULL: the default branch */
    char *commit; /* what it must be, 40 digits, or NULL */
    struct work work;
    struct repo_version *next; /* in its repository; constant once linked */
    /* under repo->lock: */
    enum repo_version_state state;
    bool queued;             /* a fetch is queued for it, but has not begun */
    bool again;              /* fetch although the cache has it: what it has is damaged */
    bool searching;          /* its commit is to be looked for (searches.h) */
    bool newest;             /* fetch what the branch is at the remote now */
    bool ahead;              /* to be fetched when nobody waits for anything (readahead.h) */
    struct version version;  /* READY */
    struct kept_error error; /* FAILED */
    int64_t retry_at;        /* FAILED: clock_now() before which the same error is answered */
    uint32_t *nodes;         /* version nodes that show it: a branch's are switched together */
    size_t node_count;
};

/* What a source says of a version. */
struct repo_source {
    char *version; /* NULL: the default branch */
    char *commit;  /* what it must be, or NULL */
    enum source_kind kind;
    bool was_missing; /* when the remote answered last; and the log has said so (missing.h) */
};

struct repo {
    uint32_t node;
    char *name;  /* its folder */
    char *shown; /* its URL without credentials */
    char *host;  /* "" for a local path */
    struct repository *repository;
    struct work listing;
    atomic_uint read_here;   /* what is being read where its requests are: readings.c */
    _Atomic int64_t slow_at; /* clock_now() when a reading of it became slow: reading.c */
    atomic_bool is_costly;   /* one of those took long: no more of them */
    atomic_bool
        converts_slowly;     /* likewise, of converted files that are read ahead (cheap_file.h) */
    pthread_mutex_t trees;   /* who publishes a tree; not held while it is read */
    pthread_mutex_t folders; /* who changes its folder and those of prefixes */
    pthread_mutex_t lock;    /* held for moments, never while waiting; guards all below */
    struct repo_version *versions; /* prepended */
    struct repo_source *sources;   /* what the lists say */
    size_t source_count;
    atomic_bool left_out;      /* workers have died of reading it in the cache; see publish.h */
    struct shown *names_shown; /* what its folder shows; NULL: not made yet */
    struct version_nodes version_nodes; /* has a lock of its own */
    _Atomic uint32_t charged;           /* with so many nodes after the last sweep (reclaim.h) */
    atomic_bool has_no_room;            /* its share of the node table is used up */
    atomic_bool in_use;                 /* a list names it; else only its open files go on */
    atomic_bool is_published;           /* this worker has made its folder, and it is up to date */
    _Atomic int64_t changed_at;         /* nanoseconds since the epoch: the folder's mtime */
    bool fetch_queued, fetch_running;
    bool ahead_queued; /* a job that looks for versions to fetch ahead */
    uint64_t
        *moved_told; /* hashes of the moves of tags that the log has told; private to refresh.c */
    size_t moved_count;
    struct searches *searches; /* for commits that no list names; NULL: none was looked for yet */
    uint64_t listing_hash;     /* of the refs that the remote listed last */
    int64_t asked_at;        /* clock_now() when its remote was last asked for its refs; 0: never */
    int64_t missed_at;       /* clock_now() when a missing name last made us ask */
    struct kept_error error; /* why the last listing or fetch failed; errnum 0 after a success */
    unsigned failures;       /* in a row */
    int64_t retry_at;
    struct repo *next_by_node, *next_by_name; /* private to repos.c */
};

/* Makes a repository for a node. Takes nothing over. 0 or a negative errno. */
int repo_new(struct repo **out, struct cache *cache, const char *name, const char *url,
             uint32_t node, struct error *e);
/* No thread may be left that uses it. */
void repo_free(struct repo *repo);

/* Records what a source says; a branch is asked for in later listings. 0 or -ENOMEM. */
int repo_add_source(struct repo *repo, const struct source *source);
/* Forgets what sources say, before a new reading of the lists. */
void repo_forget_sources(struct repo *repo);
/* The version with that name and pin, made if there is none. NULL: out of memory. */
struct repo_version *repo_version_get(struct repo *repo, const char *name, const char *commit);
/* The same for a caller that holds repo->lock. */
struct repo_version *repo_version_get_locked(struct repo *repo, const char *name,
                                             const char *commit);
/* The version with that name, and the commit that sources say it must be, if they agree. NULL: out of memory. */
struct repo_version *repo_version_named(struct repo *repo, const char *name);
/* "(default branch)" where it has no name: for sentences. */
const char *repo_version_label(const struct repo_version *version);
/* Remembers that a version node shows it, to switch branches. Idempotent. 0 or -ENOMEM. */
int repo_version_add_node(struct repo_version *version, uint32_t node);
/* The version that was remembered for a node; NULL if none was. */
struct repo_version *repo_version_of_node(struct repo *repo, uint32_t node);
/* Forgets nodes of all versions that are no more. */
void repo_forget_nodes(struct repo *repo, bool (*is_gone)(void *data, uint32_t node), void *data);
/* A copy of its nodes, the caller's; *count how many. NULL: out of memory. */
uint32_t *repo_version_nodes(struct repo_version *version, size_t *count);

/* After an attempt to reach the remote. A failure sets the back-off: 1 s, doubling to 60 s. Returns
 * true if this differs from what was known before: then it is worth a log line. */
bool repo_succeeded(struct repo *repo);
bool repo_failed(struct repo *repo, const struct error *error);

/* 0, or the negative errno of the failure that still makes us back off. */
int repo_backoff(struct repo *repo);

/* What its folder shows, held: give it back with shown_put. NULL: nothing was made yet. */
struct shown *repo_shown(struct repo *repo);
/* Takes `shown` over; returns what was shown before, the caller's. */
struct shown *repo_show(struct repo *repo, struct shown *shown);

/* Notes that its share of the node table is used up. True the first time: then it is worth a log line. */
bool repo_has_no_room(struct repo *repo);
/* With its name and the share. */
#define REPO_NO_ROOM                                                                             \
    "%s: its share of the node table (%u nodes) is used up: what it showed before goes on; for " \
    "more, "                                                                                     \
    "unmount, and mount with a larger max_nodes="

/* Seconds since the listing that is known was made; -1 if none is known. */
int64_t repo_listing_age(struct repo *repo);

#endif
