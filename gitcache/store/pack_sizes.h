/* pack_sizes.h - the sizes of many objects of an open pack, one after the other. Private to gitcache/store.
 *
 * The files of a folder mostly lie side by side in a pack. So more is read than one of them takes, and the next ones are perhaps there
 * already: a folder's sizes cost a few reads instead of one each. */
#ifndef GITCACHE_STORE_PACK_SIZES_H
#define GITCACHE_STORE_PACK_SIZES_H

#include "gitcache/store/pack_entry.h"

#define PACK_SIZES_UNKNOWN UINT64_MAX

/* Sets the size of each object that is in the pack, undamaged and not large; of any other: PACK_SIZES_UNKNOWN. Those have to be asked
 * for one by one. */
void pack_sizes_find(const struct pack_reader *reader, const struct oid *ids, size_t count,
                     uint64_t *sizes);

#endif
