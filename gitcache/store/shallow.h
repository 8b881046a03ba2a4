/* shallow.h - the file that tells git where a repository's history is cut. Private to gitcache/. */
#ifndef GITCACHE_STORE_SHALLOW_H
#define GITCACHE_STORE_SHALLOW_H

#include "gitcache/base/oid.h"
#include "gitcache/store/repository.h"

struct git_odb;

/* Adds the commits whose parents are not in the cache, durably: not on its disk, whatever this
 * process may have open still. A file that is damaged is written anew. The caller has the
 * repository's lock, and the commits' objects are in place. */
int shallow_add(struct repository *repository, const struct oid *commits, size_t count,
                struct error *e);

/* Sees to it that every pinned commit that is cut is in it. The caller has the repository's lock. */
int shallow_mend(struct repository *repository, struct error *e);

/* Writes it anew for what is in `odb`: each commit there that has a parent elsewhere. With
 * `keep_old`, what it says now stays in it too. The caller has the repository's lock. */
int shallow_rewrite(struct repository *repository, struct git_odb *odb, bool keep_old,
                    struct error *e);

#endif
