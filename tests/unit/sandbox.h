/* sandbox.h - a folder for one test, in which real git makes real repositories. Included by the
 * tests that need one. */
#ifndef TESTS_SANDBOX_H
#define TESTS_SANDBOX_H

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/held_locks.h"

struct sandbox {
    char folder[64];
    size_t descriptors; /* that were open before */
};

static size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* Runs a shell script in the sandbox; the test fails if a command of it does. */
__attribute__((format(printf, 2, 3), unused)) static void run(const struct sandbox *box,
                                                              const char *format, ...)
{
    char script[8192], command[9000];
    va_list args;

    va_start(args, format);
    vsnprintf(script, sizeof script, format, args);
    va_end(args);
    snprintf(command, sizeof command, "set -e; cd %s; exec >>log 2>&1; %s", box->folder, script);
    if (system(command) != 0) {
        snprintf(command, sizeof command, "cat %s/log >&2", box->folder);
        if (system(command) == 0)
            fail_msg("failed: %s", script);
    }
}

/* What run_once() has made, each in a folder of its own, until the program ends. */
static struct {
    pid_t owner;
    char folder[64];
    char *scripts[16];
    int count;
} made_once;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *position)
{
    (void)st;
    (void)kind;
    (void)position;
    return remove(path);
}

static void remove_kept(void)
{
    if (getpid() == made_once.owner)
        nftw(made_once.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* As run(), of a script that needs nothing but an empty folder, wherever it is: it is run the first
 * time, in a folder elsewhere, and what it has made there is copied to the sandbox each time. */
__attribute__((format(printf, 2, 3), unused)) static void run_once(const struct sandbox *box,
                                                                   const char *format, ...)
{
    char script[8192];
    va_list args;
    int i = 0;

    va_start(args, format);
    vsnprintf(script, sizeof script, format, args);
    va_end(args);
    if (!made_once.owner) {
        strcpy(made_once.folder, "/tmp/startpointfs-unit.XXXXXX");
        assert_non_null(mkdtemp(made_once.folder));
        made_once.owner = getpid();
        atexit(remove_kept);
    }
    while (i < made_once.count && strcmp(made_once.scripts[i], script) != 0)
        i++;
    if (i == made_once.count) {
        assert_in_range(i, 0, sizeof made_once.scripts / sizeof *made_once.scripts - 1);
        run(box, "mkdir %s/%d; cd %s/%d; %s", made_once.folder, i, made_once.folder, i, script);
        assert_non_null(made_once.scripts[i] = strdup(script));
        made_once.count++;
    }
    run(box, "exec cp -a %s/%d/. .", made_once.folder, i);
}

/* What a command prints, without the last newline; valid until the next call. */
__attribute__((format(printf, 2, 3), unused)) static const char *output(const struct sandbox *box,
                                                                        const char *format, ...)
{
    static char text[65536];
    char script[4096], command[5000];
    size_t length;
    va_list args;
    FILE *pipe;

    va_start(args, format);
    vsnprintf(script, sizeof script, format, args);
    va_end(args);
    snprintf(command, sizeof command, "cd %s; %s", box->folder, script);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    length = fread(text, 1, sizeof text - 1, pipe);
    if (pclose(pipe) != 0)
        fail_msg("failed: %s", script);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    return text;
}

/* As the user of git that the tests are. A commit starts no `git maintenance` of its own. */
static bool configure_git(const struct sandbox *box)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/.gitconfig", box->folder);
    if (!(file = fopen(path, "w")))
        return false;
    fputs("[user]\n\tname = test\n\temail = t@example.com\n"
          "[init]\n\tdefaultBranch = main\n"
          "[advice]\n\tdetachedHead = false\n\tnestedTag = false\n"
          "[protocol \"file\"]\n\tallow = always\n"
          "[maintenance]\n\tauto = false\n"
          "[core]\n\tfsync = none\n",
          file);
    return fclose(file) == 0;
}

static int sandbox_open_in(void **state, const char *where)
{
    struct sandbox *box = calloc(1, sizeof *box);

    if (!box)
        return -1;
    snprintf(box->folder, sizeof box->folder, "%s/startpointfs-unit.XXXXXX", where);
    if (!mkdtemp(box->folder))
        return -1;
    setenv("HOME", box->folder, 1);
    setenv("XDG_CONFIG_HOME", box->folder, 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    unsetenv("GIT_CONFIG_GLOBAL");
    setenv("GIT_AUTHOR_DATE", "1600000000 +0000", 1);
    setenv("GIT_COMMITTER_DATE", "1600000000 +0000", 1);
    setenv("GIT_TEMPLATE_DIR", "", 1); /* no hooks are copied */
    if (!configure_git(box))
        return -1;
    *state = box;
    box->descriptors = open_descriptors();
    return 0;
}

__attribute__((unused)) static int sandbox_open(void **state)
{
    return sandbox_open_in(state, "/tmp");
}

/* In memory: for tests of thousands of calls. */
__attribute__((unused)) static int sandbox_open_in_memory(void **state)
{
    return sandbox_open_in(state, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

/* A descriptor that was opened and is open still is one that a mount would lose each time. */
static int sandbox_close(void **state)
{
    struct sandbox *box = *state;
    size_t left = open_descriptors() - box->descriptors;

    if (nftw(box->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0)
        run(box, "cd /; chmod -R u+w %s; rm -rf %s", box->folder, box->folder);
    free(box);
    assert_int_equal(left, 0);
    return 0;
}

#endif
