/* lists_open.h - what a mount shows when its worker begins: what `mount` was given, or what the
 * worker before has read last. */
#ifndef FS_TREE_LISTS_OPEN_H
#define FS_TREE_LISTS_OPEN_H

#include "fs/tree/mount.h"

/* Reads what `mount` was given, relative to `folder`: lists, folders of lists and single sources;
 * none: the sets that `create` made. Any fault is an error. */
int lists_open(struct mount *mount, const char *folder, char *const *operands, size_t count,
               struct error *e);

/* Calls visit with each file that these operands make a worker read, by an absolute path: lists, folders of lists,
 * and files that such a folder only links to. One that is not there may come. Stops at the first non-zero and returns
 * it; -ENOMEM. */
int lists_open_each_path(const char *folder, char *const *operands, size_t count,
                         int (*visit)(void *data, const char *path, bool is_folder), void *data);

/* As lists_open, for a worker that goes on with a mount: it begins with what the one before has read
 * last, without a look at the lists (the caller reloads them soon); where that is not to be had,
 * with what can be read. A fault of a list is logged and kept for status.json. Nothing but a lack
 * of memory is an error: readers would hang. */
int lists_resume(struct mount *mount, const char *folder, char *const *operands, size_t count,
                 struct error *e);

#endif
