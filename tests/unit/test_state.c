/* test_state.c - what the supervisor and its workers share: counters, and a layout that both must know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/shared/state.h"
#include "gitcache/base/clock.h"
#include "tests/unit/left_behind.h"
#include "tests/unit/no_room.h"

static int set_up(void **state)
{
    static int fd;

    fd = state_create(NULL);
    assert_true(fd >= 0);
    *state = &fd;
    return 0;
}

static int tear_down(void **state)
{
    return close(*(int *)*state);
}

static void a_mount_begins_now_with_nothing_counted(void **state)
{
    int64_t before = clock_wall();
    int fd = state_create(NULL);
    struct state *mapped;

    (void)state;
    assert_int_equal(state_map(&mapped, fd, NULL), 0);
    assert_in_range(mapped->mounted_at, before, clock_wall());
    assert_int_equal(mapped->fetches, 0);
    assert_false(state_has_epochs(mapped));
    state_unmap(mapped);
    close(fd);
}

static void another_layout_is_refused(void **state)
{
    static const uint32_t layouts[] = {STATE_LAYOUT - 1, STATE_LAYOUT + 1};
    int fd = *(int *)*state;
    struct error error = {0};
    struct state *mapped;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pwrite(fd, &layouts[i], sizeof *layouts, 0), sizeof *layouts);
        assert_int_equal(state_map(&mapped, fd, &error), -EPROTO);
        assert_non_null(strstr(error.text, "layout"));
    }
}

static void another_size_is_refused(void **state)
{
    static const off_t sizes[] = {0, sizeof(struct state) - 1, sizeof(struct state) + 1};
    int fd = *(int *)*state;
    struct error error = {0};
    struct state *mapped;

    for (size_t i = sizeof sizes / sizeof *sizes; i-- > 0;) {
        assert_int_equal(ftruncate(fd, sizes[i]), 0);
        assert_int_equal(state_map(&mapped, fd, &error), -EPROTO);
    }
}

static void what_is_refused_or_unmapped_is_not_mapped(void **state)
{
    uint32_t other = STATE_LAYOUT + 1;
    int fd = *(int *)*state;
    struct state *shared;

    assert_int_equal(state_map(&shared, fd, NULL), 0);
    assert_int_equal(mapped("startpointfs-state"), 1);
    state_unmap(shared);
    assert_int_equal(pwrite(fd, &other, sizeof other, 0), sizeof other);
    assert_int_equal(state_map(&shared, fd, NULL), -EPROTO);
    assert_int_equal(mapped("startpointfs-state"), 0);
}

/* The classes are those that metrics name (startpointfs(1)). */
static void fetches_are_counted_by_how_long_they_take(void **state)
{
    static const struct {
        int64_t milliseconds;
        unsigned class;
    } cases[] = {{0, 0},    {50, 0},   {51, 1},   {100, 1},   {101, 2},   {250, 2},  {500, 3},
                 {1000, 4}, {2500, 5}, {2501, 6}, {10000, 6}, {60000, 7}, {60001, 8}};
    struct state *mapped;
    uint64_t sum = 0;

    assert_int_equal(state_map(&mapped, *(int *)*state, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = mapped->fetch_times[cases[i].class];
        state_count_fetch(mapped, cases[i].milliseconds);
        assert_int_equal(mapped->fetch_times[cases[i].class], before + 1);
        assert_int_equal(mapped->fetch_milliseconds, sum += (uint64_t)cases[i].milliseconds);
    }
    assert_int_equal(state_fetch_limit(FETCH_TIMES - 1), -1);
    state_unmap(mapped);
}

/* Under which status.json and metrics count them. */
static void operations_keep_their_names(void **state)
{
    static const char *const names[OPERATION_COUNT] = {
        "init",        "lookup", "getattr", "readlink", "read",   "readdir",
        "readdirplus", "open",   "opendir", "statfs",   "forget", "other"};

    (void)state;
    for (unsigned i = 0; i < OPERATION_COUNT; i++)
        assert_string_equal(state_operation_name(i), names[i]);
}

static bool is_asleep(pid_t pid)
{
    char path[40], text[100] = {0};

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    bool asleep = file && fgets(text, sizeof text, file) && strstr(text, ") S ");
    if (file)
        fclose(file);
    return asleep;
}

static int signalled[2]; /* a pipe: a byte for each signal */

static void on_signal(int number)
{
    (void)number;
    if (write(signalled[1], "", 1) < 0)
        _exit(2);
}

/* Another process works on it: `fd` is locked until its lock's descriptor is closed. A signal does not end the waiting. */
static void one_worker_works_at_a_time(void **state)
{
    const struct sigaction action = {.sa_handler = on_signal};
    int fd = *(int *)*state, status;
    char byte;

    assert_int_equal(pipe(signalled), 0);
    assert_int_equal(state_work_alone(fd, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        sigaction(SIGUSR1, &action, NULL);
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        bool is_free = fcntl(fd, F_SETLK, &lock) == 0;
        _exit(!is_free && state_work_alone(fd, NULL) == 0 ? 0 : 1);
    }
    while (!is_asleep(child)) /* it waits */
        assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    assert_int_equal(kill(child, SIGUSR1), 0);
    assert_int_equal(read(signalled[0], &byte, 1), 1);
    while (!is_asleep(child)) /* again */
        assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_SETLK, &none), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(signalled[0]);
    close(signalled[1]);
}

static void what_is_no_memory_cannot_be_waited_for(void **state)
{
    struct error error = {0};

    (void)state;
    assert_int_equal(state_work_alone(-1, &error), -EBADF);
    assert_non_null(strstr(error.text, "cannot wait for the worker before"));
    assert_int_equal(state_map(&(struct state *){NULL}, -1, &error), -EBADF);
}

static void a_state_needs_room(void **state)
{
    (void)state;
    assert_needs_room(state_create);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_mount_begins_now_with_nothing_counted),
        TEST(another_layout_is_refused),
        TEST(another_size_is_refused),
        TEST(what_is_refused_or_unmapped_is_not_mapped),
        TEST(fetches_are_counted_by_how_long_they_take),
        TEST(operations_keep_their_names),
        TEST(one_worker_works_at_a_time),
        cmocka_unit_test(a_state_needs_room),
        cmocka_unit_test(what_is_no_memory_cannot_be_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
