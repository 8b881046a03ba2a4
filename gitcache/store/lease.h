/* lease.h - a lease on a cache: while a process holds one, gc leaves alone what it may be reading.
 *
 * A process that uses a cache (a mount for as long as it stands, `create` until it has recorded
 * the set) holds a lock on a file of its own in CACHE/startpointfs-users/; the file's time is when
 * it began. The lock goes with the process, however that ends.
 *
 * Whoever is about to read a version marks it first (last_read_now). So what is being read was
 * marked after the oldest living lease began, and gc takes nothing that was. Only who can write in a
 * cache takes part in this: one that is read-only for its mount must not be collected behind its
 * back. */
#ifndef GITCACHE_STORE_LEASE_H
#define GITCACHE_STORE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

struct lease;

enum lease_kind {
    LEASE_KEEPS,  /* what it reads is to stay */
    LEASE_BRINGS, /* the same for gc; but what has gone all the same, it fetches again: a mount */
};

/* From now on this process uses the cache in that folder, which is made if need be. NULL where that
 * cannot be written down: then gc cannot be run there either, or does not know. */
struct lease *lease_begin(const char *cache_folder, enum lease_kind kind);
void lease_end(struct lease *lease); /* NULL is allowed */

/* When the lease began; nanoseconds since the epoch, by the clock of the cache's disk. */
int64_t lease_since(const struct lease *lease);

/* When the longest-standing other lease that still lives began, of those that keep or of all;
 * INT64_MAX if there is none, 0 if that of one is not known. Removes what dead ones have left. A
 * negative errno if nobody can see which there are. */
int lease_oldest_other(const struct lease *lease, bool of_all, int64_t *out);

#endif
