/* checked_packs.h - a libgit2 backend for the packs of a folder that pass pack_file.h. Private to
 * gitcache/store. */
#ifndef GITCACHE_STORE_CHECKED_PACKS_H
#define GITCACHE_STORE_CHECKED_PACKS_H

#include <git2.h>
#include <git2/sys/odb_backend.h>

#include "gitcache/base/bytes.h"
#include "gitcache/store/cache.h"
#include "gitcache/store/pack_sizes.h"
#include "gitcache/store/pack_stream.h"

/* Exactly one of `folder` (all its packs, also those that come later) and `base` (that pack alone,
 * without .pack) is not NULL. The caller gives *out to git_odb_add_backend. */
int checked_packs_new(git_odb_backend **out, struct cache *cache, const char *folder,
                      const char *base, struct error *e);

/* Unpacks one object into a file (pack_stream.h), from whichever of the odb's packs has it undamaged.
 * ENOENT, with no sentence: none has it. */
int checked_packs_write(git_odb *odb, const struct pack_stream_request *request, struct error *e);

/* An object's bytes, with a NUL behind them, which are the caller's to free: as git_odb_read, without
 * a copy. Errors likewise. */
int checked_packs_read(git_odb *odb, const struct oid *id, git_object_t *type, struct bytes *out,
                       struct error *e);

/* The sizes of objects, as far as they are easily found: else PACK_SIZES_UNKNOWN (pack_sizes.h). */
void checked_packs_sizes(git_odb *odb, const struct oid *ids, size_t count, uint64_t *sizes);

#endif
