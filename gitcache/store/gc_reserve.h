/* gc_reserve.h - a little room that is kept in a cache, so that something can be removed when its disk
 * is full: removing a version writes a few small files. */
#ifndef GITCACHE_STORE_GC_RESERVE_H
#define GITCACHE_STORE_GC_RESERVE_H

#include <stdbool.h>

#include "gitcache/store/cache.h"

/* Keeps it, if there is room. */
void gc_reserve_make(const struct cache *cache);

/* Lets it go. False if none was kept. */
bool gc_reserve_use(const struct cache *cache);

/* Whether there is room for what removing writes. */
bool gc_reserve_is_enough(const struct cache *cache);

#endif
