#include <pthread.h>

#include "fs/tree/parked.h"
#include "gitcache/base/clock.h"
#include "tests/unit/sandbox.h"

struct waiter {
    struct parked parked; /* first */
    atomic_int ended;     /* 1 + how */
};

static void on_end(struct parked *parked, enum parked_end how)
{
    atomic_store(&((struct waiter *)parked)->ended, 1 + (int)how);
}

static int is_set(void *data)
{
    return *(int *)data;
}

static int park(struct parked_lot *lot, struct waiter *waiter, struct work *work, int interrupted)
{
    waiter->parked.end = on_end;
    return parked_wait(lot, &waiter->parked, work, is_set, &interrupted);
}

/* For what another thread will do; a minute is for a machine that does much else. */
static void wait_until_ended(struct waiter *waiter)
{
    int64_t until = clock_now() + 60000;

    while (!atomic_load(&waiter->ended) && clock_now() < until)
        usleep(1000);
}

static void test_work_that_ends_wakes_who_waits_for_it(void **state)
{
    struct parked_lot *lot = parked_new(60000);
    struct work one = {.running = true}, other = {.running = true};
    struct waiter a = {0}, b = {0}, c = {0};

    (void)state;
    assert_int_equal(park(lot, &a, &one, 0), 0);
    assert_int_equal(park(lot, &b, &other, 0), 0);
    assert_int_equal(park(lot, &c, &one, 0), 0);
    assert_int_equal(parked_count(lot), 3);
    assert_int_equal(atomic_load(&one.waiting), 2);
    atomic_store(&one.running, false);
    parked_wake(lot, &one);
    assert_int_equal(atomic_load(&a.ended), 1 + PARKED_REPLAY);
    assert_int_equal(atomic_load(&b.ended), 0);
    assert_int_equal(atomic_load(&c.ended), 1 + PARKED_REPLAY);
    assert_int_equal(atomic_load(&one.waiting), 0);
    parked_free(lot);
    assert_int_equal(atomic_load(&b.ended), 1 + PARKED_TIMED_OUT);
    assert_int_equal(atomic_load(&other.waiting), 0);
}

static void test_nobody_waits_for_what_has_ended(void **state)
{
    struct parked_lot *lot = parked_new(60000);
    struct work work = {.running = false};
    struct waiter waiter = {0};

    (void)state;
    assert_int_equal(park(lot, &waiter, &work, 0), -EAGAIN);
    atomic_store(&work.running, true);
    assert_int_equal(park(lot, &waiter, &work, 1), -EINTR);
    assert_int_equal(parked_count(lot), 0);
    parked_free(lot);
    assert_int_equal(atomic_load(&waiter.ended), 0);
}

static void test_silence_times_out_and_progress_does_not(void **state)
{
    (void)state;
    for (int is_later = 0; is_later < 2; is_later++) { /* whoever has come first */
        struct parked_lot *lot = parked_new(200);
        struct work silent = {.running = true}, busy = {.running = true};
        struct waiter a = {0}, b = {0};
        atomic_store(&busy.progress_at, clock_now() + 3600000); /* an hour's work ahead */
        if (is_later)
            assert_int_equal(park(lot, &b, &busy, 0), 0);
        assert_int_equal(park(lot, &a, &silent, 0), 0);
        if (!is_later)
            assert_int_equal(park(lot, &b, &busy, 0), 0);
        wait_until_ended(&a);
        assert_int_equal(atomic_load(&a.ended), 1 + PARKED_TIMED_OUT);
        assert_int_equal(atomic_load(&b.ended), 0);
        parked_free(lot);
    }
}

static void test_patience_ends_before_the_work_does(void **state)
{
    struct parked_lot *lot = parked_new(600000);
    struct work work = {.running = true};
    struct waiter waiter = {.parked.patience = clock_now() + 50};

    (void)state;
    assert_int_equal(park(lot, &waiter, &work, 0), 0);
    wait_until_ended(&waiter);
    assert_int_equal(atomic_load(&waiter.ended), 1 + PARKED_REPLAY);
    parked_free(lot);
}

static int is_it(struct parked *parked, void *data)
{
    return parked == data;
}

static void test_one_is_interrupted_and_no_other(void **state)
{
    struct parked_lot *lot = parked_new(60000);
    struct work work = {.running = true};
    struct waiter a = {0}, b = {0};

    (void)state;
    assert_int_equal(park(lot, &a, &work, 0), 0);
    assert_int_equal(park(lot, &b, &work, 0), 0);
    parked_interrupt(lot, is_it, &b.parked);
    assert_int_equal(atomic_load(&a.ended), 0);
    assert_int_equal(atomic_load(&b.ended), 1 + PARKED_INTERRUPTED);
    assert_int_equal(atomic_load(&work.waiting), 1);
    assert_int_equal(parked_count(lot), 1);
    parked_free(lot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_work_that_ends_wakes_who_waits_for_it, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_nobody_waits_for_what_has_ended, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_silence_times_out_and_progress_does_not, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_patience_ends_before_the_work_does, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_one_is_interrupted_and_no_other, sandbox_open,
                                        sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
