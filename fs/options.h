/* options.h - the one table of the options that -o takes. */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include <stdio.h>

#include "fs/settings.h"

/* Takes the value of -o: comma-separated options, ours and those of mount(8) and FUSE. EINVAL with
 * a sentence that names the option and what it may be. */
int options_take(struct settings *settings, const char *options, struct error *e);

/* Prints the mount options that are ours, a line each, with their defaults. 0 or -ENOMEM. */
int options_print(FILE *out);

#endif
