/* test_process.c - programs that are started for us: what they get of us, and how they end. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>

#include "gitcache/base/clock.h"
#include "gitcache/net/process.h"
#include "tests/unit/sandbox.h"

/* The C library's own: whoever starts a program with its posix_spawn(3), as make does, has one of them ignored there. */
#define LIBRARY_SIGNALS (UINT64_C(3) << (32 - 1))

static const char *const none[] = {NULL};

static void start(struct process *process, const char *script, const char *const variables[])
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct error e = {0};

    if (process_start(process, argv, variables, &e) < 0)
        fail_msg("%s", e.text);
}

/* What comes from there, up to its end; without the last newline. */
static const char *read_all(int fd)
{
    static char text[4000];
    size_t used = 0;
    ssize_t n;

    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
    while ((n = read(fd, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    if (used && text[used - 1] == '\n')
        text[used - 1] = '\0';
    return text;
}

static void it_reads_and_writes(void **state)
{
    struct process process;

    (void)state;
    start(&process, "read x; echo got $x; echo said $x >&2; exit 7", none);
    assert_int_equal(write(process.in, "it\n", 3), 3);
    assert_string_equal(read_all(process.out), "got it");
    assert_string_equal(read_all(process.err), "said it");
    assert_int_equal(process_end(&process, 60000), 7);
    assert_int_equal(process_end(&process, 60000), -1); /* it is no more */
}

/* No signal is blocked or ignored there because it is here, and its group is its own. */
static void it_begins_anew(void **state)
{
    static const char script[] = "sed -En 's/^Sig(Blk|Ign):/0x/p' /proc/$$/status | tr -d '\\t';"
                                 "set -- $(cat /proc/$$/stat); test $5 = $$ && echo leads";
    uint64_t blocked, ignored;
    char leads[6];
    struct process process;
    sigset_t some, old;

    (void)state;
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGUSR1);
    assert_int_equal(sigprocmask(SIG_BLOCK, &some, &old), 0);
    signal(SIGPIPE, SIG_IGN);
    start(&process, script, none);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
    assert_int_equal(
        sscanf(read_all(process.out), "%" SCNx64 " %" SCNx64 " %5s", &blocked, &ignored, leads), 3);
    assert_string_equal(leads, "leads");
    assert_int_equal(blocked & ~LIBRARY_SIGNALS, 0);
    assert_int_equal(ignored & ~LIBRARY_SIGNALS, 0);
    assert_int_equal(process_end(&process, 60000), 0);
}

static void variables_are_set_and_taken_away(void **state)
{
    static const char *const variables[] = {"ONE=1", "TWO", "THREE=", NULL};
    struct process process;

    (void)state;
    setenv("ONE", "old", 1);
    setenv("TWO", "old", 1);
    setenv("THREE", "old", 1);
    setenv("TWO_AND_MORE", "kept", 1);
    start(&process,
          "echo $ONE,${TWO-none},${THREE-none},$TWO_AND_MORE;"
          "tr '\\0' '\\n' </proc/$$/environ | grep -c '^TWO$'; true",
          variables);
    assert_string_equal(read_all(process.out), "1,none,,kept\n0");
    assert_int_equal(process_end(&process, 60000), 0);
}

static void what_cannot_be_started_is_said(void **state)
{
    const char *nowhere[] = {"no-such-program", NULL};
    struct process process;
    struct error e = {0};

    (void)state;
#ifndef __SANITIZE_THREAD__ /* it makes a fork of vfork, which does not say what failed */
    assert_int_equal(process_start(&process, nowhere, none, &e), -ENOENT);
    assert_string_equal(e.text, "no-such-program cannot be started: No such file or directory");
    assert_int_equal(process_end(&process, 60000), -1);
#else
    (void)nowhere, (void)process, (void)e;
#endif
}

/* Its input ends first: most go by themselves then. */
static void one_that_goes_on_is_ended(void **state)
{
    struct process process;

    (void)state;
    start(&process, "cat; exit 3", none);
    assert_int_equal(process_end(&process, 60000), 3);
    start(&process, "exec sleep 1000", none);
    assert_int_equal(process_end(&process, 20), -1);
    /* Also one that wants to stay. */
    start(&process, "trap '' TERM; echo ready; while :; do sleep 1000; done", none);
    char word[6];
    assert_int_equal(fcntl(process.out, F_SETFL, 0), 0);
    assert_int_equal(read(process.out, word, sizeof word), sizeof word);
    assert_int_equal(process_end(&process, 20), -1);
}

/* Whether that process is there, and more than what is left for its parent to see. */
static bool is_running(int pid)
{
    char path[40], text[300] = "", *end;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (read(fd, text, sizeof text - 1) <= 0)
        *text = '\0';
    close(fd);
    end = strrchr(text, ')');
    return end && end[2] != 'Z' && end[2] != 'X';
}

static void what_it_has_started_ends_with_it(void **state)
{
    int64_t until = clock_now() + 60000;
    struct process process;
    char text[20] = "";

    (void)state;
    start(&process, "sleep 1000 >/dev/null & echo $!; wait", none);
    assert_int_equal(fcntl(process.out, F_SETFL, 0), 0);
    assert_true(read(process.out, text, sizeof text - 1) > 0);
    assert_true(is_running(atoi(text)));
    assert_int_equal(process_end(&process, 20), -1);
    while (is_running(atoi(text))) {
        if (clock_now() > until)
            fail_msg("%s still runs", text);
        usleep(10000);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_reads_and_writes),
        TEST(it_begins_anew),
        TEST(variables_are_set_and_taken_away),
        TEST(what_cannot_be_started_is_said),
        TEST(one_that_goes_on_is_ended),
        TEST(what_it_has_started_ends_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
