/* test_fence_reach.c - what a worker can reach behind its fence; and that something came since, which is looked for at most once a
 * second for who asks often. The fence holds for good, so it is closed in a process of its own. */
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "fs/settings.h"
#include "fs/worker/fence.h"
#include "fs/worker/fence_build.h"
#include "tests/unit/apart.h"
#include "tests/unit/clock_of_test.h"
#include "tests/unit/sandbox.h"

static const char *network_file;
static char ticket[40]; /* the usual one: of this user, in the folder for temporary files */
static bool has_made_ticket;

static int each_file(void *data, int (*visit)(void *visit_data, const char *path), void *visit_data)
{
    (void)data;
    return visit(visit_data, network_file);
}

static struct fence *close_fence(const struct sandbox *box, struct settings *settings)
{
    static char *operands[] = {(char *)"ours/a.list", (char *)"lists"};
    static struct worker_start start = {.operands = operands, .operand_count = 2};
    struct fence *fence;
    struct error e = {0};

    start.settings = settings;
    start.folder = box->folder;
    start.each_file = each_file;
    network_file = "ours/file";
    CHECK(chdir(box->folder) == 0 && settings_init(settings) == 0);
    CHECK(fence_close(&fence, &start, "cache", NULL, &e) == 0);
    return fence;
}

/* Somebody outside, who puts another folder in the place of ours when `ask` is closed. */
static pid_t wait_outside(const struct sandbox *box, int *ask)
{
    int ends[2];
    char byte;

    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0 || chdir(box->folder) < 0 || rename("ours", "old") < 0 ||
              mkdir("ours", 0700) < 0);
    }
    close(ends[0]);
    *ask = ends[1];
    return pid;
}

static void look_now_and_then(void *data)
{
    const struct sandbox *box = data;
    char none[200];
    int ask, status;
    pid_t outside = wait_outside(box, &ask);
    struct settings settings;
    struct fence *fence = close_fence(box, &settings);

    network_file = "theirs/file";
    CHECK(fence_is_outdated(fence));
    CHECK(!fence_is_outdated_now_and_then(fence)); /* it was looked at when it was closed */
    test_now += 999;
    CHECK(!fence_is_outdated_now_and_then(fence));
    test_now += 1;
    CHECK(fence_is_outdated_now_and_then(fence));
    CHECK(!fence_is_outdated_now_and_then(fence));
    test_now += 1000;
    CHECK(fence_is_outdated_now_and_then(fence));
    network_file = "ours/new";
    CHECK(!fence_is_outdated(fence));
    snprintf(none, sizeof none, "%s/theirs/none", box->folder);
    network_file = none; /* its folder alone is nothing to end for */
    CHECK(!fence_is_outdated(fence));
    close(ask);
    CHECK(waitpid(outside, &status, 0) == outside && status == 0);
    CHECK(!fence_is_outdated(fence)); /* nor is another in its place */
    fence_free(fence);
    settings_release(&settings);
}

static int open_errno(const char *path, int flags)
{
    return open(path, flags) < 0 ? errno : 0;
}

