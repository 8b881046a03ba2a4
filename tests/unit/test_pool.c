/* The order of a pool's jobs, and how many of a host run at once. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gitcache/base/clock.h"
#include "gitcache/fetch/pool.h"

/* A clock that a test can set back: what ends at a time then ends sooner. */
static _Atomic int64_t set_back; /* milliseconds */

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int r = (int)syscall(SYS_clock_gettime, clock, out);

    out->tv_sec -= set_back / 1000;
    return r;
}

static sem_t has_rested;

void __real_remote_rest(struct remote *remote);
void __wrap_remote_rest(struct remote *remote);

void __wrap_remote_rest(struct remote *remote)
{
    __real_remote_rest(remote);
    sem_post(&has_rested);
}

static int refusals; /* as if there was no memory for so many */

int __real_remote_new(struct remote **out, const struct net_settings *settings, struct error *e);
int __wrap_remote_new(struct remote **out, const struct net_settings *settings, struct error *e);

int __wrap_remote_new(struct remote **out, const struct net_settings *settings, struct error *e)
{
    if (refusals == 0)
        return __real_remote_new(out, settings, e);
    refusals--;
    return error_no_memory(e);
}

static bool no_thread; /* can be started, as where a user has too many */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *),
                          void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *),
                          void *data);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *),
                          void *data)
{
    return no_thread ? EAGAIN : __real_pthread_create(thread, how, start, data);
}

/* What ran, and a gate that jobs wait at while it is closed. */
struct trace {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    char order[100];
    unsigned running, most, begun;
    pid_t thread; /* of the last */
    struct remote *remote;
};

#define LAST 9 /* the kind of a job after which its thread is of no more use */

static bool run_job(void *data, void *subject, int kind, struct remote *remote)
{
    struct trace *trace = data;

    pthread_mutex_lock(&trace->lock);
    trace->remote = remote;
    trace->begun++;
    trace->thread = gettid();
    if (++trace->running > trace->most)
        trace->most = trace->running;
    snprintf(trace->order + strlen(trace->order), sizeof trace->order - strlen(trace->order),
             "%s%d", (const char *)subject, kind);
    pthread_cond_broadcast(&trace->changed);
    while (!trace->open)
        pthread_cond_wait(&trace->changed, &trace->lock);
    trace->running--;
    pthread_mutex_unlock(&trace->lock);
    return kind != LAST;
}

static void trace_init(struct trace *trace)
{
    *trace = (struct trace){.open = false};
    pthread_mutex_init(&trace->lock, NULL);
    pthread_cond_init(&trace->changed, NULL);
}

static void wait_until_begun(struct trace *trace, unsigned count)
{
    pthread_mutex_lock(&trace->lock);
    while (trace->begun < count)
        pthread_cond_wait(&trace->changed, &trace->lock);
    pthread_mutex_unlock(&trace->lock);
}

static void open_gate(struct trace *trace)
{
    pthread_mutex_lock(&trace->lock);
    trace->open = true;
    pthread_cond_broadcast(&trace->changed);
    pthread_mutex_unlock(&trace->lock);
}

static void what_nobody_waits_for_comes_last(void **state)
{
    struct trace trace;
    struct pool *pool;

    (void)state;
    trace_init(&trace);
    pool = pool_new(1, NULL, run_job, &trace);
    assert_non_null(pool);
    assert_int_equal(pool_queue(pool, "h", (char *)"a", 0), 0);
    wait_until_begun(&trace, 1);
    for (int i = 1; i < 4; i++)
        assert_int_equal(pool_queue_later(pool, "h", (char *)"l", i), 0);
    for (int i = 1; i < 4; i++)
        assert_int_equal(pool_queue(pool, "h", (char *)"a", i), 0);
    open_gate(&trace);
    pool_drain(pool);
    assert_string_equal(trace.order, "a0a1a2a3l1l2l3");
    assert_int_equal(trace.most, 1);
    assert_true(pool_stop(pool, 10000));
}

static void it_leaves_one_place_of_its_host(void **state)
{
    struct trace trace;
    struct pool *pool;

    (void)state;
    trace_init(&trace);
    pool = pool_new(4, NULL, run_job, &trace);
    assert_non_null(pool);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pool_queue_later(pool, "h", (char *)"l", 0), 0);
    wait_until_begun(&trace, 3);
    /* The fourth is a reader's, which begins although five others were there before. */
    assert_int_equal(pool_queue(pool, "h", (char *)"a", 1), 0);
    wait_until_begun(&trace, 4);
    assert_string_equal(trace.order, "l0l0l0a1");
    open_gate(&trace);
    pool_drain(pool);
    assert_int_equal(trace.begun, 9);
    assert_int_equal(trace.most, 4);
    assert_true(pool_stop(pool, 10000));
}

