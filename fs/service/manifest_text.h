/* manifest_text.h - one manifest.json as the service answers it. Pure: files are read through a
 * callback.
 *
 * The keys keep the file's order. `visible_filenames` is gone, and `visible_files`, with the files'
 * texts, follows as the last key; a string `filename_extension` becomes an array of one;
 * `rag_lambda` becomes the text of the file that it names. Only the value of `display_name` is open,
 * since the name under which a manifest is served depends on the others of its set. */
#ifndef FS_SERVICE_MANIFEST_TEXT_H
#define FS_SERVICE_MANIFEST_TEXT_H

#include <stdio.h>

#include "gitcache/base/error.h"

#define MANIFEST_TEXT_MOST ((size_t)1 << 20) /* bytes of a manifest.json */
#define MANIFEST_FILE_MOST ((size_t)4 << 20) /* bytes of a file that it names */

struct manifest_text {
    char *own_name;   /* display_name */
    char *pair_name;  /* "LANGUAGE, FRAMEWORK"; NULL unless it has both pairs */
    char *image_name; /* NULL if it has none */
    char *text;       /* the object as JSON, without the value of display_name */
    size_t size;
    size_t name_at; /* where in text that value belongs */
};

/* The files beside a manifest.json. */
struct manifest_neighbours {
    /* Reads one, of MANIFEST_FILE_MOST bytes at most; the name is relative to the manifest's
     * folder. *bytes is malloc'd. Errors name the file. */
    int (*read)(void *data, const char *name, char **bytes, size_t *size, struct error *e);
    void *data;
};

/* EINVAL with a clause ("is not JSON, ...") for what cannot be served: no JSON object, no
 * display_name, no list visible_filenames, a file that is not UTF-8; what `read` says; ENOMEM. On
 * success the caller owns *out. */
int manifest_text_make(struct manifest_text *out, const char *bytes, size_t size,
                       const struct manifest_neighbours *neighbours, struct error *e);
void manifest_text_release(struct manifest_text *manifest);

/* Writes the whole object, served under `name`. */
void manifest_text_write(const struct manifest_text *manifest, const char *name, FILE *out);

#endif
