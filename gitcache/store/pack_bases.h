/* pack_bases.h - objects that others in a pack are deltas to, kept unpacked for a while. Private to
 * gitcache/store.
 *
 * Files that are read one after the other often hang on the same base, which would be inflated and
 * put together anew for each. Bounded in bytes: what was used longest ago goes first. For any number
 * of threads. */
#ifndef GITCACHE_STORE_PACK_BASES_H
#define GITCACHE_STORE_PACK_BASES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/base/sha1.h"

/* Constant once it is kept; counted. */
struct pack_base {
    atomic_uint users;
    size_t size;
    int type; /* git_object_t */
    unsigned char bytes[];
};

struct pack_bases;

/* NULL: out of memory. */
struct pack_bases *pack_bases_new(void);
void pack_bases_free(struct pack_bases *bases);

/* With one user, and room for `size` bytes and a NUL, which is set. NULL: out of memory. */
struct pack_base *pack_base_new(size_t size);
void pack_base_put(struct pack_base *base); /* takes NULL */

/* The object at that position of the pack with that checksum, with a user more; NULL if it is not
 * kept. `bases` may be NULL. */
struct pack_base *pack_bases_get(struct pack_bases *bases, const unsigned char pack[SHA1_SIZE],
                                 uint32_t position);
/* Keeps it, if it is small enough. `bases` may be NULL. */
void pack_bases_keep(struct pack_bases *bases, const unsigned char pack[SHA1_SIZE],
                     uint32_t position, struct pack_base *base);

#endif