static void what_has_not_begun_is_forgotten(void **state)
{
    struct trace trace;
    struct pool *pool;

    (void)state;
    trace_init(&trace);
    pool = pool_new(1, NULL, run_job, &trace);
    assert_non_null(pool);
    assert_int_equal(pool_queue(pool, "h", (char *)"a", 0), 0);
    wait_until_begun(&trace, 1);
    assert_int_equal(pool_queue_later(pool, "h", (char *)"l", 0), 0);
    assert_false(pool_stop(pool, 1));
    open_gate(&trace);
    assert_true(pool_stop(pool, 10000));
    assert_string_equal(trace.order, "a0");
}

/* A thread that rests would wake by itself after five seconds. */
static void one_that_rests_takes_the_next_at_once(void **state)
{
    struct trace trace;
    struct pool *pool;
    pid_t first = 0;

    (void)state;
    trace_init(&trace);
    open_gate(&trace);
    pool = pool_new(4, NULL, run_job, &trace);
    assert_non_null(pool);
    for (unsigned i = 1; i <= 5; i++) {
        int64_t begun = clock_now();
        assert_int_equal(pool_queue(pool, "h", (char *)"a", 0), 0);
        wait_until_begun(&trace, i);
        assert_in_range(clock_now() - begun, 0, 4000);
        pool_drain(pool);
        first = first ? first : trace.thread;
        assert_int_equal(trace.thread, first);
    }
    assert_true(pool_stop(pool, 10000));
}

/* After five seconds a thread closes its connections. */
static void one_that_rests_for_long_keeps_no_connection(void **state)
{
    struct net_settings settings;
    struct trace trace;
    struct pool *pool;

    (void)state;
    trace_init(&trace);
    open_gate(&trace);
    sem_init(&has_rested, 0, 0);
    net_settings_init(&settings);
    pool = pool_new(1, &settings, run_job, &trace);
    assert_non_null(pool);
    set_back = 5000;
    assert_int_equal(pool_queue(pool, "h", (char *)"a", 0), 0);
    alarm(60);
    sem_wait(&has_rested);
    alarm(0);
    set_back = 0;
    assert_int_equal(pool_queue(pool, "h", (char *)"a", 0), 0);
    wait_until_begun(&trace, 2);
    pool_drain(pool);
    assert_non_null(trace.remote);
    assert_true(pool_stop(pool, 10000));
}

static void one_without_a_remote_has_one_for_its_next_job(void **state)
{
    struct net_settings settings;
    struct trace trace;
    struct pool *pool;

    (void)state;
    trace_init(&trace);
    open_gate(&trace);
    net_settings_init(&settings);
    refusals = 1;
    pool = pool_new(1, &settings, run_job, &trace);
    assert_non_null(pool);
    for (unsigned i = 1; i <= 2; i++) {
        pid_t first = trace.thread;
        assert_int_equal(pool_queue(pool, "h", (char *)"a", 0), 0);
        wait_until_begun(&trace, i);
        pool_drain(pool);
        assert_true(i == 1 || trace.thread == first);
        assert_true(!trace.remote == (i == 1));
    }
    assert_true(pool_stop(pool, 10000));
}

static void one_of_no_more_use_is_replaced(void **state)
{
    struct trace trace;
    struct pool *pool;
    pid_t first;

    (void)state;
    trace_init(&trace);
    pool = pool_new(1, NULL, run_job, &trace);
    assert_non_null(pool);
    assert_int_equal(pool_queue(pool, "h", (char *)"a", LAST), 0);
    wait_until_begun(&trace, 1);
    first = trace.thread;
    assert_int_equal(pool_queue(pool, "h", (char *)"a", 1), 0);
    open_gate(&trace);
    pool_drain(pool);
    assert_string_equal(trace.order, "a9a1");
    assert_int_not_equal(trace.thread, first);
    /* Also where nothing waits: it takes nothing that comes later. */
    assert_int_equal(pool_queue(pool, "h", (char *)"a", LAST), 0);
    pool_drain(pool);
    first = trace.thread;
    assert_int_equal(pool_queue(pool, "h", (char *)"a", 1), 0);
    pool_drain(pool);
    assert_string_equal(trace.order, "a9a1a9a1");
    assert_int_not_equal(trace.thread, first);
    assert_true(pool_stop(pool, 10000));
}

