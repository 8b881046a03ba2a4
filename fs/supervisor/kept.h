/* kept.h - what a supervisor sets up and keeps while workers come and go: the mount, its
 * descriptor, the kernel's first request, the shared memory and the program.
 *
 * Everything that can fail happens in kept_open, while whoever called `mount` still listens. */
#ifndef FS_SUPERVISOR_KEPT_H
#define FS_SUPERVISOR_KEPT_H

#include <limits.h>

#include "fs/settings.h"
#include "fs/shared/state.h"

struct kept {
    struct fuse_session *fuse;
    struct state *state;
    int fuse_fd, nodes_fd, state_fd, lists_fd, exe_fd;
    char exe_path[PATH_MAX]; /* where `reload` looks for the program */
};

/* Mounts, with these options for libfuse. An exit code; if it is not EXIT_OK, a sentence is on
 * stderr. In any case, kept_close. */
int kept_open(struct kept *kept, const struct settings *settings, const char *options,
              const char *mountpoint);
/* Unmounts, if it is mounted still: lazily, so who is inside keeps an error, and everybody else
 * sees the folder below. */
void kept_unmount(struct kept *kept);
/* Unmounts and gives back. */
void kept_close(struct kept *kept);

/* Moves a descriptor out of the way of those that a worker inherits. Returns it, or -1. */
int kept_descriptor(int fd);

#endif
