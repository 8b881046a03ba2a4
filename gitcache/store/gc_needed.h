/* gc_needed.h - every object that some versions need. Private to gitcache/. */
#ifndef GITCACHE_STORE_GC_NEEDED_H
#define GITCACHE_STORE_GC_NEEDED_H

#include <git2.h>

#include "gitcache/base/error.h"
#include "gitcache/base/oid_set.h"

/* Adds all objects of the version that a ref holds: tag objects, the commit, trees, blobs. EIO with
 * a sentence if one is missing or damaged. */
int gc_needed_add(struct oid_set *set, git_odb *odb, const struct oid *target, struct error *e);

#endif
