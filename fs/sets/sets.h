/* sets.h - all named sets of a folder: their names, and a command-line operand that may be one. */
#ifndef FS_SETS_SETS_H
#define FS_SETS_SETS_H

#include "gitcache/base/source_list.h"

struct gc;

/* All sets' names, sorted; an array that ends with NULL, the caller's (sets_names_free). A folder
 * that is not there holds none. */
int sets_names(const char *folder, char ***out, struct error *e);
void sets_names_free(char **names);

/* The first of these names that can't stand beside `name`: a set shows as a folder, and none lies
 * within another ("acme" and "acme/languages"). Borrowed; NULL if there is none. */
const char *sets_in_the_way(char *const *names, const char *name);

/* Appends the sources of a command-line operand that may also be a set's name. A file or folder of
 * that name comes first. */
int sets_add_sources(struct source_list *sources, const char *folder, const char *operand,
                     struct error *e);

/* Has gc keep what all sets name. A set that cannot be read may name anything: then nothing may be
 * removed. */
int sets_keep(struct gc *gc, const char *folder, struct error *e);

#endif
