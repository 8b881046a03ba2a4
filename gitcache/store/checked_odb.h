/* checked_odb.h - the objects of a folder as libgit2 sees them: only what passed our checks. Private
 * to gitcache/.
 *
 * Every git_odb on the cache is opened here, and libgit2 itself opens no pack, no multi-pack-index,
 * no commit-graph and no alternates. A pack that does not pass pack_file.h is not seen, and said once
 * through cache_say; it is looked at again when its files have changed. Loose objects are seen if
 * they are plain files, and hashed before their size is believed.
 *
 * What is put into the folder later, by whomever, is found when an object is missed. */
#ifndef GITCACHE_STORE_CHECKED_ODB_H
#define GITCACHE_STORE_CHECKED_ODB_H

#include <git2.h>

#include "gitcache/store/cache.h"

/* `objects` is an object folder: loose objects, and packs in pack/. A folder that is not there is an
 * empty one. The caller frees *out with git_odb_free, before the cache is closed. */
int checked_odb_open(git_odb **out, struct cache *cache, const char *objects, struct error *e);

/* Adds another folder's objects, behind what the odb has. */
int checked_odb_add(git_odb *odb, struct cache *cache, const char *objects, struct error *e);

/* Adds one pack alone; `base` is its path without .pack. EIO if it does not pass. */
int checked_odb_add_pack(git_odb *odb, struct cache *cache, const char *base, struct error *e);

/* Adds the loose objects of a folder alone. */
int checked_odb_add_loose(git_odb *odb, const char *objects, struct error *e);

#endif
