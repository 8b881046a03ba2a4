/* raw_tree.h - walks the bytes of a git tree object. Pure. Private to gitcache/.
 *
 * An entry is "MODE NAME\0" and 20 bytes of id, MODE in octal digits. */
#ifndef GITCACHE_STORE_RAW_TREE_H
#define GITCACHE_STORE_RAW_TREE_H

#include <stdint.h>

#include "gitcache/base/oid.h"

struct raw_tree {
    const char *at, *end;
};

struct raw_entry {
    uint32_t mode;
    const char *name; /* NUL-terminated, within the tree's bytes */
    size_t name_length;
    struct oid oid;
};

/* 1 and the next entry, 0 at the end, -1 if the bytes are no tree. */
int raw_tree_next(struct raw_tree *tree, struct raw_entry *out);

/* The kinds of modes, as git reads them: what is nothing else is a submodule. */
bool raw_tree_mode_is_tree(uint32_t mode);
bool raw_tree_mode_is_symlink(uint32_t mode);
bool raw_tree_mode_is_file(uint32_t mode);

#endif
