/* tree.h - reading one folder of a cached version, as a checkout on Linux would show it.
 *
 * What is read was verified when it was fetched, but is checked again: a damaged object is EIO,
 * never a crash. */
#ifndef GITCACHE_CHECKOUT_TREE_H
#define GITCACHE_CHECKOUT_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "gitcache/checkout/version_reader.h"

enum entry_kind { ENTRY_FILE, ENTRY_EXECUTABLE, ENTRY_SYMLINK, ENTRY_TREE, ENTRY_SUBMODULE };

struct tree_entry {
    const char *name; /* NUL-terminated; borrowed from the tree */
    uint16_t name_length;
    uint8_t kind;       /* enum entry_kind */
    uint8_t conversion; /* of a file: what blob_read has to be told; 0 for nearly all */
    struct oid oid;
    uint64_t size; /* files and symlinks: bytes as checked out; else 0 */
};

/* One folder, sorted by name (memcmp order). */
struct tree {
    struct tree_entry *entries;
    size_t count;
    bool attributes; /* there is a .gitattributes here or above */
    void *bytes;     /* private: what names point into */
};

/* Reads one tree with its files' sizes. `path` is the folder's from the version's root, without a
 * slash at either end, "" for the root; `attributes`: there is a .gitattributes above. Entries that
 * no checkout can have ("", ".", "..", ".git" in any case, names with a slash, longer than 255
 * bytes, or repeated) are left out. A converted file has the size of what comes out, unless it is
 * above max_file. EIO, ENOMEM, ECANCELED, EFBIG (.gitattributes beyond our bounds), E2BIG (max_tree). On success
 * the caller owns *out. */
int tree_read(const struct version_reader *reader, const struct oid *tree, const char *path,
              bool attributes, struct tree *out, struct error *e);
void tree_release(struct tree *tree);

#endif
