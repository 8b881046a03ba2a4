/* cache_walk.h - finds the repositories that lie in a cache, and what all of it takes on disk. */
#ifndef GITCACHE_STORE_CACHE_WALK_H
#define GITCACHE_STORE_CACHE_WALK_H

#include <stdint.h>

#include "gitcache/store/cache.h"

/* Calls visit for the folder of each repository until one returns non-zero, which is then returned. */
int cache_walk(const struct cache *cache,
               int (*visit)(void *data, const char *folder, struct error *e), void *data,
               struct error *e);

/* Bytes on disk, as du counts them. What cannot be read counts nothing. */
uint64_t cache_walk_size(const struct cache *cache);

#endif
