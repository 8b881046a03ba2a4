#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/tree/unasked.h"

static void names_are_whole_as_the_kernel_cuts_them(void **state)
{
    static const char names[] = "updatedb:updatedb.plocate::tracker-miner-fs-3";

    (void)state;
    assert_int_equal(unasked_find(names, "updatedb"), 0);
    assert_int_equal(unasked_find(names, "updatedb.plocat"), 1);
    assert_int_equal(unasked_find(names, "tracker-miner-f"), 3);
    assert_int_equal(unasked_find(names, "tracker-miner-fs-3"), -1); /* no comm is so long */
    assert_int_equal(unasked_find(names, "updated"), -1);
    assert_int_equal(unasked_find(names, "updatedb2"), -1);
    assert_int_equal(unasked_find(names, ""), -1);
    assert_int_equal(unasked_find("", "updatedb"), -1);
}

/* What a thread of that name is told that reads, with these names in no_fetch_for=. */
static int refused(const char *names, pid_t thread)
{
    struct settings settings = {.no_fetch_for = (char *)names};
    struct mount mount = {.settings = &settings};
    struct ask ask = {.thread = thread};
    int r = unasked_refuse(&mount, &ask);

    assert_int_equal(unasked_refuse(&mount, &ask), r); /* judged once a request */
    return r;
}

static void *a_thread_asks(void *names)
{
    prctl(PR_SET_NAME, "pool-spawner");
    return (void *)(intptr_t)refused(names, gettid());
}

static int refused_in_a_thread(const char *names)
{
    pthread_t thread;
    void *r;

    assert_int_equal(pthread_create(&thread, NULL, a_thread_asks, (void *)names), 0);
    assert_int_equal(pthread_join(thread, &r), 0);
    return (int)(intptr_t)r;
}

static void a_thread_counts_by_its_name_and_its_process_s(void **state)
{
    (void)state;
    prctl(PR_SET_NAME, "tracker-miner-f");
    assert_int_equal(refused("updatedb:tracker-miner-fs-3", gettid()), -EACCES);
    assert_int_equal(refused_in_a_thread("updatedb:tracker-miner-fs-3"), -EACCES);
    assert_int_equal(refused_in_a_thread("updatedb:pool-spawner"), -EACCES);
    assert_int_equal(refused("updatedb:pool-spawner", gettid()), 0);
    assert_int_equal(refused_in_a_thread("updatedb"), 0);
    assert_int_equal(refused_in_a_thread(""), 0);
    /* One of another pid namespace. */
    assert_int_equal(refused("updatedb:tracker-miner-fs-3", 0), 0);
}

/* Each name once, however many of its processes read. */
static void who_is_refused_is_said_once(void **state)
{
    char path[] = "/tmp/startpointfs-unasked.XXXXXX", text[1000] = {0};
    struct settings settings = {.no_fetch_for = (char *)"first:second:third"};
    struct mount mount = {.settings = &settings};

    (void)state;
    int fd = mkstemp(path);
    assert_int_equal(log_open(&mount.log, LOG_LEVEL_INFO, path, true), 0);
    static const char *const names[] = {"second", "second", "first", "second"};
    for (size_t i = 0; i < 4; i++) {
        struct ask ask = {.thread = gettid()};
        prctl(PR_SET_NAME, names[i]);
        assert_int_equal(unasked_refuse(&mount, &ask), -EACCES);
    }
    log_close(mount.log);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    const char *second = strstr(text, " second (process "),
               *first = strstr(text, " first (process ");
    assert_true(second && first && second < first);
    assert_null(strstr(second + 1, " second (process "));
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_whole_as_the_kernel_cuts_them),
        cmocka_unit_test(a_thread_counts_by_its_name_and_its_process_s),
        cmocka_unit_test(who_is_refused_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
