/* mount_options.h - what libfuse is told when it mounts. */
#ifndef FS_CLI_MOUNT_OPTIONS_H
#define FS_CLI_MOUNT_OPTIONS_H

#include "fs/settings.h"
#include "gitcache/base/source_list.h"

/* The value of -o, malloc'd: the caller's options, and what findmnt(8) and df(1) show as the
 * source: the list, folder or URL (without credentials) if there is a single one, else
 * "startpointfs". `sources` are what the operands say. EPERM with a sentence: allow_other where
 * fusermount3(1) will refuse it. ENOMEM. */
int mount_options_make(char **out, const struct settings *settings, char *const *operands,
                       size_t count, const struct source_list *sources, struct error *e);

#endif
