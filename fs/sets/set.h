/* set.h - a named set: what `create` records and `mount` serves.
 *
 * A set is a file in the sets folder, plain text, which is also a list (source.h): comments say
 * what a list does not need to know, each further line is a source, pinned.
 *
 *     # startpointfs set
 *     # type: languages
 *     # made: 1763845200
 *     # given: https://github.com/cyber-dojo-start-points/python-unittest?tag=3.7.4-19
 *     https://github.com/cyber-dojo-start-points/python-unittest?tag=3.7.4-19&commit=5eba...
 *
 * A set's name is letters, digits, '.', '_', '-' and '/', as in image names; the file is called
 * after it, with '%' for each '/'. Files are written under a temporary name, fsynced and renamed: a
 * reader sees the old set or the new one. They are their owner's
 * alone, as sources may need passwords; what was given is recorded without them. Where somebody has let others read a
 * set, they may read what replaces it, unless that has a password. */
#ifndef FS_SETS_SET_H
#define FS_SETS_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/settings.h"
#include "gitcache/base/source_list.h"

struct set {
    char *name;
    enum start_point_type type;
    int64_t made_at;            /* seconds since the epoch */
    struct source_list sources; /* pinned; relative to nothing */
    char **given;               /* for each source, as it was written when the set was created */
};

/* Whether a set can have this name; if not, *why (may be NULL) is a clause that says so. */
bool set_name_is_valid(const char *name, const char **why);

/* The file of a set with a valid name, FOLDER/acme%my-languages; malloc'd, NULL: out of memory. */
char *set_path(const char *folder, const char *name);

/* Reads a set. ENOENT: there is none of that name. On success the caller owns *out (set_release).
 */
int set_load(struct set *out, const char *folder, const char *name, struct error *e);
void set_release(struct set *set);

/* Appends what one command-line argument means (source_list_add) to a set's sources, and how each
 * was given. A list that is another machine's set says that itself, and its type where set->type is
 * not known yet. */
int set_add(struct set *set, const char *argument, struct error *e);
/* The same for what must be a list: a file that is gone is ENOENT, not a source of its name. */
int set_add_list(struct set *set, const char *path, struct error *e);

/* Writes it; makes the folder if need be. One of that name is replaced, or (unless `replace`)
 * EEXIST. */
int set_save(const struct set *set, const char *folder, bool replace, struct error *e);
int set_remove(const char *folder, const char *name, struct error *e);
bool set_exists(const char *folder, const char *name);

/* Makes the set's i-th source the one that a set records: with its commit (40 digits). EINVAL: a
 * list could not hold it, as its path has " #" in it or ends with a blank. */
int set_pin(struct set *set, size_t i, const char *commit, struct error *e);

#endif
