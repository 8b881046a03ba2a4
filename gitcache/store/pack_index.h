/* pack_index.h - a pack's .idx file, read whole and checked before anything in it is believed.
 * Private to gitcache/store.
 *
 * Checked are: its own checksum, version, size, that the fan-out grows and fits the ids, that the
 * ids are sorted, and that each object has a place of its own within the pack. Only version 2 is
 * read, which is what git and libgit2 write.
 *
 * A `struct pack_index` does not change once it is open; any number of threads may read it. */
#ifndef GITCACHE_STORE_PACK_INDEX_H
#define GITCACHE_STORE_PACK_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "gitcache/base/error.h"
#include "gitcache/base/oid.h"
#include "gitcache/base/sha1.h"

struct pack_index {
    uint32_t count;                    /* objects */
    unsigned char pack_sum[SHA1_SIZE]; /* what the pack must end with */
    unsigned char *bytes;              /* the whole file; private, as all that follows */
    const unsigned char *fanout, *ids, *crcs, *offsets, *large;
    uint64_t pack_size;
    uint32_t *by_offset; /* positions, as their objects follow each other in the pack */
};

/* Checks an index's bytes, and takes them (from malloc) over on success. `shown` names it in
 * sentences, `pack_size` is its pack's size in bytes. EIO: damaged; ENOMEM. */
int pack_index_parse(struct pack_index *out, unsigned char *bytes, size_t size, uint64_t pack_size,
                     const char *shown, struct error *e);
void pack_index_release(struct pack_index *index);

/* An object's position among the sorted ids; false if it is not there. */
bool pack_index_find(const struct pack_index *index, const struct oid *id, uint32_t *position);
void pack_index_id(const struct pack_index *index, uint32_t position, struct oid *out);

/* Where the object begins in the pack, and where the next one (or the pack's checksum) does. */
uint64_t pack_index_offset(const struct pack_index *index, uint32_t position);
uint64_t pack_index_end(const struct pack_index *index, uint32_t position);
/* The object that begins just there; false if none does. */
bool pack_index_at(const struct pack_index *index, uint64_t offset, uint32_t *position);

/* The CRC-32 of the object's bytes as they are in the pack. */
uint32_t pack_index_crc(const struct pack_index *index, uint32_t position);

#endif