/* A host that is slow holds up nobody else, unless there may be no other thread. */
static void each_host_has_its_own_places(void **state)
{
    (void)state;
    for (unsigned most = 1; most <= 2; most++) {
        struct trace trace;
        struct pool *pool;

        trace_init(&trace);
        pool = pool_new(1, NULL, run_job, &trace);
        assert_non_null(pool);
        pool_limit_threads(pool, most);
        assert_int_equal(pool_queue(pool, "slow", (char *)"s", 0), 0);
        wait_until_begun(&trace, 1);
        assert_int_equal(pool_queue(pool, "slow", (char *)"s", 1), 0);
        assert_int_equal(pool_queue(pool, "quick", (char *)"q", 0), 0);
        assert_int_equal(pool_queue(pool, "third", (char *)"t", 0), 0);
        if (most == 2)
            wait_until_begun(&trace, 2);
        assert_string_equal(trace.order, most == 2 ? "s0q0" : "s0");
        open_gate(&trace);
        pool_drain(pool);
        assert_int_equal(trace.begun, 4);
        assert_int_equal(trace.most, most);
        assert_false(pool_is_stopping(pool));
        assert_true(pool_stop(pool, 10000));
    }
}

/* Then those that run take all, one after the other; and where none runs it is told. */
static void a_thread_that_cannot_be_started_is_told_where_there_is_no_other(void **state)
{
    struct trace trace;
    struct pool *pool;

    (void)state;
    trace_init(&trace);
    pool = pool_new(2, NULL, run_job, &trace);
    assert_non_null(pool);
    no_thread = true;
    assert_int_equal(pool_queue(pool, "h", (char *)"a", 0), -EAGAIN);
    pool_drain(pool); /* it is in no queue */
    no_thread = false;
    assert_int_equal(pool_queue(pool, "h", (char *)"a", 1), 0);
    wait_until_begun(&trace, 1);
    no_thread = true;
    assert_int_equal(pool_queue(pool, "h", (char *)"a", 2), 0);
    assert_int_equal(pool_queue(pool, "other", (char *)"b", 3), 0);
    open_gate(&trace);
    pool_drain(pool);
    no_thread = false;
    assert_string_equal(trace.order, "a1a2b3");
    assert_int_equal(trace.most, 1);
    assert_true(pool_stop(pool, 10000));
}

/* None is lost of those that wait before one that could begin. */
static void what_waits_is_not_lost(void **state)
{
    struct trace trace;
    struct pool *pool;

    (void)state;
    trace_init(&trace);
    pool = pool_new(1, NULL, run_job, &trace);
    assert_non_null(pool);
    assert_int_equal(pool_queue(pool, "slow", (char *)"s", 0), 0);
    wait_until_begun(&trace, 1);
    assert_int_equal(pool_queue(pool, "slow", (char *)"s", 1), 0);
    assert_int_equal(pool_queue(pool, "quick", (char *)"q", 0), 0);
    wait_until_begun(&trace, 2);
    assert_int_equal(pool_queue(pool, "quick", (char *)"q", 1), 0);
    assert_int_equal(pool_queue(pool, "third", (char *)"t", 0), 0);
    wait_until_begun(&trace, 3);
    assert_string_equal(trace.order, "s0q0t0");
    open_gate(&trace);
    pool_drain(pool);
    assert_int_equal(trace.begun, 5);
    assert_true(pool_stop(pool, 10000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_waits_for_comes_last),
        cmocka_unit_test(it_leaves_one_place_of_its_host),
        cmocka_unit_test(what_has_not_begun_is_forgotten),
        cmocka_unit_test(one_that_rests_takes_the_next_at_once),
        cmocka_unit_test(one_that_rests_for_long_keeps_no_connection),
        cmocka_unit_test(one_without_a_remote_has_one_for_its_next_job),
        cmocka_unit_test(one_of_no_more_use_is_replaced),
        cmocka_unit_test(each_host_has_its_own_places),
        cmocka_unit_test(a_thread_that_cannot_be_started_is_told_where_there_is_no_other),
        cmocka_unit_test(what_waits_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
