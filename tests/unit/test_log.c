#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/log.h"
#include "tests/unit/sandbox.h"

/* Owned. */
static char *path_of(void **state, const char *name)
{
    const struct sandbox *box = *state;
    char *path;

    assert_true(asprintf(&path, "%s/%s", box->folder, name) > 0);
    return path;
}

static const char *const names[] = {"error", "warning", "info", "debug"};

/* One line of each level. */
static void say_all(struct log *log)
{
    log_error(log, "of %s", names[0]);
    log_warning(log, "of %s", names[1]);
    log_info(log, "of %s", names[2]);
    log_debug(log, "of %s", names[3]);
}

/* What a log at that level has of it; without the times, which 24 characters are. */
static void check_lines(FILE *file, int level)
{
    char line[200], expected[100];
    int year, month, day, hour, minute, second, thousandth;

    for (int i = 0; i <= level; i++) {
        assert_non_null(fgets(line, sizeof line, file));
        assert_int_equal(sscanf(line, "%4d-%2d-%2d %2d:%2d:%2d.%3d", &year, &month, &day, &hour,
                                &minute, &second, &thousandth),
                         7);
        snprintf(expected, sizeof expected, "%-7s of %s\n", names[i], names[i]);
        assert_string_equal(line + 24, expected);
    }
    assert_null(fgets(line, sizeof line, file));
}

static void what_is_less_important_is_not_written(void **state)
{
    char *path = path_of(state, "lines");
    struct stat st;

    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        struct log *log;
        assert_int_equal(log_open(&log, (enum log_level)level, path, 0), 0);
        say_all(log);
        log_close(log);
        FILE *file = fopen(path, "r");
        check_lines(file, level);
        fclose(file);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        unlink(path);
    }
    free(path);
}

static void a_log_goes_on_where_the_last_one_ended(void **state)
{
    char *path = path_of(state, "lines");
    struct log *log;
    FILE *file;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(log_open(&log, LOG_LEVEL_ERROR, path, 0), 0);
        if (i == 0)
            say_all(log);
        log_close(log);
    }
    file = fopen(path, "r");
    check_lines(file, LOG_LEVEL_ERROR);
    fclose(file);
    free(path);
}

/* sd-daemon(3): a priority in front, and no time, which the journal knows itself. */
static void the_journal_gets_priorities(void **state)
{
    char *path = path_of(state, "journal"), text[200] = "";
    int kept = dup(STDERR_FILENO), fd = open(path, O_RDWR | O_CREAT, 0600);
    struct log *log;

    setenv("JOURNAL_STREAM", "1:2", 1);
    dup2(fd, STDERR_FILENO);
    assert_int_equal(log_open(&log, LOG_LEVEL_DEBUG, NULL, 1), 0);
    unsetenv("JOURNAL_STREAM");
    say_all(log);
    log_close(log);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "<3>of error\n<4>of warning\n<6>of info\n<7>of debug\n");
    close(fd);
    free(path);
}

/* Elsewhere in the foreground, lines as in a file; stderr is not ours to close. */
static void in_the_foreground_stderr(void **state)
{
    char *path = path_of(state, "stderr");
    int kept = dup(STDERR_FILENO), fd = open(path, O_RDWR | O_CREAT, 0600);
    struct log *log;

    unsetenv("JOURNAL_STREAM");
    dup2(fd, STDERR_FILENO);
    assert_int_equal(log_open(&log, LOG_LEVEL_INFO, NULL, 1), 0);
    say_all(log);
    log_close(log);
    bool is_open = fcntl(STDERR_FILENO, F_GETFD) >= 0;
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(fd);
    assert_true(is_open);
    FILE *file = fopen(path, "r");
    check_lines(file, LOG_LEVEL_INFO);
    fclose(file);
    free(path);
}

/* Whoever waits for the end of our output need not wait any longer. */
static void a_terminal_is_left(void **state)
{
    int ends[2], status;
    char byte;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct stat null, st;
        close(ends[0]);
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
            dup2(ends[1], fd);
        close(ends[1]);
        log_leave_terminal();
        stat("/dev/null", &null);
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
            if (fstat(fd, &st) < 0 || st.st_rdev != null.st_rdev ||
                (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR || fcntl(fd, F_GETFD) & FD_CLOEXEC)
                _exit(1 + fd);
        if (fcntl(ends[0], F_GETFD) >= 0) /* its number was the next free one */
            _exit(9);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_line_is_cut_and_stays_a_line(void **state)
{
    char *path = path_of(state, "lines"), *text = calloc(1, 5001), line[5001];
    struct log *log;
    FILE *file;

    memset(text, 'x', 5000);
    assert_int_equal(log_open(&log, LOG_LEVEL_ERROR, path, 0), 0);
    log_error(log, "%s", text);
    log_error(log, "of error");
    log_close(log);
    file = fopen(path, "r");
    assert_non_null(fgets(line, sizeof line, file));
    assert_in_range(strlen(line), 1000, 2048);
    assert_string_equal(line + strlen(line) - 2, "x\n");
    check_lines(file, LOG_LEVEL_ERROR);
    fclose(file);
    free(text);
    free(path);
}

static void no_log_and_a_log_that_cannot_be_opened(void **state)
{
    char *path = path_of(state, "no folder/log");
    struct log *log;

    say_all(NULL);
    log_close(NULL);
    assert_int_equal(log_open(&log, LOG_LEVEL_ERROR, path, 0), -ENOENT);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_less_important_is_not_written, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(a_log_goes_on_where_the_last_one_ended, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(the_journal_gets_priorities, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(in_the_foreground_stderr, sandbox_open, sandbox_close),
        cmocka_unit_test(a_terminal_is_left),
        cmocka_unit_test_setup_teardown(a_line_is_cut_and_stays_a_line, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(no_log_and_a_log_that_cannot_be_opened, sandbox_open,
                                        sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
