/* sets.h - named sets: what `create` records and `mount` serves.
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
 * reader sees the old set or the new one. */
#ifndef FS_SETS_H
#define FS_SETS_H

#include <stdint.h>

#include "fs/settings.h"
#include "gitcache/source.h"

struct set {
    char *name;
    enum set_type type;
    int64_t made_at;            /* seconds since the epoch */
    struct source_list sources; /* pinned; relative to nothing */
    char **given;               /* for each source, as it was written when the set was created */
};

/* Whether a set can have this name; if not, *why (may be NULL) is a clause that says so. */
bool set_name_is_valid(const char *name, const char **why);

/* Reads a set. ENOENT: there is none of that name. On success the caller owns *out (set_release).
 */
int set_load(struct set *out, const char *folder, const char *name, struct error *e);
void set_release(struct set *set);

/* Writes it, replacing one of that name; makes the folder if need be. */
int set_save(const struct set *set, const char *folder, struct error *e);
int set_remove(const char *folder, const char *name, struct error *e);
bool set_exists(const char *folder, const char *name);

/* All sets' names, sorted; an array that ends with NULL, the caller's (sets_names_free). A folder
 * that is not there holds none. */
int sets_names(const char *folder, char ***out, struct error *e);
void sets_names_free(char **names);

/* The line that records a source with its pinned commit (40 digits): malloc'd, NULL: out of memory.
 */
char *set_pinned_line(const struct source *source, const char *commit);

#endif
