#include "gitcache/base/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int not_regular(const char *path, mode_t mode, struct error *e)
{
    const char *kind = S_ISLNK(mode)    ? "a link"
                       : S_ISDIR(mode)  ? "a folder"
                       : S_ISFIFO(mode) ? "a FIFO"
                       : S_ISSOCK(mode) ? "a socket"
                                        : "a device";

    return error_set(e, EIO, "%s is %s where only a plain file belongs; remove it", path, kind);
}

int regular_open(const char *path, int flags, struct stat *st, struct error *e)
{
    int fd = -1, errnum;

    /* Looked at before it is opened: opening some devices does something. */
    bool there = lstat(path, st) == 0;
    if (there && !S_ISREG(st->st_mode))
        return not_regular(path, st->st_mode, e);
    if (there || (flags & O_CREAT))
        fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
    errnum = errno;
    if (fd < 0)
        return errnum == ELOOP ? not_regular(path, S_IFLNK, e)
                               : error_set(e, errnum, "cannot open %s: %s", path, strerror(errnum));
    if (fstat(fd, st) < 0) {
        errnum = errno;
        close(fd);
        return error_set(e, errnum, "cannot look at %s: %s", path, strerror(errnum));
    }
    if (S_ISREG(st->st_mode))
        return fd;
    close(fd);
    return not_regular(path, st->st_mode, e);
}

bool regular_is(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

struct regular_stamp regular_stamp_of(const struct stat *st)
{
    return (struct regular_stamp){
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = (uint64_t)st->st_size,
        .changed = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
    };
}

bool regular_stamp_equal(const struct regular_stamp *a, const struct regular_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed == b->changed;
}
