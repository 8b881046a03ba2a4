/* worktree.h - a checkout of a local repository: which commit it is of, and which of its files are otherwise. */
#ifndef FS_CLI_WORKTREE_H
#define FS_CLI_WORKTREE_H

#include <stddef.h>

#include "gitcache/base/error.h"
#include "gitcache/base/oid.h"

struct worktree {
    char head[OID_HEX_SIZE]; /* the commit of HEAD */
    size_t changes;          /* files that are changed, new or gone; ignored ones do not count */
    char names[160];         /* some of them, for a sentence: "a, b/c, ..." */
};

/* Asks git, which must be there, and must trust the folder's owner. An errno with a sentence: ENOENT, it has no commit yet. */
int worktree_look(struct worktree *out, const char *path, struct error *e);

#endif
