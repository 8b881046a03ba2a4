/* gc.h - removing from a cache what nobody needs any more.
 *
 *     gc_begin(&gc, cache, days, &error)
 *     for each source of each set:
 *         gc_keep(gc, url, name, commit, &error)
 *     gc_run(gc, &options, &report, &error)
 *     gc_end(gc)
 *
 * A version goes if no kept source is at its commit, and it was last read more than `days` days
 * ago, and before the longest-standing other lease of the cache began (lease.h). So what a
 * running mount has open stays, whatever `days` is, and counts as read when gc runs; and the sets
 * are to be read after gc_begin, so that one which `create` is just making is either seen or
 * protected by its maker's lease.
 *
 * Then the packs that no remaining version needs go. A version's pack is whole in itself, but
 * versions fetched together share one: of such a pack, what is still needed is packed anew; that
 * waits while anybody uses the cache, who may have it open. Every version that stays was found
 * whole before anything is deleted; where something is missing, the repository is left alone.
 *
 * Or it goes by size: gc_room.h.
 *
 * Order on disk: refs, new packs, `shallow` (which then holds for before and after), old packs. A
 * crash in between leaves a cache that git accepts, and the next gc finishes the work. */
#ifndef GITCACHE_STORE_GC_H
#define GITCACHE_STORE_GC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/store/cache.h"

struct gc;
struct oid;

struct gc_options {
    bool dry_run;
    /* A version goes (or would go). `repository` is its folder below the cache's; the time is when
     * it was last read, seconds since the epoch. May be NULL. */
    void (*removed)(void *data, const char *repository, const char *name, int64_t last_read);
    /* A repository is left as it is, and why. May be NULL. */
    void (*skipped)(void *data, const struct error *why);
    /* For gc_room_make, which removes no other: whether a version can be fetched again. It may ask the
     * remote; it is asked before anything is locked, and then once more, when it must not wait. `ref`
     * is the full name, `target` what that holds: a commit or a tag object. */
    bool (*returns)(void *data, const char *folder, const char *ref, const struct oid *target);
    void *data;
};

struct gc_report {
    size_t removed, kept; /* versions */
    size_t skipped;       /* repositories */
    uint64_t bytes;       /* freed; an estimate for a dry run */
};

/* EROFS for a read-only cache. */
int gc_begin(struct gc **out, struct cache *cache, unsigned days, struct error *e);

/* Keeps a source's version: `name` and `commit` as for versions_find. */
int gc_keep(struct gc *gc, const char *url, const char *name, const char *commit, struct error *e);

/* 0, also where repositories were skipped; else a negative errno. */
int gc_run(struct gc *gc, const struct gc_options *options, struct gc_report *report,
           struct error *e);
void gc_end(struct gc *gc);

#endif
