/* failing_calls.h - makes one call of the system fail, whichever of the program's it is. Included by the tests that are linked so
 * (FAILING_CALLS in the Makefile). */
#ifndef TESTS_FAILING_CALLS_H
#define TESTS_FAILING_CALLS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many calls succeed before one fails; -1: all do. */
static _Atomic int calls_left = -1;
/* Calls of that name alone are counted; NULL: all. */
static const char *only;

static const char *_Atomic failed = "";
static _Atomic int failed_with;

static bool fails_now(const char *call, int errnum)
{
    if ((only && strcmp(only, call) != 0) || calls_left < 0 || calls_left-- != 0)
        return false;
    failed = call;
    failed_with = errno = errnum;
    return true;
}

#include "tests/unit/failing_allocations.h"

FAILING(EMFILE, NULL, DIR *, opendir, (const char *path), (path))
FAILING(EIO, NULL, struct dirent64 *, readdir64, (DIR * folder), (folder))
FAILING(ENOMEM, -1, int, lstat64, (const char *path, struct stat64 *st), (path, st))
FAILING(ENOMEM, -1, int, stat64, (const char *path, struct stat64 *st), (path, st))
FAILING(ENOMEM, -1, int, fstatat64, (int fd, const char *path, struct stat64 *st, int flags),
        (fd, path, st, flags))
FAILING(EMFILE, -1, int, mkostemp64, (char *path, int flags), (path, flags))
FAILING(ENOSPC, -1, int, rename, (const char *from, const char *to), (from, to))
FAILING(EIO, -1, int, unlink, (const char *path), (path))
FAILING(EIO, -1, int, mkdir, (const char *path, mode_t mode), (path, mode))
FAILING(EIO, -1, int, fsync, (int fd), (fd))
FAILING(EIO, -1, int, flock, (int fd, int how), (fd, how))
FAILING(EIO, -1, ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))

int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    return fails_now("open", EMFILE) ? -1 : openat(AT_FDCWD, path, flags, 0644);
}

/* libgit2 loses an object that it has no memory to keep in its cache. Where its own frames cannot be followed, the last one that can be
 * is in library_memory.c. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libgit2\nleak:library_memory.c\n";
}

#endif
