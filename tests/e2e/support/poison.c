/* Preloaded into a worker: makes what a test chooses kill it, as damaged data would that a library
 * can't take. The file that POISON names holds words: "blob:HEX", an object whose reading kills;
 * "outside:HEX", another, at which the worker is killed as if by somebody else;
 * "pack:TEXT", a pack kills whose folder's path has that text; "start:VERB", a program of ours that is
 * started with that verb. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Opened at the start: a worker cannot open it later. */
static int poison = -1;

static int is_poison(const char *kind, const char *text)
{
    char words[4096], word[4096];
    ssize_t size = poison < 0 ? -1 : pread(poison, words, sizeof words - 1, 0);

    if (size <= 0)
        return 0;
    words[size] = '\0';
    for (char *rest = words, *one; (one = strtok_r(rest, " \n", &rest));) {
        snprintf(word, sizeof word, "%s:", kind);
        if (strncmp(one, word, strlen(word)) == 0 && strstr(text, one + strlen(word)))
            return 1;
    }
    return 0;
}

/* Blobs are read without libgit2; but whatever is read is hashed, and its hash is its id. */
int SHA1_Final(unsigned char *sum, void *state);
int SHA1_Final(unsigned char *sum, void *state)
{
    int (*next)(unsigned char *, void *) = dlsym(RTLD_NEXT, "SHA1_Final");
    int r = next(sum, state);
    char hex[41];

    for (int i = 0; i < 20; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    if (is_poison("blob", hex))
        raise(SIGSEGV);
    if (is_poison("outside", hex))
        raise(SIGKILL);
    return r;
}

/* git_odb_read(git_odb_object **out, git_odb *db, const git_oid *id) */
int git_odb_read(void **out, void *db, const unsigned char *id);
int git_odb_read(void **out, void *db, const unsigned char *id)
{
    int (*next)(void **, void *, const unsigned char *) = dlsym(RTLD_NEXT, "git_odb_read");
    char hex[41];

    for (int i = 0; i < 20; i++)
        snprintf(hex + 2 * i, 3, "%02x", id[i]);
    if (is_poison("blob", hex))
        raise(SIGSEGV);
    return next(out, db, id);
}

static char latest[4096];

int git_indexer_new(void **out, const char *path, unsigned mode, void *odb, void *options);
int git_indexer_new(void **out, const char *path, unsigned mode, void *odb, void *options)
{
    int (*next)(void **, const char *, unsigned, void *, void *) =
        dlsym(RTLD_NEXT, "git_indexer_new");

    snprintf(latest, sizeof latest, "%s", path);
    return next(out, path, mode, odb, options);
}

int git_indexer_append(void *indexer, const void *bytes, size_t size, void *progress);
int git_indexer_append(void *indexer, const void *bytes, size_t size, void *progress)
{
    int (*next)(void *, const void *, size_t, void *) = dlsym(RTLD_NEXT, "git_indexer_append");

    if (is_poison("pack", latest))
        raise(SIGSEGV);
    return next(indexer, bytes, size, progress);
}

__attribute__((constructor)) static void on_start(void)
{
    char line[4096];
    const char *path = getenv("POISON");
    poison = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, line, sizeof line - 1);

    if (fd >= 0)
        close(fd);
    line[size > 0 ? size : 0] = '\0';
    char *verb = size > 0 ? line + strlen(line) + 1 : line;
    if (strcmp(line, "startpointfs") == 0 && *verb && is_poison("start", verb))
        raise(SIGSEGV);
}
