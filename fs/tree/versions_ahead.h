/* versions_ahead.h - opens a set's cached versions before whoever looks into one after the other comes to them. Private
 * to fs/tree.
 *
 * With nothing in the kernel's memory, to open a version is to wait for the disk a few times. Several wait at once. */
#ifndef FS_TREE_VERSIONS_AHEAD_H
#define FS_TREE_VERSIONS_AHEAD_H

#include "fs/tree/mount.h"

/* A reader looks into a version. If it is a set's, and the one before it was looked into last, the next few that the
 * cache has are looked up and read as if somebody waited for them (readings.h); nothing is fetched. Waits for nothing. */
void versions_ahead_note(struct mount *mount, uint32_t version);

#endif
