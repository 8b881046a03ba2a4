/* file_order.h - in which order programs read the files of a version. Private to fs/tree.
 *
 * `find`, `tar`, `cp -r` and `grep -r` enter a folder where they meet it (they descend); others read a folder's files
 * first. Only nodes that are there are walked: no folder is opened for it. */
#ifndef FS_TREE_FILE_ORDER_H
#define FS_TREE_FILE_ORDER_H

#include "fs/shared/nodes.h"

/* The file that follows a file, before others in `descends` order or in the same folder. NODE_ROOT_INDEX: none is near. */
uint32_t file_order_next(const struct nodes *nodes, uint32_t file, bool descends);

/* Whether a file follows another one in that order, with few between them. */
bool file_order_follows(const struct nodes *nodes, uint32_t file, uint32_t next, bool descends);

#endif
