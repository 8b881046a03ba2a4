/* reclaim.h - has places of the node table used again that nobody can reach any more (sweep.h): those of
 * names that a repository does not have any more, and of trees that a branch has left. */
#ifndef FS_TREE_RECLAIM_H
#define FS_TREE_RECLAIM_H

#include "fs/tree/mount.h"

/* Sweeps. Takes its time, and is not called by a request, but by a thread that reads. Returns how many
 * places can be used now that could not be before. */
uint32_t reclaim_now(struct mount *mount);

/* Whether the repository has many more nodes than after the last time; and the same, if so. */
bool reclaim_is_due(const struct mount *mount, const struct repo *repo);
void reclaim_if_due(struct mount *mount, struct repo *repo);

#endif
