/* gc_repository.h - gc of one repository. Private to gitcache/. */
#ifndef GITCACHE_STORE_GC_REPOSITORY_H
#define GITCACHE_STORE_GC_REPOSITORY_H

#include "gitcache/base/oid.h"
#include "gitcache/store/gc.h"
#include "gitcache/store/use.h"

struct kept_source {
    char *folder; /* its repository's */
    struct oid commit;
};

struct gc {
    struct cache *cache;
    struct use *use; /* its time is the disk's idea of now */
    int64_t before;  /* what was read then or later stays; nanoseconds since the epoch */
    int64_t oldest;  /* when the longest-standing other user began; INT64_MAX: there is none */
    struct kept_source *sources;
    size_t count;
    /* For gc_run: */
    const struct gc_options *options;
    struct gc_report *report;
};

/* Removes what goes, and counts it in gc->report. EBUSY: something is being fetched into it; EIO:
 * something that stays is damaged. Nothing has been removed then. */
int gc_repository(struct gc *gc, const char *folder, struct error *e);

#endif
