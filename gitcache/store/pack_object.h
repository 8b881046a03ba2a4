/* pack_object.h - one object of an open pack, put together from its deltas. Private to
 * gitcache/store. */
#ifndef GITCACHE_STORE_PACK_OBJECT_H
#define GITCACHE_STORE_PACK_OBJECT_H

#include "gitcache/store/pack_entry.h"

/* An object's bytes, from reader->allocate, with a NUL behind them; what failed is released. EIO,
 * ENOMEM. */
int pack_object_read(const struct pack_reader *reader, uint32_t position, void **bytes,
                     size_t *size, git_object_t *type, struct error *e);

#endif
