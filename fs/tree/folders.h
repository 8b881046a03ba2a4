/* folders.h - making the folders that can change: the root, repositories, prefixes of tags with
 * slashes.
 *
 * Nodes are looked for before they are made, so that a name keeps its inode number, also in the
 * next worker. */
#ifndef FS_TREE_FOLDERS_H
#define FS_TREE_FOLDERS_H

#include "fs/shared/children.h"
#include "fs/tree/mount.h"

/* A name below a repository: "3.7.4-19", or "release/3.7". */
struct version_name {
    char *name; /* owned by the list */
    bool listed;
    bool branch;
};

struct version_names {
    struct version_name *items;
    size_t count, room;
};

/* Adds a copy of a name; one that is there already becomes listed if either is. A name with a
 * part longer than 255 bytes cannot be a folder, and is left out. -ENOMEM. */
int folders_add_name(struct version_names *names, const char *name, bool listed, bool branch);
void folders_release_names(struct version_names *names);

/* Publishes the names as a repository's folder, with prefix folders as needed. Sorts the list. 1 if
 * anything changed, 0 if nothing did, else a negative errno. The caller holds repo->folders. */
int folders_publish_versions(struct mount *mount, struct repo *repo, struct version_names *names);

/* Makes a folder's time (nanoseconds since the epoch) now, and later than it was: the kernel keeps
 * a listing for as long as that time stays, and the clock may stand still between two changes. */
void folders_advance(_Atomic int64_t *changed_at);

/* Publishes a folder's children and tells the mount's observer of a change. 1 if anything did, 0 if
 * nothing, else a negative errno. */
int folders_publish(struct mount *mount, uint32_t folder, const struct node_link *links,
                    size_t count);

/* Adds one child that lookup finds and readdir does not show. 0 or a negative errno. */
int folders_add_unlisted(struct mount *mount, struct repo *repo, uint32_t folder, uint32_t child);

/* The child of that name and kind, made (but not yet published) if there is none; string is kept
 * for its data if not NULL. 0 or a negative errno. */
int folders_child(struct mount *mount, uint32_t folder, const struct node_spec *spec,
                  const char *string, uint32_t *child);

#endif