static void reach(void *data)
{
    const struct sandbox *box = data;
    struct settings settings;

    CHECK(setenv("KRB5CCNAME", "FILE:tickets/own", 1) == 0);
    CHECK(setenv("KRB5_CLIENT_KTNAME", "DIR:tickets/keys", 1) == 0);
    CHECK(setenv("KRB5_CONFIG", "KEYRING:tickets/other", 1) == 0);
    CHECK(setenv("STARTPOINTFS_SETS", "sets", 1) == 0);
    CHECK(setenv("HOME", "/nowhere", 1) == 0 && setenv("TMPDIR", "theirs", 1) == 0);
    close_fence(box, &settings);
    CHECK(open_errno("cache/file", O_RDWR) == 0);
    CHECK(open_errno("ours/a.list", O_RDONLY) == 0);
    CHECK(open_errno("ours/a.list", O_WRONLY) == EACCES);
    CHECK(open_errno("lists/b.list", O_RDONLY) == 0);
    CHECK(open_errno("theirs/file", O_RDONLY) == EACCES);
    CHECK(open_errno("tickets/own", O_RDWR) == 0); /* a ticket for each server is added */
    CHECK(open_errno("tickets/keys/file", O_RDONLY) == 0);
    CHECK(open_errno("tickets/keys/file", O_WRONLY) == EACCES);
    CHECK(open_errno("tickets/other", O_RDONLY) == EACCES);
    CHECK(open_errno("/dev/null", O_WRONLY) == 0);
    CHECK(open_errno("/etc/passwd", O_RDONLY) == 0);
    CHECK(open_errno("/etc/shadow", O_RDONLY) == EACCES);
    CHECK(open_errno("/etc/passwd", O_WRONLY) == EACCES);
    CHECK(open_errno("/proc/self/comm", O_RDONLY) == 0);
    CHECK(open_errno("/proc/self/comm", O_WRONLY) == EACCES);
    CHECK(open_errno(settings.sets, O_RDONLY) == 0);
    CHECK(mkdir("sets/new", 0700) < 0 && errno == EACCES);
    CHECK(setns(-1, 0) < 0 && errno == EPERM); /* and which calls it can make: test_fence_calls */
}

/* Of the system, what names are resolved and certificates are checked with. */
static void reach_the_system(void *data)
{
    static const char *const paths[] = {"/etc/ssl/certs", "/etc/resolv.conf",
                                        "/etc/hosts",     "/etc/nsswitch.conf",
                                        "/etc/services",  "/etc/passwd",
                                        "/etc/localtime", "/etc/ld.so.cache",
                                        "/usr/lib",       "/lib",
                                        "/usr/share",     "/dev/urandom"};
    bool is_there[sizeof paths / sizeof *paths];
    struct settings settings;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        is_there[i] = open_errno(paths[i], O_RDONLY) == 0;
    close_fence(data, &settings);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        CHECK(!is_there[i] || open_errno(paths[i], O_RDONLY) == 0);
}

static void reach_the_usual_ticket(void *data)
{
    struct settings settings;

    unsetenv("KRB5CCNAME");
    close_fence(data, &settings);
    CHECK(open_errno(ticket, O_RDWR) == 0);
}

static void run_behind_a_fence(void **state, void (*act)(void *data))
{
    if (FENCE_BUILD_SANITIZED) /* its reports go where the sandbox is: that can be written */
        skip();
    run(*state, "mkdir -p cache ours lists theirs sets tickets/keys; touch cache/file ours/a.list "
                "lists/b.list ours/file"
                " ours/new theirs/file tickets/own tickets/other tickets/keys/file");
    run_apart(act, *state);
}

static void test_what_is_new_is_looked_for_once_a_second(void **state)
{
    run_behind_a_fence(state, look_now_and_then);
}

static void test_what_a_worker_can_open(void **state)
{
    run_behind_a_fence(state, reach);
}

static void test_what_a_worker_can_open_of_the_system(void **state)
{
    run_behind_a_fence(state, reach_the_system);
}

static void test_a_worker_can_open_the_usual_ticket(void **state)
{
    run_behind_a_fence(state, reach_the_usual_ticket);
}

static int make_ticket(void **state)
{
    snprintf(ticket, sizeof ticket, "/tmp/krb5cc_%u", (unsigned)geteuid());
    int fd = open(ticket, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    has_made_ticket = fd >= 0;
    if (has_made_ticket)
        close(fd);
    return sandbox_open(state);
}

static int remove_ticket(void **state)
{
    if (has_made_ticket)
        unlink(ticket);
    return sandbox_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_new_is_looked_for_once_a_second, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_a_worker_can_open, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_a_worker_can_open_of_the_system, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_worker_can_open_the_usual_ticket, make_ticket,
                                        remove_ticket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
