/* pack_entry.h - one object in an open pack: its bytes checked, inflated, put together from deltas.
 * Private to gitcache/store. */
#ifndef GITCACHE_STORE_PACK_ENTRY_H
#define GITCACHE_STORE_PACK_ENTRY_H

#include <git2.h>

#include "gitcache/store/pack_index.h"

struct pack_reader {
    int fd;
    const struct pack_index *index;
    const char *shown; /* the pack, for sentences */
    /* For pack_entry_read: where the object's bytes shall be. NULL: out of memory. */
    void *(*allocate)(void *data, size_t size);
    void (*release)(void *data, void *bytes);
    void *data;
};

/* An object's size and type. EIO: its bytes are damaged; ENOMEM. */
int pack_entry_size(const struct pack_reader *reader, uint32_t position, size_t *size,
                    git_object_t *type, struct error *e);

/* An object's bytes, with a NUL behind them; what failed is released. EIO, ENOMEM. */
int pack_entry_read(const struct pack_reader *reader, uint32_t position, void **bytes, size_t *size,
                    git_object_t *type, struct error *e);

#endif
