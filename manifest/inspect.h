/* inspect.h - what is in a checked list of start-points, as texts. */
#ifndef MANIFEST_INSPECT_H
#define MANIFEST_INSPECT_H

#include "manifest/manifest.h"

/* What `inspect` prints: a JSON object, sorted by display name, ends with a newline:
 *     {"Python 3.14.3, unittest": {"url": ..., "sha": ..., "image_name": ...}}
 * The caller frees the string. NULL: out of memory. */
char *inspect_list(const struct manifest_list *list);

/* What `images` prints: the image names, sorted, each once and on a line. The caller frees the
 * string. NULL: out of memory. */
char *inspect_images(const struct manifest_list *list);

#endif
