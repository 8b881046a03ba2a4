/* apart.h - a part of a test that runs in a process of its own, since what it does there cannot be taken back. Included by the
 * tests that need one. */
#ifndef TESTS_APART_H
#define TESTS_APART_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void check(bool is_right, int line)
{
    if (!is_right)
        _exit(line % 256 ? line % 256 : 1);
}

/* In that process; the test says the line. */
#define CHECK(condition) check(condition, __LINE__)

static void run_apart(void (*act)(void *data), void *data)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        act(data);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0)
        fail_msg("line %d", WEXITSTATUS(status));
}

#endif
