/* reach.h - the walk of everything that a tree reaches. Private to gitcache/store/.
 *
 * It has a stack of its own and reads each distinct tree once: a "git bomb", few trees that name
 * each other many times, costs no more than its few trees. Blobs are only looked up, not read.
 * Submodules live in other repositories. */
#ifndef GITCACHE_STORE_REACH_H
#define GITCACHE_STORE_REACH_H

#include <git2.h>

#include "gitcache/base/error.h"
#include "gitcache/base/oid_set.h"

/* EIO with a sentence that says what, unless every object that the tree reaches is in the odb, and each is
 * what its entry says: a tree, or a file's blob. */
int reach_check(git_odb *odb, const struct oid *tree, struct error *e);

/* Adds to the set all objects of the version that a ref holds: tag objects, the commit, trees,
 * blobs. What is in the set already is not walked again. EIO as above. */
int reach_add(struct oid_set *set, git_odb *odb, const struct oid *target, struct error *e);

#endif
