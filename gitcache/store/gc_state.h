/* gc_state.h - what a run of gc knows. Private to gitcache/store/. */
#ifndef GITCACHE_STORE_GC_STATE_H
#define GITCACHE_STORE_GC_STATE_H

#include "gitcache/base/oid.h"
#include "gitcache/store/gc.h"
#include "gitcache/store/lease.h"

struct kept_source {
    char *folder; /* its repository's */
    struct oid commit;
};

struct gc {
    struct cache *cache;
    struct lease *lease; /* its time is the disk's idea of now */
    int64_t before;      /* what was read then or later stays; nanoseconds since the epoch */
    int64_t oldest;      /* when the longest-standing other user began; INT64_MAX: there is none */
    struct kept_source *sources;
    size_t count;
    /* For gc_run: */
    const struct gc_options *options;
    struct gc_report *report;
};

#endif
