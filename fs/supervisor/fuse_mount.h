/* fuse_mount.h - the mount itself, which stays while workers come and go: the kernel's descriptor and
 * first request, and the memory that workers share. It is made, or taken over from a supervisor that is gone.
 *
 * Everything that can fail happens in fuse_mount_open, while whoever called `mount` still listens. */
#ifndef FS_SUPERVISOR_FUSE_MOUNT_H
#define FS_SUPERVISOR_FUSE_MOUNT_H

#include "fs/settings.h"
#include "fs/shared/state.h"
#include "fs/supervisor/custody.h"

/* In place of a mount point: N is a descriptor of /dev/fuse, of a mount that somebody else makes and takes away. */
#define FUSE_MOUNT_INHERITED "/dev/fd/"

struct fuse_mount {
    struct fuse_session *session; /* NULL: it was taken over */
    struct state *state;
    const char *mountpoint; /* borrowed */
    int fds[HELD_COUNT];
};

/* Takes over what `custody` has found (takeover_check has looked at it). Else mounts, with these options for libfuse.
 * `operands` is a hash of what is to be shown. An exit code; if it is not EXIT_OK, a sentence is on stderr. In any
 * case, fuse_mount_close. */
int fuse_mount_open(struct fuse_mount *mount, const struct settings *settings, const char *options,
                    struct custody *custody, uint64_t operands);
/* Whether it was taken over. */
bool fuse_mount_is_taken(const struct fuse_mount *mount);
/* Whether it lies at its mount point: nobody has unmounted it, nor detached it. */
bool fuse_mount_is_there(const struct fuse_mount *mount);
/* Unmounts, if it is mounted still: lazily, so whoever is inside gets an error, and everybody else
 * sees the folder below. */
void fuse_mount_unmount(struct fuse_mount *mount);
/* Gives back, and unmounts nothing. */
void fuse_mount_close(struct fuse_mount *mount);

#endif
