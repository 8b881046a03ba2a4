/* gc_packs.h - removing the packs that no version of a repository needs. Private to gitcache/store/. */
#ifndef GITCACHE_STORE_GC_PACKS_H
#define GITCACHE_STORE_GC_PACKS_H

#include "gitcache/base/oid_set.h"
#include "gitcache/store/repository.h"

struct gc_packs {
    const struct oid_set *needed; /* every object of the versions that stay */
    const struct oid_set *gone;   /* the commits whose refs go */
    bool in_use; /* others read this cache: only what was there for `gone` alone may go */
    /* A mount makes room, which fetches again what it misses: of packs that hold more, what is needed is
     * packed anew also while they are in use, if there is room for that; and what was there for nobody, and
     * was written by then, is in no one's use. Nanoseconds since the epoch. */
    bool makes_room;
    int64_t closed_until;
    bool dry_run;
};

/* Adds to *bytes what was freed (dry_run: would be, about). The caller has the repository's lock.
 */
int gc_packs(struct repository *repository, const struct gc_packs *request, uint64_t *bytes,
             struct error *e);

#endif
