/* regular.h - opening what must be a plain file: never a link, and never a FIFO or device, which
 * would keep the caller waiting. */
#ifndef GITCACHE_BASE_REGULAR_H
#define GITCACHE_BASE_REGULAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "gitcache/base/error.h"

/* What a file was when it was looked at: it has not been written since if this is the same. */
struct regular_stamp {
    uint64_t device, inode, size;
    int64_t changed; /* nanoseconds since the epoch: the ctime, which nobody can set */
};

/* Opens a file, close-on-exec, with O_RDONLY or O_RDWR (and O_CREAT, mode 0600 or 0644) in `flags`;
 * *st is what it is. A descriptor, or a negative errno: EIO if it is no plain file, with a sentence
 * that says so. */
int regular_open(const char *path, int flags, struct stat *st, struct error *e);

/* Whether a name is a plain file; what is not there, or can't be looked at, is none. */
bool regular_is(const char *path);

struct regular_stamp regular_stamp_of(const struct stat *st);
bool regular_stamp_equal(const struct regular_stamp *a, const struct regular_stamp *b);

#endif
