/* mount.h - one mount, as its worker sees it: everything that is passed around. */
#ifndef FS_TREE_MOUNT_H
#define FS_TREE_MOUNT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/log.h"
#include "fs/settings.h"
#include "fs/shared/nodes.h"
#include "fs/shared/state.h"
#include "fs/tree/repos.h"
#include "gitcache/store/cache.h"

/* Who wants to know that a folder has other children than before (`renamed`: a name that was there
 * means something else now, or nothing), or a file another size than was told; or that the network is asked now. Called from any thread;
 * set before there is more than one. */
struct mount_observer {
    void (*folder_changed)(void *data, uint32_t folder, bool renamed);
    void (*file_corrected)(void *data, uint32_t file);
    /* The kernel need not remember these nodes if nobody uses them. */
    void (*unwanted)(void *data, const uint64_t *ids, size_t count);
    void (*fetch_begins)(void *data);
    void *data;
};

/* Who looks into a set's versions one after the other: versions_ahead.c. */
struct versions_ahead {
    pthread_mutex_t lock; /* guards the rest */
    uint32_t folder;      /* the set's */
    uint32_t last;        /* the number of the version that was looked into last */
    uint32_t opened;      /* those before this number have been opened for him */
};

#define MOUNT_READ_MARKS 1024

struct mount {
    const struct settings *settings;
    struct log *log;
    struct nodes *nodes; /* shared with the supervisor and the next worker */
    struct state *state; /* likewise */
    int last_reading;    /* what the lists said, for the next worker; -1: it cannot be kept */
    struct cache *cache;
    struct checkout_cache *checkout_cache; /* what reading trees has found out */
    struct repos repos;
    struct pool *pool;               /* threads that wait for the network */
    struct parked_lot *parked;       /* requests that wait for those */
    struct readings *readings;       /* threads that read folders and files */
    atomic_uint read_here;           /* what is read where its requests are: readings.c */
    struct blobs *blobs;             /* files' bytes, inflated */
    struct files_ahead *files_ahead; /* puts there what readers come to next */
    struct room *room;               /* keeps the cache from filling the disk */
    struct lists *lists;             /* what is mounted */
    struct readahead *readahead;     /* what is fetched before anybody asks; NULL: nothing */
    pthread_mutex_t folders;         /* who changes root and control folders */
    pthread_mutex_t reclaim;     /* one sweep of the node table at a time; guards the next two */
    int64_t reclaimed_at;        /* clock_now() when the last one ended */
    int64_t reclaim_took;        /* milliseconds */
    pthread_mutex_t fetch_trial; /* a fetch that two workers may have died of: one at a time */
    struct versions_ahead versions_ahead;
    _Atomic int64_t changed_at;    /* nanoseconds since the epoch: when the lists last changed */
    _Atomic uint64_t unasked_told; /* private to unasked.c: of which names the log has said so */
    /* Which checkouts the cache was told are being read, and when: node << 32 | period (checkout.c). */
    _Atomic uint64_t read_marks[MOUNT_READ_MARKS];
    struct mount_observer observer;
};

#endif
