/* pack_entry.h - one entry of an open pack, by itself: its bytes checked, its header read, inflated.
 * Private to gitcache/store. */
#ifndef GITCACHE_STORE_PACK_ENTRY_H
#define GITCACHE_STORE_PACK_ENTRY_H

#include <errno.h>

#include <git2.h>

#include "gitcache/store/pack_bases.h"
#include "gitcache/store/pack_index.h"

struct pack_reader {
    int fd;
    const struct pack_index *index;
    const char *shown;        /* the pack, for sentences */
    struct pack_bases *bases; /* for pack_object.h; may be NULL */
    /* For pack_object_read: where the object's bytes shall be. NULL: out of memory. */
    void *(*allocate)(void *data, size_t size);
    void (*release)(void *data, void *bytes);
    void *data;
};

/* The types in a pack that are no git_object_t of a whole object. */
#define OFFSET_DELTA 6
#define ID_DELTA     7

/* An object as it is in the pack, its bytes known to be good. */
struct pack_entry {
    unsigned type;
    uint64_t size;        /* inflated: of a delta, the delta's */
    uint64_t begin, end;  /* of its compressed bytes */
    uint32_t base;        /* of a delta: the position of what it is applied to */
    unsigned char *chunk; /* the first bytes from `begin` on, owned */
    size_t chunk_size;
};

/* Reads all of the entry's bytes, compares their CRC, and then reads the header. The caller frees
 * entry->chunk. EIO: damaged; ENOMEM. */
int pack_entry_open(const struct pack_reader *reader, uint32_t position, struct pack_entry *entry,
                    struct error *e);

/* Reads the header alone, with nothing to stand behind it. entry->chunk is NULL. EIO. */
int pack_entry_peek(const struct pack_reader *reader, uint32_t position, struct pack_entry *entry,
                    struct error *e);

/* Reads bytes of a pack. Fewer only at the file's end, or at an error of the disk. */
size_t pack_entry_bytes(int fd, unsigned char *bytes, size_t size, uint64_t offset);

bool pack_entry_is_delta(const struct pack_entry *entry);

/* Inflates the first `size` bytes; all of them, and not one more or less, if that is the entry's
 * size. Once an entry. EIO, ENOMEM. */
int pack_entry_inflate(const struct pack_reader *reader, uint32_t position,
                       struct pack_entry *entry, unsigned char *out, size_t size, struct error *e);

/* The size and type of the object that the entry is, or is the last delta to. EIO, ENOMEM. */
int pack_entry_size(const struct pack_reader *reader, uint32_t position, size_t *size,
                    git_object_t *type, struct error *e);

/* The same without the type, of an entry whose bytes are in memory, all of them. */
int pack_entry_size_of(const struct pack_reader *reader, uint32_t position, unsigned char *bytes,
                       uint64_t *size, struct error *e);

/* A sentence that names the object. */
void pack_entry_tell_damage(const struct pack_reader *reader, uint32_t position, const char *what,
                            struct error *e);

/* -EIO, and that sentence. */
static inline int pack_entry_damaged(const struct pack_reader *reader, uint32_t position,
                                     const char *what, struct error *e)
{
    pack_entry_tell_damage(reader, position, what, e);
    return -EIO;
}

#endif
