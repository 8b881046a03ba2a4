/* idmap.c - binds a mount elsewhere with its owners mapped, as a container in a user namespace gets it:
 *
 *     idmap SOURCE TARGET FROM TO     owner and group FROM are shown as TO
 *
 * Exit status: 0; 1 failed, with a sentence; 77 if the kernel has no such mounts for FUSE (before Linux 6.12). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
    int error = errno;
    fprintf(stderr, "%s: %s\n", what, strerror(error));
    return 1;
}

static int write_map(pid_t pid, const char *name, const char *from, const char *to)
{
    char path[64], text[64];
    int size = snprintf(text, sizeof text, "%s %s 1", from, to);

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY);
    int r = fd >= 0 && write(fd, text, (size_t)size) == size ? 0 : -1;
    if (fd >= 0)
        close(fd);
    return r;
}

/* A user namespace with that map; kept by its descriptor. */
static int make_namespace(const char *from, const char *to)
{
    int ends[2];
    char byte, path[64];

    if (pipe(ends) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWUSER) < 0 || write(ends[1], "", 1) != 1)
            _exit(1);
        pause();
    }
    close(ends[1]);
    int fd = -1;
    if (read(ends[0], &byte, 1) == 1 && write_map(pid, "uid_map", from, to) == 0 &&
        write_map(pid, "gid_map", from, to) == 0) {
        snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 1;
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, argv[1], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        return fail("open_tree");
    int namespace = make_namespace(argv[3], argv[4]);
    if (namespace < 0)
        return fail("a user namespace");
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned long long)namespace};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
        return fail("mount_setattr");
    if (syscall(SYS_move_mount, tree, "", AT_FDCWD, argv[2], MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return fail("move_mount");
    return 0;
}
