#include "gitcache/base/error.h"

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

int error_no_memory(struct error *e)
{
    return error_set(e, ENOMEM, "out of memory");
}

/* libgit2 resets errno when it makes its message, but puts the system's words at the end of it. */
static int errno_of_message(const char *message)
{
    static const int errnums[] = {ENOSPC, EDQUOT, EROFS, EACCES, EMFILE, ENFILE};

    for (size_t i = 0; i < sizeof errnums / sizeof *errnums; i++) {
        const char *words = strerror(errnums[i]);
        size_t length = strlen(message), words_length = strlen(words);

        if (length >= words_length && strcmp(message + length - words_length, words) == 0)
            return errnums[i];
    }
    return EIO;
}

static int errno_of_git_code(int code, const git_error *error)
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
    if (error && error->klass == GIT_ERROR_OS && error->message)
        return errno_of_message(error->message);
    return EIO;
}

int error_git(struct error *e, int git_code, const char *format, ...)
{
    const git_error *error = git_error_last();
    int errnum = errno_of_git_code(git_code, error);
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
