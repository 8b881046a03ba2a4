/* gc_room.h - makes room in a cache: what was read longest ago goes, until enough is free.
 *
 *     gc_room_begin(&gc, cache, seconds, spares_mounts, &error)
 *     for each source of each set: gc_keep
 *     gc_room_make(gc, bytes, &options, &report, &error)
 *     gc_end(gc)
 *
 * What is kept stays, and so does what its remote could not bring back (options.returns). */
#ifndef GITCACHE_STORE_GC_ROOM_H
#define GITCACHE_STORE_GC_ROOM_H

#include "gitcache/store/gc.h"

/* What was read in the last `seconds` stays. `spares_mounts`: so does what a running mount has read since it
 * began; else only what others have, for a mount fetches again what it misses. Errors as gc_begin. */
int gc_room_begin(struct gc **out, struct cache *cache, unsigned seconds, bool spares_mounts,
                  struct error *e);

/* Frees at least so many bytes, if there is so much that may go; report->kept counts only where something
 * went. ENOSPC: there is not even room for what has to be written before something can go. */
int gc_room_make(struct gc *gc, uint64_t bytes, const struct gc_options *options,
                 struct gc_report *report, struct error *e);

#endif
