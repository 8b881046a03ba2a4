/* cache.h - the folder that keeps every fetched version for good.
 *
 * A cache is a folder with one bare git repository per remote, in a sub-folder named after the URL:
 *
 *     CACHE/https/github.com/cyber-dojo-start-points/python-unittest.git/
 *         objects/pack/            a pack for each fetch, whole in itself
 *         shallow                  the commits whose parents were not fetched
 *         refs/tags/3.7.4-19       a pinned tag; a ref that is there is complete
 *         refs/heads/main          a branch, at the commit it was last switched to
 *         refs/startpointfs/ID     a pinned commit, ID its 40 digits
 *         startpointfs-listing     the remote's refs when it last answered
 *
 * Ordinary git commands can read all of it. Any number of threads may use a `struct cache` at once. */
#ifndef GITCACHE_STORE_CACHE_H
#define GITCACHE_STORE_CACHE_H

#include <stdbool.h>

#include "gitcache/base/error.h"

struct cache;
struct pack_bases;
struct pack_descriptors;

/* Opens (and makes, mode 0700, unless read_only) a cache folder. One that cannot be written is read-only by
 * itself, for as long as that is so: it is looked at anew each time. */
int cache_open(struct cache **out, const char *folder, bool read_only, struct error *e);
void cache_close(struct cache *cache); /* after its repositories */
const char *cache_folder(const struct cache *cache);
bool cache_is_read_only(const struct cache *cache);
/* What packs' deltas are applied to, kept for all repositories (pack_bases.h). */
struct pack_bases *cache_bases(const struct cache *cache);
/* The packs that stay open, of all repositories (pack_descriptors.h). */
struct pack_descriptors *cache_descriptors(const struct cache *cache);

/* Where sentences go about damage that was found or mended, and about what cannot be kept; without
 * it, nowhere. `say` is called on any thread, also several at once. Call it before the first
 * repository is opened. */
void cache_on_damage(struct cache *cache, void (*say)(void *data, const char *sentence),
                     void *data);
/* Says one. */
void cache_say(const struct cache *cache, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
