/* How long a thread is waited for, and what one of lower priority is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/thread.h"

static void *end_at_a_word(void *pipe)
{
    char word;

    return read(*(int *)pipe, &word, 1) == 1 ? pipe : NULL;
}

static void test_who_does_not_end_is_not_waited_for(void **state)
{
    int pipes[2];
    pthread_t thread;
    int64_t begun = clock_now();

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(pthread_create(&thread, NULL, end_at_a_word, pipes), 0);
    assert_int_equal(thread_join(thread, 50), ETIMEDOUT);
    assert_true(clock_now() - begun >= 50);
    assert_int_equal(write(pipes[1], "x", 1), 1);
    assert_int_equal(thread_join(thread, 60000), 0);
    close(pipes[0]);
    close(pipes[1]);
}

static void *lower(void *unused)
{
    (void)unused;
    thread_lower_priority();
    return (void *)(intptr_t)getpriority(PRIO_PROCESS, 0);
}

static void test_one_thread_has_a_lower_priority_than_before(void **state)
{
    int mine = getpriority(PRIO_PROCESS, 0), most = mine + 10 < 19 ? mine + 10 : 19;
    pthread_t thread;
    void *its;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, lower, NULL), 0);
    assert_int_equal(pthread_join(thread, &its), 0);
    assert_int_equal((intptr_t)its, most);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), mine);
}

static void test_a_condition_is_waited_for_until_its_time(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never;
    int64_t until = clock_now() + 50;

    (void)state;
    thread_condition_init(&never);
    pthread_mutex_lock(&lock);
    while (thread_wait_until(&never, &lock, until) == 0)
        continue;
    assert_true(clock_now() >= until && clock_now() < until + 30000);
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&never);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_does_not_end_is_not_waited_for),
        cmocka_unit_test(test_one_thread_has_a_lower_priority_than_before),
        cmocka_unit_test(test_a_condition_is_waited_for_until_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
