/* pack_file.h - a pack with its index, checked; reading objects from it. Private to gitcache/store.
 *
 * libgit2's own reader believes what is on the disk: one flipped bit of an index is a crash, a file
 * that is cut while it is mapped another one, and a flipped header a wrong size. So packs are read
 * here, with plain reads. Nothing is believed that a checksum does not stand behind:
 *
 *     the index    its own checksum, and order and range of all it says (pack_index.h)
 *     the pair     the pack's header, and that it ends with the checksum that the index names
 *     an object    the CRC of its bytes in the pack, before they are looked at: so a size is never
 *                  wrong, and an absurd one never allocated. All that is
 *                  read is hashed (object_hash.h), a large one as it is unpacked (pack_stream.h).
 *
 * Only the few packs that were read last stay open between two reads (pack_descriptors.h): any number
 * may be known. A file that was written or removed since it was checked is noticed at each read. */
#ifndef GITCACHE_STORE_PACK_FILE_H
#define GITCACHE_STORE_PACK_FILE_H

#include <stdatomic.h>

#include "gitcache/base/regular.h"
#include "gitcache/store/pack_descriptors.h"
#include "gitcache/store/pack_entry.h"
#include "gitcache/store/pack_index.h"

struct pack_file {
    char *base; /* its path without .pack */
    struct pack_index index;
    struct regular_stamp index_stamp, pack_stamp;
    struct pack_descriptors *descriptors; /* borrowed; may be NULL */
    atomic_uint users;
};

/* Checks and opens the pair base.idx and base.pack, with one user. `descriptors` (NULL: none) outlive
 * it. EIO: it is damaged, or no plain
 * files; ENOENT: one of them is not there; else what the system says. */
int pack_file_open(struct pack_file **out, const char *base, struct pack_descriptors *descriptors,
                   struct error *e);
void pack_file_get(struct pack_file *pack); /* one user more */
void pack_file_put(struct pack_file *pack);

/* Opens the pack for reading objects with pack_entry.h. ENOENT: it is not there any more; ESTALE: it
 * was written since it was checked. */
int pack_file_begin(const struct pack_file *pack, struct pack_reader *out, struct error *e);
void pack_file_end(const struct pack_file *pack, struct pack_reader *reader);

/* Whether every byte of the pack is as it was written: its own checksum fits. 0, or as above. */
int pack_file_check(const struct pack_file *pack, struct error *e);

/* Both: whether a pair can be opened and passes pack_file_check. */
bool pack_file_is_good(const char *base, struct error *e);

#endif
