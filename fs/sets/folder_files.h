/* folder_files.h - a plain folder, as manifest/ wants to see a start-point: what an author has
 * written and not committed yet.
 *
 * No symlink is followed, neither on the way nor at its end, so nothing outside the folder is ever
 * read. What is neither file, symlink nor folder is left out, and so is `.git`. */
#ifndef FS_SETS_FOLDER_FILES_H
#define FS_SETS_FOLDER_FILES_H

#include <stdbool.h>

#include "gitcache/base/error.h"
#include "manifest/paths.h"

struct folder_files;

/* Whether the path is a folder that git would not take for a repository. */
bool folder_files_is_plain(const char *path) __attribute__((nonnull));

/* Whether it is a folder with files that git keeps track of, and perhaps uncommitted changes. */
bool folder_files_is_worktree(const char *path);

/* ENOMEM, or the errno of opening the folder. */
int folder_files_new(struct folder_files **out, const char *path, struct error *e);
void folder_files_free(struct folder_files *files);

/* Callbacks that are good as long as `files`. */
struct start_point_files folder_files_callbacks(struct folder_files *files);

/* The sentence of the last callback that failed. */
const struct error *folder_files_error(const struct folder_files *files);

#endif
