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

/* Each look at a wait lets time pass: waiting ends at once, and how long it was is known. */
static bool pass_time(void *data)
{
    (void)data;
    test_now += 10;
    return false;
}

/* How long a request waits for its turn; -1: the host wants to be left alone. */
static int64_t wait_for_turn(struct politeness *politeness, const char *of)
{
    const struct watch watch = {.cancelled = pass_time};
    struct error e = {0};
    int64_t begun = test_now;
    int r = politeness_wait(politeness, of, "h", &watch, &e);

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
    assert_in_range(test_now - begun, 4900, 5200);
    assert_int_equal(wait_for_turn(politeness, other), 0);
    test_now += 60000; /* and after a rest again */
    for (int i = 0; i < 200; i++)
        assert_int_equal(wait_for_turn(politeness, url), 0);
    assert_in_range(wait_for_turn(politeness, url), 50, 150);
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

/* How many may be under way at once. */
static int count_at_once(struct politeness *politeness)
{
    int count = 0;

    while (count < 1000 && politeness_may_enter(politeness, url))
        count++;
    for (int i = 0; i < count; i++)
        politeness_leave(politeness, url, false);
    return count;
}

static void test_who_drops_connections_gets_fewer_and_more_again(void **state)
{
    struct politeness *politeness = politeness_new(0);

    (void)state;
    assert_int_equal(count_at_once(politeness), 1000);
    assert_false(politeness_is_crowded(politeness, url));
    /* One alone that is dropped says nothing of crowds. */
    assert_true(politeness_may_enter(politeness, url));
    assert_false(politeness_leave(politeness, url, true));
    assert_false(politeness_is_crowded(politeness, url));
    for (int i = 0; i < 8; i++)
        assert_true(politeness_may_enter(politeness, url));
    assert_true(politeness_leave(politeness, url, true));
    assert_true(politeness_is_crowded(politeness, url));
    assert_false(politeness_is_crowded(politeness, other));
    assert_false(politeness_may_enter(politeness, url));
    for (int i = 0; i < 4; i++)
        politeness_leave(politeness, url, false);
    assert_true(politeness_may_enter(politeness, url)); /* three and this are four */
    assert_false(politeness_may_enter(politeness, url));
    for (int i = 0; i < 4; i++)
        politeness_leave(politeness, url, false);
    int before = count_at_once(politeness);
    assert_in_range(before, 4, 5);
    for (int i = 0; i < 20 * 5; i++) {
        assert_true(politeness_may_enter(politeness, url));
        politeness_leave(politeness, url, false);
    }
    assert_in_range(count_at_once(politeness), before + 1, before + 2);
    politeness_free(politeness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_two_hundred_go_at_once),
        cmocka_unit_test(test_any_number),
        cmocka_unit_test(test_a_host_that_wants_to_be_left_alone_is),
        cmocka_unit_test(test_who_drops_connections_gets_fewer_and_more_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
