/* start_points.h - the manifests of start-points, with the files that they name, as texts to serve.
 *
 * Every manifest.json that a sorted glob of "manifest.json at any depth" finds, in its order: no folder whose
 * name begins with a dot is searched. Symlinks are followed, never out of the start-point. */
#ifndef FS_SERVICE_START_POINTS_H
#define FS_SERVICE_START_POINTS_H

#include "fs/service/manifest_text.h"
#include "manifest/paths.h"

#define START_POINTS_MOST ((size_t)64 << 20) /* bytes of all texts of a set */

struct start_points {
    struct manifest_text *items;
    size_t count;
    size_t bytes; /* of their texts */
};

/* Appends the manifests of one start-point, or of a folder of them. `name` is what a sentence calls
 * it; `files_error` has the sentence of the last callback of `files` that failed. EFBIG: more than
 * START_POINTS_MOST bytes. */
int start_points_add(struct start_points *start_points, const char *name,
                     const struct start_point_files *files, const struct error *files_error,
                     struct error *e);
void start_points_release(struct start_points *start_points);

#endif
