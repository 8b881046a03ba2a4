#include "gitcache/base/library.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "gitcache/base/library_memory.h"

int library_start(struct error *e)
{
    int r = library_memory_setup();

    if (r < 0)
        return error_no_memory(e);
    r = git_libgit2_init();
    /* The process keeps it from the first time on: libgit2 parses every certificate of the system when it is set up, for
     * some 15 ms, though nothing here uses its network. */
    if (r == 1)
        r = git_libgit2_init();
    return r < 0 ? library_error(e, r, "cannot start libgit2") : 0;
}

int library_open(struct error *e)
{
    int r = library_start(e);

    if (r < 0)
        return r;
    /*
     * Owner validation protects from a repository whose configuration names commands to run
     * (hooks, filters, pagers, fsmonitor). libgit2 runs none of them, and of a repository's
     * configuration we use nothing but its format. So a cache that was filled by root may be read as any
     * other folder with the right permissions. Nothing but the cache is read with libgit2.
     */
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    /* Objects of the cache are hashed where they are read, and faster (checked_packs.c and
     * checked_loose.c; every odb is made of these). */
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
    /* A tree is read once, when its folder is opened: to keep it only takes memory. */
    git_libgit2_opts(GIT_OPT_SET_CACHE_OBJECT_LIMIT, GIT_OBJECT_TREE, (size_t)0);
    /* A ref that is there is complete, also after a power failure. */
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    return 0;
}

void library_close(void)
{
    git_libgit2_shutdown();
}

void library_oid_to_git(git_oid *out, const struct oid *oid)
{
    git_oid_fromraw(out, oid->id);
}

void library_oid_from_git(struct oid *out, const git_oid *oid)
{
    memcpy(out->id, oid->id, OID_SIZE);
}

/* libgit2 resets errno when it makes its message, but puts the system's words at the end of it. */
static int errno_of_message(const char *message)
{
    static const int errnums[] = {ENOSPC, EDQUOT, EROFS, EACCES, EMFILE, ENFILE, ENOMEM};

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

int library_error(struct error *e, int git_code, const char *format, ...)
{
    const git_error *error = git_error_last();
    int errnum = errno_of_git_code(git_code, error);
    char text[sizeof e->text];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!error || !error->message)
        return error_set(e, errnum, "%s", text);
    return error_set(e, errnum, "%s: %s", text, error->message);
}

int library_read_error(struct error *e, int git_code, const char *what)
{
    const git_error *error = git_error_last();
    bool system = error && (error->klass == GIT_ERROR_OS || error->klass == GIT_ERROR_NOMEMORY);

    return library_error(e, git_code, "%s %s", what, system ? "cannot be read" : "is damaged");
}
