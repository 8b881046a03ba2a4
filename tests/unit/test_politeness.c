/* How often one host is asked, and when it is not: by a clock that the test moves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/net/politeness.h"
#include "tests/unit/clock_of_test.h"

static const char url[] = "https://host/one.git", same_host[] = "https://HOST/two.git",
                  other[] = "https://other/one.git";

/* Waiting ends at once, and how long it was is known. */
int nanosleep(const struct timespec *pause, struct timespec *left)
{
    (void)left;
    test_now += pause->tv_nsec / 1000000;
    return 0;
}

/* How long a request waits for its turn; -1: the host wants to be left alone. */
static int64_t wait_for_turn(struct politeness *politeness, const char *of)
{
    struct error e = {0};
    int64_t begun = test_now;
    int r = politeness_wait(politeness, of, "h", NULL, &e);

    if (r == -EBUSY) {
        assert_non_null(strstr(e.text, "wants to be left alone until"));
        return -1;
    }
    assert_int_equal(r, 0);
    return test_now - begun;
}

static void test_the_first_two_hundred_go_at_once(void **state)
{
    struct politeness *politeness = politeness_new(10);
    int64_t begun;

    (void)state;
    for (int i = 0; i < 200; i++)
        assert_int_equal(wait_for_turn(politeness, i % 2 ? url : same_host), 0);
    begun = test_now;
    for (int i = 0; i < 50; i++)
        wait_for_turn(politeness, url);
    assert_int_equal(test_now - begun, 5000);
    assert_int_equal(wait_for_turn(politeness, other), 0);
    test_now += 60000; /* and after a rest again */
    for (int i = 0; i < 200; i++)
        assert_int_equal(wait_for_turn(politeness, url), 0);
    assert_int_equal(wait_for_turn(politeness, url), 100);
    politeness_free(politeness);
}

static void test_any_number(void **state)
{
    struct politeness *politeness = politeness_new(0);

    (void)state;
    for (int i = 0; i < 2000; i++)
        assert_int_equal(wait_for_turn(politeness, url), 0);
    politeness_free(politeness);
}

static void assert_left_alone_for(struct politeness *politeness, int64_t seconds)
{
    int64_t end = test_now + seconds * 1000;

    test_now = end - 20;
    assert_int_equal(wait_for_turn(politeness, same_host), -1);
    assert_int_equal(wait_for_turn(politeness, other), 0);
    test_now = end;
    assert_int_equal(wait_for_turn(politeness, url), 0);
}

static void test_a_host_that_wants_to_be_left_alone_is(void **state)
{
    struct politeness *politeness = politeness_new(15);

    (void)state;
    politeness_pause(politeness, url, 30);
    assert_left_alone_for(politeness, 30);
    /* A shorter one does not end a longer one. */
    politeness_pause(politeness, url, 100);
    politeness_pause(politeness, url, 1);
    assert_left_alone_for(politeness, 100);
    /* Who says a day is asked once an hour. */
    politeness_pause(politeness, url, 86400);
    assert_left_alone_for(politeness, 3600);
    politeness_free(politeness);
}

static bool is_cancelled(void *data)
{
    (void)data;
    return true;
}

static void who_waits_can_be_called_off(void **state)
{
    const struct watch watch = {.cancelled = is_cancelled};
    struct politeness *politeness = politeness_new(10);
    struct error e = {0};

    (void)state;
    for (int i = 0; i < 200; i++) /* which need not wait */
        assert_int_equal(politeness_wait(politeness, url, "h", &watch, &e), 0);
    assert_int_equal(politeness_wait(politeness, url, "h", &watch, &e), -ECANCELED);
    assert_string_equal(e.text, "h: cancelled");
    politeness_free(politeness);
}

static void enter(struct politeness *politeness, int count)
{
    for (int i = 0; i < count; i++)
        assert_true(politeness_may_enter(politeness, url));
}

static void leave(struct politeness *politeness, int count)
{
    for (int i = 0; i < count; i++)
        assert_false(politeness_leave(politeness, url, false));
}

