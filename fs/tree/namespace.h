/* namespace.h - what a path means.
 *
 *     /                          the repositories that the lists name
 *     /REPO/                     its versions: listed by the remote, named by a source, or cached
 *     /REPO/[PREFIX/...]VERSION/ the tree of that version
 *     /.startpointfs/            generated files and sets; reachable by name only
 *
 * Nothing here waits. Where an answer needs the network, the call starts the work and returns
 * -EAGAIN; the caller waits for ask->work (parked.h) and calls again with the same `struct ask`. */
#ifndef FS_TREE_NAMESPACE_H
#define FS_TREE_NAMESPACE_H

#include "fs/tree/ask.h"
#include "fs/tree/mount.h"

/* Finds a child. 0 and *child; -ENOENT; -EAGAIN (see above); or the errno of what failed. */
int namespace_lookup(struct mount *mount, uint32_t folder, const char *name, struct ask *ask,
                     uint32_t *child);

/* Sees to it that a folder can be listed, and that the listing is new enough. 0, -EAGAIN or an
 * errno. */
int namespace_open_folder(struct mount *mount, uint32_t folder, struct ask *ask);

/* A child of a folder, as readdir shows it: with its node's attributes, or as a name alone. A version need not have a
 * node before it is looked up: what a server lists takes no space in the table. Then the inode number is one that no
 * node has. */
struct namespace_entry {
    char name[NODE_NAME_MAX + 1];
    bool with_attributes;
    uint32_t node; /* with attributes */
    uint64_t inode;
};
#define NAMESPACE_UNKNOWN_INODES (1ull << 31) /* above all that nodes have, and within 32 bits */

/* Walks a folder's listed children; offsets as for node_next. 0, -ENOENT (no more), -EAGAIN, -ENOTDIR,
 * -ENOMEM or -EIO. */
int namespace_next(struct mount *mount, uint32_t folder, uint64_t *offset,
                   struct namespace_entry *entry);

/* After a read found damaged objects: has the version fetched once more. -EAGAIN, or -EIO. */
int namespace_refetch(struct mount *mount, uint32_t node, struct ask *ask);

/* The version that a version's node shows, made if need be. NULL, with errno: ESTALE (there is none), ENOMEM. */
struct repo_version *namespace_version(struct mount *mount, uint32_t node);

#endif
