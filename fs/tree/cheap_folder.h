/* cheap_folder.h - small folders, of whose files none is converted: they are read where their request is. Private to fs/tree.
 *
 * To hand a folder to another thread and back takes three times as long as to read a usual one. */
#ifndef FS_TREE_CHEAP_FOLDER_H
#define FS_TREE_CHEAP_FOLDER_H

#include "fs/tree/mount.h"

/* Whether it may be tried to read it on the calling thread, who is inside (sweep.h): no attributes say anything of its files, nothing of its repository took long, and
 * no worker has died of it. */
bool cheap_folder_may_be(struct mount *mount, const struct repo *repo, uint32_t node);

/* Tries that, for a few milliseconds: of a tree that is small, where there is room for its nodes. If it took long after all, nothing of that repository is
 * cheap from then on. False: it has to be read by another thread, whatever the cause. */
bool cheap_folder_try(struct mount *mount, struct repo *repo, uint32_t node);

#endif
