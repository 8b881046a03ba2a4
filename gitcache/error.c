#include "gitcache/error.h"

#include <errno.h>
#include <git2.h>
#include <stdio.h>
#include <string.h>

/* What came from a server or a file must not be able to move a terminal's cursor. */
static void show_control_characters(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

int error_vset(struct error *e, int errnum, const char *format, va_list args)
{
    if (e) {
        e->errnum = errnum;
        vsnprintf(e->text, sizeof e->text, format, args);
        show_control_characters(e->text);
    }
    return -errnum;
}

int error_set(struct error *e, int errnum, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_vset(e, errnum, format, args);
    va_end(args);
    return -errnum;
}

static int errno_of_git_code(int code, const git_error *error, int os_errno)
{
    switch (code) {
    case GIT_ENOTFOUND:
    case GIT_EAMBIGUOUS:
    case GIT_EINVALIDSPEC:
        return ENOENT;
    case GIT_EAUTH:
    case GIT_ECERTIFICATE:
        return EACCES;
    case GIT_EUSER:
        return ECANCELED;
    case GIT_ELOCKED:
        return EAGAIN;
    }
    if (error && error->klass == GIT_ERROR_NOMEMORY)
        return ENOMEM;
    /* libgit2 leaves errno as the system call set it. */
    if (error && error->klass == GIT_ERROR_OS &&
        (os_errno == ENOSPC || os_errno == EDQUOT || os_errno == EROFS || os_errno == EACCES))
        return os_errno;
    return EIO;
}

int error_git(struct error *e, int git_code, const char *format, ...)
{
    int os_errno = errno;
    const git_error *error = git_error_last();
    int errnum = errno_of_git_code(git_code, error, os_errno);
    va_list args;

    va_start(args, format);
    error_vset(e, errnum, format, args);
    va_end(args);
    if (e && error && error->message) {
        size_t used = strlen(e->text);
        snprintf(e->text + used, sizeof e->text - used, ": %s", error->message);
        show_control_characters(e->text);
    }
    return -errnum;
}
