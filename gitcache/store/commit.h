/* commit.h - the facts of commits and tag objects, parsed from their raw bytes. Private to
 * gitcache/store/. */
#ifndef GITCACHE_STORE_COMMIT_H
#define GITCACHE_STORE_COMMIT_H

#include <git2.h>
#include <stdbool.h>
#include <stdint.h>

#include "gitcache/base/error.h"
#include "gitcache/base/oid.h"

struct commit {
    struct oid id;
    struct oid tree;
    int64_t time; /* the committer's, seconds since the epoch; 0 if it cannot be read */
};

/* Follows `id` through tag objects to a commit. ENOENT if it ends elsewhere (a tag may name a tree
 * or a blob), EIO if an object is missing or damaged. */
int commit_load(git_odb *odb, const struct oid *id, struct commit *out, struct error *e);

/* The same, and calls visit for every object on the way: tag objects, and the commit. What it
 * returns, if negative, ends it. */
int commit_follow(git_odb *odb, const struct oid *id,
                  int (*visit)(void *data, const struct oid *id), void *data, struct commit *out,
                  struct error *e);

/* True if a parent of the commit is not in the odb: its history is cut here. EIO as above. */
int commit_is_cut(git_odb *odb, const struct oid *commit, bool *out, struct error *e);

#endif
