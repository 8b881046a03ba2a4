/* use.h - who uses a cache, and when each version was last read: what gc.h must know.
 *
 * A process that uses a cache (a mount for as long as it stands, `create` until it has recorded
 * the set) holds a lock on a file of its own in CACHE/startpointfs-users/; the file's time is when
 * it began. The lock goes with the process, however that ends.
 *
 * The time of a version's ref is when it was last read: whoever is about to read a version touches
 * it first. So what is in use was touched after the oldest living user began, and gc takes nothing
 * that was. Only who can write in a cache takes part in this: one that is read-only for its mount
 * must not be collected behind its back. */
#ifndef GITCACHE_STORE_USE_H
#define GITCACHE_STORE_USE_H

#include <stdint.h>

#include "gitcache/store/cache.h"

struct use;

/* From now on this process uses the cache in that folder, which is made if need be. NULL where that
 * can't be written down: then gc can't be run there either, or does not know. */
struct use *use_begin(const char *cache_folder);
void use_end(struct use *use); /* NULL is allowed */

/* When the use began; nanoseconds since the epoch, by the clock of the cache's disk. */
int64_t use_since(const struct use *use);

/* When the longest-standing other user of the cache that still lives began; INT64_MAX if there is
 * none. Removes what dead ones have left. */
int64_t use_oldest_other(const struct use *use);

/* A version that repository_find gave is about to be read: for now it stays. -ENOENT if gc has
 * removed it since it was found; it has been forgotten then, and can be fetched again. */
int repository_touch(struct repository *repository, const struct version *version);

#endif
