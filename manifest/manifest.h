/* manifest.h - checks a list of start-points, and says what is in them. Pure: it sees files only
 * through callbacks.
 *
 *     struct manifest_list list;
 *     manifest_list_init(&list, TYPE_LANGUAGES, strict);
 *     for each source, in the order given:
 *         r = manifest_list_add(&list, &start_point);   // stop if negative
 *     r = manifest_list_finish(&list);
 *     findings_format(&list.findings), list.findings.exit_code
 *     if that is 0: inspect_list(&list), inspect_images(&list) (inspect.h)
 *     manifest_list_release(&list);
 *
 * A caller may add findings of its own in between (findings_add): a source that can't be fetched
 * has code 3. A list belongs to one thread.
 */
#ifndef MANIFEST_MANIFEST_H
#define MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "manifest/findings.h"
#include "manifest/paths.h"
#include "manifest/type.h"

/* One source. All strings are copied where they are kept. */
struct start_point {
    const char *source; /* as findings shall name it: without credentials */
    const char *url;    /* as inspect shall show it */
    const char *sha;    /* 40 hex digits; NULL for a folder that is no repository */
    bool is_folder;     /* the source is a path, and its files lie there */
    const char *tag;    /* of a ?tag= source, where it is a tag; else NULL */
    const struct start_point_files *files;
};

/* One manifest.json that is a JSON object. */
struct manifest {
    char *display_name; /* NULL where it is no string, or an empty one */
    char *image_name;   /* likewise; always NULL for exercises */
    char *pair_name;    /* "Language, Framework"; NULL where it has not both pairs */
    char *url, *sha;
    struct where where; /* the display_name; owns its strings */
};

struct manifest_list {
    enum start_point_type type;
    bool strict; /* codes 34 and 35 are errors, not warnings */
    bool ended;  /* by a finding with code 16, 17 or 18: what is added now is not looked at */
    struct manifest *items;
    size_t count;
    struct findings findings;
};

void manifest_list_init(struct manifest_list *list, enum start_point_type type, bool strict);

/* Checks all manifests of one start-point. 0, also where there are findings; or a negative errno:
 * what a callback returned, -E2BIG (more than PATHS_MAX files), -ENOMEM. */
int manifest_list_add(struct manifest_list *list, const struct start_point *start_point);

/* Checks what concerns the whole list. 0 or -ENOMEM. */
int manifest_list_finish(struct manifest_list *list);

void manifest_list_release(struct manifest_list *list);

#endif
