/* refresh.h - asking a remote on a mount's behalf: what a fetch thread does, and how the mount
 * learns of it.
 *
 *     reader -> namespace -> refresh_* -> pool's queue -> (thread) refresh_run ->
 * list_refs / _fetch reader <- parked_wake <- namespace_publish / wanted->state
 */
#ifndef FS_TREE_REFRESH_H
#define FS_TREE_REFRESH_H

#include "fs/tree/mount.h"

/* Sees to it that a listing is on its way. 0, or a negative errno if it can't be (then nothing
 * runs): EHOSTUNREACH in an offline mount, or what the back-off says. */
int refresh_listing(struct mount *mount, struct repo *repo);

/* Likewise for a version. */
int refresh_version(struct mount *mount, struct wanted *wanted);

/* Likewise, though the cache has it: the branch has moved, or what the cache has is damaged. */
int refresh_newest(struct mount *mount, struct wanted *wanted);
int refresh_damaged(struct mount *mount, struct wanted *wanted);

#endif
