/* What can be opened once a list of files holds: each try is a process of its own, as it holds for good. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "fs/worker/fence_files.h"
#include "tests/unit/apart.h"
#include "tests/unit/sandbox.h"

static bool is_failing;

char *__real_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved);

static long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static long old_landlock; /* what a kernel says; 0: as it is */

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
    long arguments[6];
    va_list all;

    if (old_landlock && number == SYS_landlock_create_ruleset) {
        errno = EOPNOTSUPP; /* switched off when it was booted */
        return old_landlock;
    }
    va_start(all, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(all, long);
    va_end(all);
    return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                          arguments[4], arguments[5]);
}

/* Two homes are links to a folder on another disk. */
char *__wrap_realpath(const char *path, char *resolved)
{
    bool is_link = strcmp(path, "/home/somebody") == 0 || strcmp(path, "/homes/somebody") == 0;

    errno = ENOMEM;
    return is_failing ? NULL : __real_realpath(is_link ? "two" : path, resolved);
}

/* The errno of opening `path` behind a fence in which "ours" can be written, and "theirs" and "list" be read; 0: it
 * can be opened. */
static int open_fenced(const struct sandbox *box, const char *path, int flags)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        struct fence_files *files = fence_files_new();
        if (chdir(box->folder) < 0 || !files ||
            !fence_files_add(files, "ours", FENCE_FILES_WRITE) ||
            !fence_files_add(files, "theirs", FENCE_FILES_READ) ||
            !fence_files_add(files, "list", FENCE_FILES_READ) || fence_files_close(files) < 0)
            _exit(255);
        _exit(open(path, flags, 0600) < 0 ? errno : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_what_is_read_cannot_be_written(void **state)
{
    static const struct {
        const char *path;
        int flags, errnum;
    } cases[] = {
        {"ours/file", O_RDWR, 0},
        {"ours/new", O_WRONLY | O_CREAT, 0},
        {"ours/file", O_WRONLY | O_TRUNC, 0},
        {"theirs/file", O_RDONLY, 0},
        {"theirs/folder", O_RDONLY | O_DIRECTORY, 0},
        {"theirs/folder/file", O_RDONLY, 0},
        {"theirs/file", O_WRONLY, EACCES},
        {"theirs/file", O_RDWR, EACCES},
        {"theirs/file", O_RDONLY | O_TRUNC, EACCES},
        {"theirs/new", O_WRONLY | O_CREAT, EACCES},
        {"list", O_RDONLY, 0},
        {"list", O_WRONLY, EACCES},
        {"list", O_WRONLY | O_APPEND, EACCES},
        {"other", O_RDONLY, EACCES},
    };

    run(*state, "mkdir -p ours theirs/folder; for f in ours/file theirs/file theirs/folder/file "
                "list other; do echo x >$f; done");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int errnum = open_fenced(*state, cases[i].path, cases[i].flags);
        if (errnum != cases[i].errnum)
            fail_msg("%s, flags %o: errno %d, not %d", cases[i].path, (unsigned)cases[i].flags,
                     errnum, cases[i].errnum);
    }
}

/* What else is done in a folder that can be written, and in one that can be read. */
static void do_more(void *data)
{
    const struct sandbox *box = data;
    struct fence_files *files = fence_files_new();

    CHECK(chdir(box->folder) == 0 && files && fence_files_add(files, "ours", FENCE_FILES_WRITE));
    CHECK(fence_files_add(files, "theirs", FENCE_FILES_READ));
    CHECK(fence_files_add(files, "/usr", FENCE_FILES_READ)); /* what programs are loaded with */
    CHECK(fence_files_add(files, "/lib64", FENCE_FILES_READ));
    CHECK(fence_files_add(files, "/lib", FENCE_FILES_READ) && fence_files_close(files) == 0);
    CHECK(mkdir("ours/new", 0700) == 0 && rename("ours/file", "ours/new/file") == 0);
    CHECK(symlink("x", "ours/link") == 0 && unlink("ours/link") == 0);
    CHECK(mkfifo("ours/pipe", 0600) == 0);
    CHECK(mknod("ours/null", S_IFCHR | 0600, makedev(1, 3)) < 0 && errno == EACCES);
    CHECK(execl("ours/program", "program", NULL) < 0 && errno == EACCES);
    CHECK(execl("theirs/program", "program", NULL) < 0 && errno == EACCES);
    CHECK(rename("theirs/file", "ours/theirs") < 0);
    CHECK(mkdir("theirs/new", 0700) < 0 && errno == EACCES);
    CHECK(unlink("theirs/file") < 0 && errno == EACCES);
}

static void test_what_else_is_done_there(void **state)
{
    run(*state, "mkdir ours theirs; touch ours/file theirs/file; cp /bin/false ours/program;"
                "cp /bin/false theirs/program");
    run_apart(do_more, *state);
}

