/* library.h - libgit2: set up once for the whole process, its ids and its errors as ours. */
#ifndef GITCACHE_BASE_LIBRARY_H
#define GITCACHE_BASE_LIBRARY_H

#include <git2.h>
#if __has_include(<git2/sys/errors.h>) /* since libgit2 1.8, with git_error_set_str */
#include <git2/sys/errors.h>
#endif

#include "gitcache/base/error.h"
#include "gitcache/base/oid.h"

/* Counted: each that succeeds needs a library_close; but the process keeps what the first has set up. library_open
 * also sets what holds for the whole process; threads that run beside others call library_start. */
int library_open(struct error *e);
int library_start(struct error *e);
void library_close(void);

void library_oid_to_git(git_oid *out, const struct oid *oid);
void library_oid_from_git(struct oid *out, const git_oid *oid);

/* As error_set, for a failed libgit2 call: maps its code to an errno (ENOENT, EIO, ENOSPC, ...) and
 * appends libgit2's own message to the formatted text. Call it before any other libgit2 call. */
int library_error(struct error *e, int git_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for an object or a folder of them that was not read: "WHAT is damaged", but "WHAT cannot be read"
 * where it was the system that failed, and nothing is said of what lies there. */
int library_read_error(struct error *e, int git_code, const char *what);

#endif
