/* verify.h - is everything there that a version needs? Private to gitcache/. */
#ifndef GITCACHE_STORE_VERIFY_H
#define GITCACHE_STORE_VERIFY_H

#include <git2.h>

#include "gitcache/base/error.h"
#include "gitcache/base/oid.h"

/* EIO with a sentence that says what, unless every object that the tree reaches is in the odb. */
int verify_tree(git_odb *odb, const struct oid *tree, struct error *e);

#endif
