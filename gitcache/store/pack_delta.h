/* pack_delta.h - objects that a pack holds as the difference to another one. Pure. Private to
 * gitcache/store. */
#ifndef GITCACHE_STORE_PACK_DELTA_H
#define GITCACHE_STORE_PACK_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the two sizes that a delta begins with: of what it is applied to, and of what comes out.
 * Bytes taken, or 0 if there are none. */
size_t pack_delta_sizes(const unsigned char *delta, size_t size, uint64_t *base, uint64_t *result);

/* Applies a delta (behind its sizes) and fills `out` exactly. False if it does not fit. */
bool pack_delta_apply(const unsigned char *delta, size_t size, const unsigned char *base,
                      size_t base_size, unsigned char *out, size_t out_size);

#endif
