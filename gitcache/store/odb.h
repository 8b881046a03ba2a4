/* odb.h - a cached repository's objects (libgit2's git_odb), opened once for all threads. Private to
 * gitcache/store/. */
#ifndef GITCACHE_STORE_ODB_H
#define GITCACHE_STORE_ODB_H

#include <git2.h>

#include "gitcache/store/repository.h"

/* Takes odb_lock shared and hands out the odb; give it back with odb_put. EIO (and no lock) while there is
 * no repository; ENOMEM, EMFILE and so on say nothing of one. */
int odb_get(git_odb **out, struct repository *repository, struct error *e);
void odb_put(struct repository *repository);

/* Forgets open packs, so that damaged ones which were replaced are not read on. */
void odb_reopen(struct repository *repository);

#endif
