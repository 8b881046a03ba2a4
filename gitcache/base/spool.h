/* spool.h - files without a name, for bytes that are too many for memory; they go when they are
 * closed, also by a crash. */
#ifndef GITCACHE_BASE_SPOOL_H
#define GITCACHE_BASE_SPOOL_H

#include <stdint.h>

#include "gitcache/base/error.h"

/* More bytes than this go to a spool and not into memory. */
#define SPOOL_ABOVE ((uint64_t)16 << 20)

/* A descriptor for reading and writing, or a negative errno. */
int spool_open(const char *folder, struct error *e);

/* Whether there is room for so many bytes: ENOSPC now is better than after all the work. */
int spool_reserve(int fd, uint64_t size, const char *folder, struct error *e);

#endif
