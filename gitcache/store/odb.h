/* odb.h - a cached repository's objects (libgit2's git_odb), opened once for all threads. Private to
 * gitcache/store/. */
#ifndef GITCACHE_STORE_ODB_H
#define GITCACHE_STORE_ODB_H

#include <git2.h>

#include "gitcache/store/repository.h"

/* Takes odb_lock shared and hands out the odb; NULL (and no lock) while there is no repository.
 * Give it back with odb_put. */
git_odb *odb_get(struct repository *repository);
void odb_put(struct repository *repository);

/* Forgets open packs, so that damaged ones which were replaced are not read on. */
void odb_reopen(struct repository *repository);

#endif
