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

struct mount {
    const struct settings *settings;
    struct log *log;
    struct nodes *nodes; /* shared with the supervisor and the next worker */
    struct state *state; /* likewise */
    struct cache *cache;
    struct repos repos;
    struct pool *pool;           /* threads that wait for the network */
    struct parked_lot *parked;   /* requests that wait for those */
    struct blobs *blobs;         /* files' bytes, inflated */
    struct lists *lists;         /* what is served */
    struct control *control;     /* the generated files of .startpointfs */
    pthread_mutex_t folders;     /* who changes root, repository, prefix and control folders */
    pthread_mutex_t fetch_trial; /* a fetch that two workers may have died of: one at a time */
    _Atomic int64_t changed_at;  /* nanoseconds since the epoch: when the lists last changed */
    bool no_open, no_opendir;    /* the kernel does without them; set before the first request */
    struct connection *_Atomic connection;
    struct list_watch *watch; /* reloads the lists when they change */
};

#endif
