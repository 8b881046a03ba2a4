/* checked_loose.h - a libgit2 backend for the loose objects of a folder. Private to gitcache/store.
 *
 * We write none; somebody's git may. libgit2 reads them, after it was seen that they are plain
 * files; and a size is believed only of bytes that were hashed. */
#ifndef GITCACHE_STORE_CHECKED_LOOSE_H
#define GITCACHE_STORE_CHECKED_LOOSE_H

#include <git2.h>
#include <git2/sys/odb_backend.h>

#include "gitcache/base/error.h"

/* The caller gives *out to git_odb_add_backend. */
int checked_loose_new(git_odb_backend **out, const char *objects, struct error *e);

#endif
