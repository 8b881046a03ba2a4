/* control_folder.h - the folder .startpointfs, reachable by name only: its nodes. What its files say
 * is made by others (worker.c). */
#ifndef FS_TREE_CONTROL_FOLDER_H
#define FS_TREE_CONTROL_FOLDER_H

#include "fs/tree/mount.h"

#define CONTROL_FOLDER_NAME ".startpointfs"

/* Which text a control file has: its node's data. */
enum control_folder_text { CONTROL_FOLDER_STATUS, CONTROL_FOLDER_SHAS, CONTROL_FOLDER_TYPE };

/* Makes its nodes. Call after publish_root, before lists are opened. 0 or a negative errno. */
int control_folder_open(struct mount *mount, struct error *e);

/* The node of .startpointfs/sets. 0 or a negative errno. */
int control_folder_sets(const struct mount *mount, uint32_t *folder);

#endif
