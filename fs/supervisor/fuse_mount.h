/* fuse_mount.h - the mount itself, which stays while workers come and go: the kernel's descriptor and
 * first request, and the memory that workers share.
 *
 * Everything that can fail happens in fuse_mount_open, while whoever called `mount` still listens. */
#ifndef FS_SUPERVISOR_FUSE_MOUNT_H
#define FS_SUPERVISOR_FUSE_MOUNT_H

#include "fs/settings.h"
#include "fs/shared/state.h"

struct fuse_mount {
    struct fuse_session *session;
    struct state *state;
    int fuse_fd, nodes_fd, state_fd, lists_fd;
};

/* Mounts, with these options for libfuse. An exit code; if it is not EXIT_OK, a sentence is on
 * stderr. In any case, fuse_mount_close. */
int fuse_mount_open(struct fuse_mount *mount, const struct settings *settings, const char *options,
                    const char *mountpoint);
/* Unmounts, if it is mounted still: lazily, so whoever is inside gets an error, and everybody else
 * sees the folder below. */
void fuse_mount_unmount(struct fuse_mount *mount);
/* Unmounts and gives back. */
void fuse_mount_close(struct fuse_mount *mount);

#endif
