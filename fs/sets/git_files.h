/* git_files.h - a pinned version of a cached repository, as manifest/ wants to see a start-point.
 *
 * Nothing is checked out: names, sizes and bytes come from git's trees and blobs. A hostile tree of
 * trees costs no more than PATHS_MAX entries. */
#ifndef FS_SETS_GIT_FILES_H
#define FS_SETS_GIT_FILES_H

#include "gitcache/store/versions.h"
#include "manifest/paths.h"

struct git_files;

/* Borrows the repository. NULL: out of memory. */
struct git_files *git_files_new(struct repository *repository, const struct version *version);
void git_files_free(struct git_files *files);

/* Callbacks that are good as long as `files`. */
struct start_point_files git_files_callbacks(struct git_files *files);

/* The sentence of the last callback that failed. */
const struct error *git_files_error(const struct git_files *files);

#endif
