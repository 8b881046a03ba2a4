#include "fs/supervisor/unmount.h"

#include <errno.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_fusermount(const char *path, bool lazy)
{
    const char *argv[] = {"fusermount3", "-u", lazy ? "-qz" : "-q", "--", path, NULL};
    pid_t pid;
    int status;

    int r = posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ);
    if (r != 0)
        return -r;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EINVAL;
}

int unmount_at(const char *path, bool lazy)
{
    if (geteuid() != 0)
        return run_fusermount(path, lazy);
    return umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) < 0 ? -errno : 0;
}
