/* folders.h - making the folders that can change: the root, control folders, repositories.
 *
 * Nodes are looked for before they are made, so that a name keeps its inode number, also in the
 * next worker. */
#ifndef FS_TREE_FOLDERS_H
#define FS_TREE_FOLDERS_H

#include "fs/shared/children.h"
#include "fs/tree/mount.h"
#include "fs/tree/version_names.h"

/* Makes a repository's folder show these names, and takes them over on success; its time and the mount's
 * observer know of a change. 1 if anything changed, 0 if nothing did, else a negative errno. The caller
 * holds repo->folders. */
int folders_publish_versions(struct mount *mount, struct repo *repo, struct version_names *names);

/* Makes a folder's time (nanoseconds since the epoch) now, and later than it was: the kernel keeps
 * a listing for as long as that time stays, and the clock may stand still between two changes. */
void folders_advance(_Atomic int64_t *changed_at);

/* Tells the mount's observer that what it knows of a folder is old. A worker that dies just before leaves the kernel with
 * the time that it knew. */
void folders_tell(const struct mount *mount, uint32_t folder, bool renamed);

/* Publishes a folder's children and tells the mount's observer of a change. 1 if anything did, 0 if
 * nothing, else a negative errno. */
int folders_publish(struct mount *mount, uint32_t folder, const struct node_link *links,
                    size_t count);

/* The root's or a control folder's child of that name and kind, made (but not yet published) if there is none; string is kept
 * for its data if not NULL. 0 or a negative errno. */
int folders_child(struct mount *mount, uint32_t folder, const struct node_spec *spec,
                  const char *string, uint32_t *child);

#endif
