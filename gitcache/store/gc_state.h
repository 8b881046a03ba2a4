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
    bool had_reserve;    /* what was kept for a full disk is in use */
    int64_t oldest;      /* when the longest-standing other user began; INT64_MAX: there is none */
    struct kept_source *sources;
    size_t count;
    bool makes_room;
    int64_t cutoff;     /* making room: only what was last read then or before goes */
    int64_t said_until; /* making room: what was last read then or before was told of */
    /* For gc_run and gc_room_make: */
    const struct gc_options *options;
    struct gc_report *report;
};

/* Opens one that decides nothing yet; gc_end closes it. EROFS for a read-only cache. */
int gc_open(struct gc **out, struct cache *cache, struct error *e);

/* When the longest-standing other user of the cache began, of all or of those that keep what they read,
 * as lease_oldest_other(). Where that cannot be seen, nothing may be removed: a negative errno. */
int gc_see_users(const struct gc *gc, bool of_all, int64_t *oldest, struct error *e);

/* What was read in the last so many seconds stays, and what was since that time (nanoseconds). */
void gc_keep_since(struct gc *gc, int64_t seconds, int64_t users);

/* Collects one repository, or says why it is left as it is: for cache_walk, `data` is the gc. 0. */
int gc_collect(void *data, const char *folder, struct error *e);

#endif
