/* lists_open.h - reads what `mount` was given: lists, folders of lists, and single sources. */
#ifndef FS_TREE_LISTS_OPEN_H
#define FS_TREE_LISTS_OPEN_H

#include "fs/tree/mount.h"

/* Reads what `mount` was given, relative to `folder` (absolute). Any fault is an error. */
int lists_open(struct mount *mount, const char *folder, char *const *operands, size_t count,
               struct error *e);

#endif
