#include "fs/cli/mountpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fs/supervisor/fuse_mount.h"
#include "fs/supervisor/mount_table.h"
#include "fs/supervisor/unmount.h"
#include "gitcache/base/starts_with.h"

#define MOUNT_TYPE    "fuse.startpointfs"
#define ASK_PATIENCE  5000                /* milliseconds for a mount to say that it is alive */
#define STATUS_GROWTH ((size_t)256 << 10) /* bytes that it may grow by while it is being read */
#define STATUS_TRIES  20

/* realpath(3) asks about what is behind a slash at the end. */
static char *resolve(const char *path)
{
    char *bare = strdup(path), *absolute;
    size_t length = strlen(path);

    while (bare && length > 1 && bare[length - 1] == '/')
        bare[--length] = '\0';
    absolute = bare ? realpath(bare, NULL) : NULL;
    free(bare);
    return absolute;
}

/* Its device is 0 if nothing is. */
static struct mount_row mounted_on(const char *path)
{
    struct mount_row row = {.device = 0};
    char *absolute = resolve(path);

    if (absolute)
        mount_table_find(absolute, &row);
    free(absolute);
    return row;
}

/* fusermount3 has failed, and does not say why. */
static int why_not(const char *path, struct error *e)
{
    const struct mount_row row = mounted_on(path);

    if (!row.device)
        return -EINVAL;
    if (row.owner == geteuid())
        return -EBUSY;
    return error_set(e, EPERM, "%s was mounted by user %u: only that user and root can unmount it",
                     path, row.owner);
}

int mountpoint_unmount(const char *path, bool lazy, struct error *e)
{
    char *absolute = resolve(path); /* NULL: what is wrong, unmount_at will say */
    int r = unmount_at(absolute ? absolute : path, lazy);

    free(absolute);
    if (r == -EINVAL && geteuid() != 0 && (r = why_not(path, e)) == -EPERM)
        return r;
    if (r == -ENOENT && geteuid() != 0 && mounted_on(path).device)
        return error_set(e, ENOENT, "cannot unmount %s: there is no fusermount3; install fuse3",
                         path);
    if (r == -EBUSY)
        return error_set(e, EBUSY, "%s is in use", path);
    bool is_no_mount = r == -ENOENT || r == -EINVAL;
    if (is_no_mount && access(path, F_OK) < 0 && errno == ENOENT)
        return error_set(e, ENOENT, "there is no folder %s", path);
    if (is_no_mount)
        return error_set(e, EINVAL, "nothing is mounted on %s", path);
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
    char *text = malloc(room);
    if (!text)
        return -ENOMEM;
    n = read(fd, text, room);
    if (n < 0) {
        int r = -errno;
        free(text);
        return r;
    }
    *out = text;
    *size = (size_t)n;
    return 0;
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

/* What statfs(2) says of it, which always asks: 0 or an errno, or ETIMEDOUT. In a child, since a mount whose
 * supervisor is gone, but which somebody holds, answers only to the next one. */
static int ask_mount(const char *path)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct statfs fs;
        _exit(statfs(path, &fs) < 0 ? errno : 0);
    }
    struct pollfd end = {.fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1,
                         .events = POLLIN};
    int status = 0;
    if (end.fd < 0)
        return ETIMEDOUT;
    bool has_ended = poll(&end, 1, ASK_PATIENCE) == 1;
    if (!has_ended)
        kill(pid, SIGKILL);
    close(end.fd);
    return has_ended && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                             : ETIMEDOUT;
}

/* What the kernel answers for a daemon that is gone. */
static bool is_dead(int answer)
{
    return answer == ENOTCONN || answer == ECONNABORTED;
}

/* Mounts whose daemon is gone; there may be several, one upon the other. 0, and `row` is what lies
 * there then. */
static int clear_dead(const char *path, struct mount_row *row, int *answer, struct error *e)
{
    for (int i = 0; i < 100; i++) {
        int r = mount_table_find(path, row);
        if (r < 0)
            return error_set(e, -r, "cannot read what is mounted: %s", strerror(-r));
        *answer = starts_with(row->type, "fuse") ? ask_mount(path) : 0;
        if (!is_dead(*answer))
            return 0;
        r = mountpoint_unmount(path, true, e);
        if (r < 0)
            return r;
    }
    return 0;
}

uint64_t mountpoint_device(const char *path)
{
    return mounted_on(path).device;
}

enum mountpoint_life mountpoint_life(const char *path)
{
    const struct mount_row row = mounted_on(path);

    if (!row.device || !starts_with(row.type, "fuse"))
        return MOUNTPOINT_OTHER;
    int answer = ask_mount(path);
    return is_dead(answer) || answer == ETIMEDOUT ? MOUNTPOINT_DEAD : MOUNTPOINT_ALIVE;
}

int mountpoint_find(const char *path, char **out, struct error *e)
{
    struct mount_row row;
    struct stat st = {.st_mode = S_IFDIR};

    if (starts_with(path, FUSE_MOUNT_INHERITED)) {
        *out = strdup(path);
        return *out ? 0 : error_no_memory(e);
    }
    *out = resolve(path);
    if (*out && mount_table_find(*out, &row) == 0 &&
        fstatat(AT_FDCWD, *out, &st, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW) == 0 &&
        !S_ISDIR(st.st_mode))
        return error_set(e, ENOTDIR, "mount point %s: not a folder", path);
    return *out ? 0
                : error_set(e, errno, "mount point %s: %s%s", path, strerror(errno),
                            errno == ENOENT ? " (make it with mkdir)" : "");
}

int mountpoint_clear(const char *path, bool *is_bare, struct error *e)
{
    struct mount_row row;
    int answer = 0;

    *is_bare = false;
    if (starts_with(path, FUSE_MOUNT_INHERITED))
        return 0;
    int r = clear_dead(path, &row, &answer, e);
    if (r < 0)
        return r;
    *is_bare = !row.device;
    if (strcmp(row.type, MOUNT_TYPE) != 0)
        return 0;
    if (answer == ETIMEDOUT)
        return error_set(e, EBUSY,
                         "the startpointfs mounted on %s does not answer: mount with the holder= "
                         "that has it, or run 'startpointfs umount --lazy %s' first",
                         path, path);
    return error_set(e, EBUSY,
                     "a startpointfs is already mounted on %s: run 'startpointfs umount %s' first",
                     path, path);
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
