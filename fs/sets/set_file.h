/* set_file.h - the text of a set's file (sets.h shows one), to and from disk. */
#ifndef FS_SETS_SET_FILE_H
#define FS_SETS_SET_FILE_H

#include "fs/sets/set.h"

/* Appends the sources of the list at `path` to set->sources, and to set->given how each was given:
 * as the list says, if it is a set's, else as the source is written. *type and *made_at are set if
 * the list says them. On failure, too, the set can be released. */
int set_file_read(struct set *set, const char *path, enum start_point_type *type, int64_t *made_at,
                  struct error *e);

/* The same for one source, as it is written on a command line. */
int set_file_take_source(struct set *set, const char *argument, struct error *e);

/* Writes FOLDER/NAME anew; a reader sees the old file or the new one. Makes the folder. Unless
 * `replace`, -EEXIST if there is one. 0 or a negative errno. */
int set_file_write(const struct set *set, const char *folder, const char *path, bool replace);

#endif
