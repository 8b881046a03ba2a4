/* paths.h - the files of one start-point: what there is, and what a name in a manifest leads to.
 *
 * manifest/ opens no file itself. It sees a start-point through `struct start_point_files`, so that
 * a pinned tree and a plain folder look the same.
 */
#ifndef MANIFEST_PATHS_H
#define MANIFEST_PATHS_H

#include <stddef.h>
#include <stdint.h>

enum path_kind { PATH_FILE, PATH_SYMLINK };

/* Called for each file and symlink. What it returns, if not 0, ends the walk. */
typedef int start_point_visit(void *visitor, const char *path, enum path_kind kind, uint64_t size);

/* How to see a start-point. Errors are negative errnos; the caller keeps its own sentence. Paths
 * have no slash at either end. */
struct start_point_files {
    /* Visits every file and symlink of the start-point, in any order; folders and what is neither
     * file nor symlink are left out. Sizes are those of a checkout. */
    int (*walk)(void *data, start_point_visit *visit, void *visitor);
    /* Reads a file's bytes, or a symlink's target; what is longer than max is -EFBIG. *bytes is
     * malloc'd (never NULL, even if empty) and the caller's. */
    int (*read)(void *data, const char *path, uint64_t max, void **bytes, size_t *size);
    void *data;
};

struct path {
    char *name;
    enum path_kind kind;
    uint64_t size;
};

struct paths {
    const struct start_point_files *files;
    struct path *items; /* sorted, a folder's files before what sorts after the folder's name */
    size_t count;
};

#define PATHS_MAX   1000000 /* a start-point with more files is refused */
#define PATH_LENGTH 4096    /* bytes with the NUL; a longer path leads nowhere, as on Linux */

/* Walks the start-point. `.git` is left out. -E2BIG above PATHS_MAX. To be released in any case. */
int paths_load(struct paths *paths, const struct start_point_files *files);
void paths_release(struct paths *paths);

enum path_result {
    PATH_FOUND,
    PATH_MISSING,
    PATH_IS_FOLDER,
    PATH_OUTSIDE, /* `..` or a symlink leads out of the start-point */
};

/* What the kernel would find at `name` seen from `folder` ("" for the root): `.`, `..`, repeated
 * slashes and symlinks are followed, but never out of the start-point; a leading slash means
 * nothing, as for the services, which put the folder before the name. Returns an enum path_result,
 * with *out (borrowed) if PATH_FOUND, or a negative errno of `read`. */
int paths_resolve(const struct paths *paths, const char *folder, const char *name,
                  const struct path **out);

#endif
