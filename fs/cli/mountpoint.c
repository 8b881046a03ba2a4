#include "fs/cli/mountpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STATUS_GROWTH ((size_t)256 << 10) /* bytes that it may grow by while it is being read */
#define STATUS_TRIES  20

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

int mountpoint_unmount(const char *path, bool lazy, struct error *e)
{
    int r;

    if (geteuid() == 0)
        r = umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) < 0 ? -errno : 0;
    else
        r = run_fusermount(path, lazy);
    if (r == -EBUSY)
        return error_set(e, EBUSY, "%s is in use: 'fuser -vm %s' says by whom", path, path);
    if (r == -ENOENT || (r == -EINVAL && access(path, F_OK) < 0 && errno == ENOENT))
        return error_set(e, ENOENT, "there is no folder %s", path);
    if (r == -EINVAL && geteuid() == 0)
        return error_set(e, EINVAL, "nothing is mounted on %s", path);
    if (r == -EINVAL)
        return error_set(e, EINVAL, "nothing is mounted on %s, or it is not yours", path);
    return r < 0 ? error_set(e, -r, "cannot unmount %s: %s", path, strerror(-r)) : 0;
}

/* Reads it in one piece and around the page cache, which may hold pages of an older text. */
static int read_status(int fd, char **out, size_t *size)
{
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0)
        return -errno;
    size_t room = (size_t)st.st_size + STATUS_GROWTH;
    *out = malloc(room);
    if (!*out)
        return -ENOMEM;
    n = read(fd, *out, room);
    if (n < 0) {
        n = -errno;
        free(*out);
    }
    *size = (size_t)n;
    return n < 0 ? (int)n : 0;
}

/* NULL with *again: the text was made anew while it was read, or another worker went on with it. */
static json_t *load_status(const char *file, bool *again, struct error *e)
{
    int fd = open(file, O_RDONLY | O_DIRECT | O_CLOEXEC);
    int r = fd < 0 ? -errno : 0;
    json_t *status = NULL;
    json_error_t problem;
    char *text = NULL;
    size_t size = 0;

    if (r == 0)
        r = read_status(fd, &text, &size);
    if (fd >= 0)
        close(fd);
    if (r == 0) {
        status = json_loadb(text, size, 0, &problem);
        free(text);
    }
    *again = r == 0 && !status;
    if (!status)
        error_set(e, r < 0 ? -r : EIO, "%s", r < 0 ? strerror(-r) : problem.text);
    return status;
}

/* Why a mount does not say how it is. */
static void explain_silence(const char *path, const struct error *why, struct error *e)
{
    struct stat st;

    if (stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
        error_set(e, errno, "there is no folder %s", path);
    else if (why->errnum == ENOENT)
        error_set(e, ENOENT, "no startpointfs is mounted on %s", path);
    else
        error_set(e, why->errnum, "the mount on %s does not answer: %s", path, why->text);
}

json_t *mountpoint_status(const char *path, struct error *e)
{
    struct timespec pause = {.tv_nsec = 50000000};
    json_t *status = NULL;
    bool again = true;
    struct error why;
    char *file;

    if (asprintf(&file, "%s/%s", path, MOUNTPOINT_STATUS) < 0) {
        error_no_memory(e);
        return NULL;
    }
    for (int tries = 0; again && !status && tries < STATUS_TRIES; tries++) {
        if (tries > 0)
            nanosleep(&pause, NULL);
        status = load_status(file, &again, &why);
    }
    if (!status)
        explain_silence(path, &why, e);
    free(file);
    return status;
}

/* A mount whose daemon is gone answers ENOTCONN, also to stat, once the kernel's copy of what stat
 * says is a second old; statfs always asks. There may be several, one upon the other. */
static int clear_dead(const char *path, struct error *e)
{
    struct statfs fs;
    int r = 0;

    for (int i = 0; i < 100 && statfs(path, &fs) < 0 && errno == ENOTCONN && r == 0; i++)
        r = mountpoint_unmount(path, true, e);
    return r;
}

size_t mountpoint_entries(const char *path)
{
    DIR *folder = opendir(path);
    size_t count = 0;

    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count > 2 ? count - 2 : 0; /* without . and .. */
}

int mountpoint_prepare(const char *path, char **out, struct error *e)
{
    struct stat st;
    char *status;
    int r = clear_dead(path, e);

    if (r < 0)
        return r;
    char *absolute = realpath(path, NULL);
    if (!absolute || stat(absolute, &st) < 0) {
        r = error_set(e, errno, "mount point %s: %s%s", path, strerror(errno),
                      errno == ENOENT ? " (make it with mkdir)" : "");
        free(absolute);
        return r;
    }
    if (!S_ISDIR(st.st_mode)) {
        r = error_set(e, ENOTDIR, "mount point %s: is not a folder", path);
        free(absolute);
        return r;
    }
    if (asprintf(&status, "%s/%s", absolute, MOUNTPOINT_STATUS) < 0) {
        free(absolute);
        return error_no_memory(e);
    }
    r = access(status, R_OK);
    free(status);
    if (r == 0) {
        r = error_set(e, EBUSY,
                      "a startpointfs is mounted on %s already: 'startpointfs umount %s' first",
                      absolute, absolute);
        free(absolute);
        return r;
    }
    *out = absolute;
    return 0;
}
