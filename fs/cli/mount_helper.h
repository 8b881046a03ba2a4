/* mount_helper.h - the command line of a helper of mount(8):
 *
 *     mount.startpointfs SOURCE MOUNTPOINT [-sfnv] [-N NAMESPACE] [-t TYPE] [-o OPTIONS]
 *
 * Its letters mean other things than those of our own verbs: -f is "do all but mount". The source
 * `none` means: none, so all sets. */
#ifndef FS_CLI_MOUNT_HELPER_H
#define FS_CLI_MOUNT_HELPER_H

#include <stdbool.h>

#include "gitcache/base/error.h"

struct mount_helper {
    char **argv; /* what follows `startpointfs mount`; the strings are borrowed */
    int argc;
    bool is_fake;
};

/* EINVAL with a sentence, ENOMEM. On any return, mount_helper_release. */
int mount_helper_parse(struct mount_helper *out, int argc, char **argv, struct error *e);
void mount_helper_release(struct mount_helper *helper);

#endif
