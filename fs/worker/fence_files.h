/* fence_files.h - the files and folders that a worker can open: a list that is made, and then holds for
 * good (landlock(7)).
 *
 * The kernel's rules are for what lies at a path now. What replaces a file later (an editor, a certificate's
 * renewal) can be opened only where a folder above it is in the list; fence_files_lack tells. */
#ifndef FS_WORKER_FENCE_FILES_H
#define FS_WORKER_FENCE_FILES_H

#include <stdbool.h>

enum fence_files_access { FENCE_FILES_READ, FENCE_FILES_WRITE };

struct fence_files;

/* NULL: out of memory. */
struct fence_files *fence_files_new(void);
void fence_files_free(struct fence_files *files);

/* A file, or a folder with all below it. What is not there is remembered. False: out of memory. */
bool fence_files_add(struct fence_files *files, const char *path, enum fence_files_access access);

/* A file that may be replaced: with the folders that it and what it links to lie in, but for those that hold
 * much else (/etc, a home folder). */
bool fence_files_add_changing(struct fence_files *files, const char *path);

/* From now on this thread, and those that it starts, open nothing else. 0 or a negative errno: ENOSYS,
 * EOPNOTSUPP (a kernel without it, or too old). */
int fence_files_close(struct fence_files *files);

/* Adds those folders of another list that were not only added for the sake of a file in them: what is a folder of ours stays
 * one, also if it cannot be looked into now. False: out of memory. */
bool fence_files_add_folders(struct fence_files *files, const struct fence_files *from);

/* Of a list that was made anew, the first path that is there and that `files`, which holds, does not let us open;
 * NULL: none. From any thread. */
const char *fence_files_lack(const struct fence_files *files, const struct fence_files *now);

#endif
