/* list_folder.h - a folder of lists, given where a list may be: each file *.list in it is one.
 *
 * A folder that is a git repository never is one. */
#ifndef FS_SETS_LIST_FOLDER_H
#define FS_SETS_LIST_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "gitcache/base/source_list.h"

/* Whether a folder has such files; or, with may_be_empty, nothing at all yet. */
bool list_folder_is(const char *path, bool may_be_empty);

/* The paths of its lists (PATH/NAME.list), sorted; an array that ends with NULL, the caller's
 * (list_folder_free). */
int list_folder_read(const char *path, char ***out, struct error *e);
void list_folder_free(char **paths);

/* The file system that a folder is on; 0 if that cannot be found out. */
uint64_t list_folder_device(const char *path);

/* source_list_add, which takes a folder of lists too. */
int list_folder_add(struct source_list *list, const char *argument, struct error *e);

#endif
