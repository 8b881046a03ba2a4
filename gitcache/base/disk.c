#include "gitcache/base/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gitcache/base/regular.h"
#include "gitcache/base/starts_with.h"

#define LOCK_POLL_NS 20000000L
#define LEFTOVER_AGE 3600 /* seconds */
#define UNKNOWN_SIZE 4096 /* bytes that are asked for first where nothing is known of the rest */

static int failed(struct error *e, const char *what, const char *path)
{
    int errnum = errno;
    return error_set(e, errnum, "cannot %s %s: %s", what, path, strerror(errnum));
}

char *disk_path(const char *folder, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static bool folder_is_there(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST;
}

int disk_make_folders(const char *path, struct error *e)
{
    char *copy;
    int r = 0;

    if (folder_is_there(path))
        return 0;
    copy = strdup(path);
    if (!copy)
        return error_no_memory(e);
    for (char *slash = copy + 1; r == 0 && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (!folder_is_there(copy))
            r = failed(e, "make the folder", copy);
        *slash = '/';
    }
    if (r == 0 && !folder_is_there(copy))
        r = failed(e, "make the folder", copy);
    free(copy);
    return r;
}

int disk_make_private_folder(const char *path, struct error *e)
{
    char *copy = strdup(path);
    int r = 0;

    if (!copy)
        return error_no_memory(e);
    for (size_t end = strlen(copy); end > 1 && copy[end - 1] == '/'; end--)
        copy[end - 1] = '\0';
    char *slash = strrchr(copy, '/');
    if (slash && slash != copy) {
        *slash = '\0';
        r = disk_make_folders(copy, e);
        *slash = '/';
    }
    if (r == 0 && mkdir(copy, 0700) < 0 && errno != EEXIST)
        r = failed(e, "make the folder", copy);
    free(copy);
    return r;
}

/* As disk_read_all, for a file that probably has so many bytes; 0: nothing is known of that, as of a file
 * of proc(5). */
static int read_all(int fd, size_t expected, uint64_t max, char **out, size_t *size)
{
    size_t room = 0, count = 0;
    char *bytes = NULL, *more;
    int r = 0;

    while (r == 0) {
        if (count == room) {
            room = room ? room * 2 : expected ? expected + 1 : UNKNOWN_SIZE;
            more = realloc(bytes, room + 1);
            if (!more) {
                r = -ENOMEM;
                break;
            }
            bytes = more;
        }
        ssize_t n = read(fd, bytes + count, room - count);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            r = -errno;
        count += n > 0 ? (size_t)n : 0;
        if (r == 0 && count > max)
            r = -EFBIG;
    }
    if (r < 0) {
        free(bytes);
        return r;
    }
    bytes[count] = '\0';
    *out = bytes;
    *size = count;
    return 0;
}

int disk_read_all(int fd, uint64_t max, char **out, size_t *size)
{
    return read_all(fd, 0, max, out, size);
}

int disk_read(const char *path, size_t max, char **out, size_t *size, struct error *e)
{
    struct stat st;
    int fd = regular_open(path, O_RDONLY, &st, e), r = 0;

    if (fd < 0)
        return fd;
    r = (uint64_t)st.st_size > max ? -EFBIG : read_all(fd, (size_t)st.st_size, max, out, size);
    if (r < 0)
        r = r == -EFBIG ? error_set(e, EFBIG, "%s is larger than %zu bytes", path, max)
                        : error_set(e, -r, "cannot read %s: %s", path, strerror(-r));
    close(fd);
    return r;
}

int disk_write_all(int fd, const void *data, size_t size)
{
    const char *bytes = data;

    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

int disk_sync_folder(const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = 0;

    if (fd < 0)
        return failed(e, "open the folder", path);
    /* Some file systems cannot sync a folder, and need not. */
    if (fsync(fd) && errno != EINVAL)
        r = failed(e, "sync the folder", path);
    close(fd);
    return r;
}

static int sync_folder_of(const char *path, struct error *e)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    int r = folder ? disk_sync_folder(folder, e) : error_no_memory(e);

    free(folder);
    return r;
}

int disk_write(const char *path, const char *text, struct error *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int r = 0;

    if (fd < 0)
        return failed(e, "make", path);
    if (disk_write_all(fd, text, strlen(text)) || fsync(fd))
        r = failed(e, "write", path);
    if (close(fd) && r == 0)
        r = failed(e, "write", path);
    if (r < 0) /* half of it is nothing */
        unlink(path);
    return r;
}

int disk_replace(const char *path, const void *bytes, size_t size, bool durable, struct error *e)
{
    char *temporary;
    int r = 0, fd;

    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return error_set(e, ENOMEM, "out of memory while writing %s", path);
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        r = failed(e, "write", path);
        free(temporary);
        return r;
    }
    if (disk_write_all(fd, bytes, size) || fchmod(fd, 0644) || (durable && fsync(fd)))
        r = failed(e, "write", path);
    if (close(fd) && r == 0)
        r = failed(e, "write", path);
    if (r == 0 && rename(temporary, path))
        r = failed(e, "replace", path);
    if (r < 0)
        unlink(temporary);
    else if (durable)
        r = sync_folder_of(path, e);
    free(temporary);
    return r;
}

uint64_t disk_size(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    uint64_t bytes = 0;
    struct stat st;

    while (folder && (entry = readdir(folder)))
        if (fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
    if (folder)
        closedir(folder);
    return bytes;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    remove(path); /* what stays is a leftover */
    return 0;
}

void disk_remove(const char *path)
{
    /* Once more, where it failed for a moment: it takes memory and descriptors. */
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A time that lies ahead was written by a clock that was wrong: it counts as old. */
static bool is_old(const struct stat *st)
{
    int64_t age = (int64_t)time(NULL) - (int64_t)st->st_mtime;
    return age >= LEFTOVER_AGE || age < -LEFTOVER_AGE;
}

void disk_remove_leftovers(const char *folder, const char *prefix)
{
    DIR *stream = opendir(folder);
    struct dirent *entry;
    struct stat st;

    if (!stream)
        return;
    while ((entry = readdir(stream))) {
        char *path;

        if (!starts_with(entry->d_name, prefix) ||
            fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !is_old(&st))
            continue;
        path = disk_path(folder, entry->d_name);
        if (path)
            disk_remove(path);
        free(path);
    }
    closedir(stream);
}

/* Opens the file of a lock. What is no plain file there is nobody's lock, and goes. */
static int open_lock(const char *path, struct error *e)
{
    struct stat st;
    int fd = regular_open(path, O_RDWR | O_CREAT, &st, e);

    if (fd != -EIO)
        return fd;
    disk_remove(path);
    return regular_open(path, O_RDWR | O_CREAT, &st, e);
}

int disk_lock(const char *path, const struct watch *watch, struct error *e)
{
    const struct timespec pause = {.tv_nsec = LOCK_POLL_NS};
    int fd = open_lock(path, e), r = 0;

    if (fd < 0)
        return fd;
    while (r == 0 && flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            r = failed(e, "lock", path);
        else if (watch_is_cancelled(watch))
            r = error_set(e, ECANCELED, "cancelled while waiting for the lock %s", path);
        else
            nanosleep(&pause, NULL);
    }
    if (r == 0)
        return fd;
    close(fd);
    return r;
}
