/* objects.h - reading trees and blobs of a cached version, as a checkout on Linux would write them.
 *
 * Any number of threads may read one repository at once. What is read was verified when it was
 * fetched, but is checked again here: a damaged object is EIO, never a crash. */
#ifndef GITCACHE_CHECKOUT_OBJECTS_H
#define GITCACHE_CHECKOUT_OBJECTS_H

#include "gitcache/store/versions.h"

enum entry_kind { ENTRY_FILE, ENTRY_EXECUTABLE, ENTRY_SYMLINK, ENTRY_TREE, ENTRY_SUBMODULE };

struct tree_entry {
    const char *name; /* NUL-terminated; borrowed from the tree */
    uint16_t name_length;
    enum entry_kind kind;
    struct oid oid;
    uint64_t size; /* files and symlinks: bytes as checked out; else 0 */
};

/* One folder, sorted by name (memcmp order). */
struct tree {
    struct tree_entry *entries;
    size_t count;
    bool attributes; /* a .gitattributes here or above may change what files hold */
    void *bytes;     /* private: what names point into */
};

/* Where a folder stands, which .gitattributes need to know. */
struct place {
    const struct oid *commit;
    const char *path; /* from the version's root, no slash at either end; "" for the root */
    bool attributes;  /* whether a folder above has .gitattributes */
};

/* Reads one tree with its files' sizes. Entries that no checkout can have ("", ".", "..", ".git" in
 * any case, names with a slash, longer than 255 bytes, or repeated) are left out. On success the
 * caller owns *out. */
int tree_read(struct repository *repository, const struct oid *tree, const struct place *place,
              struct tree *out, struct error *e);
void tree_release(struct tree *tree);

/* Reads one file or symlink as it is checked out: what .gitattributes say of line ends, $Id$ and
 * encoding applied where place->attributes (to files, never to symlinks). A file above max_size
 * bytes is EFBIG. place->path is the file's own path here. *out is malloc'd (never NULL, even if
 * empty) and the caller's. */
int blob_read(struct repository *repository, const struct oid *blob, const struct place *place,
              uint64_t max_size, void **out, size_t *size, struct error *e);

#endif
