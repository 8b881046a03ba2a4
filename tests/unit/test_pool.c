/* The order of a pool's jobs, and how many of a host run at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/fetch/pool.h"

/* What ran, and a gate that jobs wait at while it is closed. */
struct trace {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    char order[100];
    unsigned running, most, begun;
};

static bool run_job(void *data, void *subject, int kind, struct remote *remote)
{
    struct trace *trace = data;

    (void)remote;
    pthread_mutex_lock(&trace->lock);
    trace->begun++;
    if (++trace->running > trace->most)
        trace->most = trace->running;
    snprintf(trace->order + strlen(trace->order), sizeof trace->order - strlen(trace->order),
             "%s%d", (const char *)subject, kind);
    pthread_cond_broadcast(&trace->changed);
    while (!trace->open)
        pthread_cond_wait(&trace->changed, &trace->lock);
    trace->running--;
    pthread_mutex_unlock(&trace->lock);
    return true;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_waits_for_comes_last),
        cmocka_unit_test(it_leaves_one_place_of_its_host),
        cmocka_unit_test(what_has_not_begun_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