/* A socket that has a name and no file. */
static void connect_to_abstract(void *data)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct fence_files *files = fence_files_new();
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void)data;
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "startpointfs-%d", (int)getppid());
    CHECK(files && fence_files_close(files) == 0);
    CHECK(connect(other, (struct sockaddr *)&address, sizeof address) < 0 && errno == EPERM);
    CHECK(kill(getppid(), 0) < 0 && errno == EPERM);
}

static void test_no_word_to_others(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)state;
    if (landlock_version() < 6)
        skip();
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "startpointfs-%d", (int)getpid());
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof address), 0);
    run_apart(connect_to_abstract, NULL);
    close(other);
}

/* Whether a path would be lacking that came after "list" was fenced in. */
static bool is_lacking(const struct sandbox *box, const char *path, bool fails)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        struct fence_files *files = fence_files_new(), *now = fence_files_new();
        if (chdir(box->folder) < 0 || !files || !now ||
            !fence_files_add(files, "list", FENCE_FILES_READ) ||
            !fence_files_add(now, path, FENCE_FILES_READ) || fence_files_close(files) < 0)
            _exit(255);
        is_failing = fails;
        _exit(fence_files_lack(files, now) != NULL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status);
}

/* A worker ends for the next one's sake where something is lacking: not because it could not look for a moment. */
static void test_what_cannot_be_looked_at_is_not_lacking(void **state)
{
    run(*state, "for f in list other; do echo x >$f; done");
    assert_false(is_lacking(*state, "list", false));
    assert_true(is_lacking(*state, "other", false));
    assert_false(is_lacking(*state, "nothing", false));
    assert_false(is_lacking(*state, "list", true));
    assert_false(is_lacking(*state, "other", true));
}

/* The errno of opening `path` behind a fence in which what may come in place of `changing` can be read; 0: it can be
 * opened. */
static int open_beside(const struct sandbox *box, const char *changing, const char *home,
                       const char *path)
{
    char from[200], folder[200];
    pid_t child = fork();
    int status;

    snprintf(from, sizeof from, "%s%s%s", *changing == '/' ? "" : box->folder,
             *changing == '/' ? "" : "/", changing);
    snprintf(folder, sizeof folder, "%s/%s", box->folder, home ? home : "");
    if (child == 0) {
        struct fence_files *files = fence_files_new();
        if (chdir(box->folder) < 0 || !files ||
            (home ? setenv("HOME", folder, 1) : unsetenv("HOME")) < 0 ||
            !fence_files_add_changing(files, from) || fence_files_close(files) < 0)
            _exit(255);
        _exit(open(path, O_RDONLY) < 0 ? errno : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_what_may_be_replaced_is_read_with_its_folder(void **state)
{
    static const struct {
        const char *changing, *home, *path;
        int errnum;
    } cases[] = {
        {"one/file", "home", "one/file", 0},
        {"one/file", "home", "one/new", 0},
        {"one/none", "home", "one/new", 0},
        {"one/file", "home", "two/new", EACCES},
        {"one/file", NULL, "one/new", 0},
        {"one/link", "home", "one/new", 0},
        {"one/link", "home", "two/new", 0},
        {"one/file", "one", "one/file", 0},
        {"one/file", "one", "one/new", EACCES},
        {"one/link", "two", "two/file", 0},
        {"one/link", "two", "two/new", EACCES},
        {"one/file", "one/two", "one/new", 0},
        {"../list", "home", "one/new", EACCES},
        {"/homes/somebody/list", "home", "two/new", 0},
        {"/home/somebody/list", "home", "two/new", EACCES},
    };

    run(*state, "mkdir one two home; touch one/file one/new two/file two/new; ln -s ../two/file "
                "one/link");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int errnum = open_beside(*state, cases[i].changing, cases[i].home, cases[i].path);
        if (errnum != cases[i].errnum)
            fail_msg("%s beside %s, home %s: errno %d, not %d", cases[i].path, cases[i].changing,
                     cases[i].home ? cases[i].home : "(none)", errnum, cases[i].errnum);
    }
}

/* Who asks decides whether to go on without. */
static void test_a_kernel_that_cannot_says_so(void **state)
{
    struct fence_files *files = fence_files_new();

    (void)state;
    assert_non_null(files);
    old_landlock = -1;
    assert_int_equal(fence_files_close(files), -EOPNOTSUPP);
    errno = 0;
    old_landlock = 1; /* nothing can be renamed into another folder */
    assert_int_equal(fence_files_close(files), -EOPNOTSUPP);
    old_landlock = 0;
    fence_files_free(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_read_cannot_be_written, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_may_be_replaced_is_read_with_its_folder,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_else_is_done_there, sandbox_open, sandbox_close),
        cmocka_unit_test(test_no_word_to_others),
        cmocka_unit_test(test_a_kernel_that_cannot_says_so),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_looked_at_is_not_lacking, sandbox_open,
                                        sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