/* How many may be under way at once, while none is. */
static int count_at_once(struct politeness *politeness)
{
    int count = 0;

    while (count < 1000 && politeness_may_enter(politeness, url))
        count++;
    leave(politeness, count);
    return count;
}

static void one_alone_that_is_dropped_says_nothing_of_crowds(void **state)
{
    struct politeness *politeness = politeness_new(0);

    (void)state;
    enter(politeness, 1);
    assert_false(politeness_leave(politeness, url, true));
    assert_false(politeness_is_crowded(politeness, url));
    assert_int_equal(count_at_once(politeness), 1000);
    politeness_free(politeness);
}

static void who_drops_connections_gets_half_as_many(void **state)
{
    struct politeness *politeness = politeness_new(0);

    (void)state;
    enter(politeness, 7);
    assert_true(politeness_leave(politeness, url, true));
    assert_true(politeness_is_crowded(politeness, url));
    assert_false(politeness_is_crowded(politeness, other));
    assert_true(politeness_may_enter(politeness, other));
    assert_false(politeness_may_enter(politeness, url));  /* six are under way, and four may be */
    assert_true(politeness_leave(politeness, url, true)); /* one too many of old */
    leave(politeness, 2);
    enter(politeness, 1);
    assert_false(politeness_may_enter(politeness, url));
    leave(politeness, 3);
    assert_true(politeness_leave(politeness, url, true)); /* alone, and still worth another try */
    assert_int_equal(count_at_once(politeness), 4);
    enter(politeness, 4); /* as many as may be are too many still */
    assert_true(politeness_leave(politeness, url, true));
    leave(politeness, 3);
    assert_int_equal(count_at_once(politeness), 2);
    politeness_free(politeness);
}

struct leaver {
    struct politeness *politeness;
    int looks; /* before it leaves */
};

static bool leave_later(void *data)
{
    struct leaver *leaver = data;

    if (leaver->looks-- == 0)
        leave(leaver->politeness, 1);
    return false;
}

static void who_is_one_too_many_waits(void **state)
{
    struct leaver leaver = {.politeness = politeness_new(0), .looks = 3};
    const struct watch cancelled = {.cancelled = is_cancelled},
                       waits = {.cancelled = leave_later, .data = &leaver};
    struct error e = {0};

    (void)state;
    enter(leaver.politeness, 2);
    politeness_leave(leaver.politeness, url, true); /* one may be under way, and is */
    assert_int_equal(politeness_enter(leaver.politeness, url, "h", &cancelled, &e), -ECANCELED);
    assert_string_equal(e.text, "h: cancelled");
    assert_int_equal(politeness_enter(leaver.politeness, other, "h", &cancelled, &e), 0);
    assert_int_equal(politeness_enter(leaver.politeness, url, "h", &waits, &e), 0);
    assert_int_equal(leaver.looks, -1);
    assert_false(politeness_may_enter(leaver.politeness, url));
    politeness_free(leaver.politeness);
}

static void who_drops_none_gets_one_more_after_a_while(void **state)
{
    struct politeness *politeness = politeness_new(0);

    (void)state;
    enter(politeness, 2);
    politeness_leave(politeness, url, true);
    leave(politeness, 1);
    for (int at_once = 1; at_once <= 64; at_once++) { /* after sixteen for each of them */
        assert_true(politeness_is_crowded(politeness, url));
        enter(politeness, at_once);
        assert_false(politeness_may_enter(politeness, url));
        leave(politeness, at_once);
        for (int i = at_once == 1; i < 15 * at_once; i++) {
            enter(politeness, 1);
            leave(politeness, 1);
        }
    }
    assert_false(politeness_is_crowded(politeness, url));
    politeness_free(politeness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_two_hundred_go_at_once),
        cmocka_unit_test(test_any_number),
        cmocka_unit_test(test_a_host_that_wants_to_be_left_alone_is),
        cmocka_unit_test(who_waits_can_be_called_off),
        cmocka_unit_test(one_alone_that_is_dropped_says_nothing_of_crowds),
        cmocka_unit_test(who_drops_connections_gets_half_as_many),
        cmocka_unit_test(who_is_one_too_many_waits),
        cmocka_unit_test(who_drops_none_gets_one_more_after_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
