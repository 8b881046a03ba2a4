/* test_places.c - places of an array that are used again: side by side, wherever they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "fs/shared/places.h"

#define USED 192 /* three words of bits */
#define MAX  200

static _Atomic uint32_t used;
static struct places places = {.used = &used, .max = MAX};

/* Of those that were ever used, these are free. */
static void free_are(const uint32_t *free, size_t count)
{
    used = USED;
    assert_true(places_look(&places));
    for (uint32_t i = 0, next = 0; i < USED; i++)
        if (next < count && free[next] == i)
            next++;
        else
            places_keep(&places, i);
}

static void assert_takes(size_t count, uint32_t expected)
{
    uint32_t first;

    assert_int_equal(places_take(&places, count, &first), 0);
    assert_int_equal(first, expected);
}

static int tear_down(void **state)
{
    (void)state;
    places_forget(&places);
    return 0;
}

#define FREE_ARE(...)                               \
    do {                                            \
        const uint32_t free[] = {__VA_ARGS__};      \
        free_are(free, sizeof free / sizeof *free); \
    } while (0)

static void a_run_is_side_by_side(void **state)
{
    (void)state;
    FREE_ARE(63, 128); /* with a word in between that is all taken */
    assert_takes(2, USED);
    assert_takes(1, 63);
    assert_takes(1, 128);
    assert_takes(1, USED + 2);
}

static void what_lies_before_the_last_run_is_found(void **state)
{
    (void)state;
    FREE_ARE(10, 100, 101);
    assert_takes(2, 100);
    assert_takes(1, 10);
}

static void a_shorter_run_is_found_where_a_longer_is_not(void **state)
{
    (void)state;
    FREE_ARE(10, 11, 100);
    assert_takes(3, USED);
    assert_takes(2, 10);
    assert_takes(1, 100);
}

static void who_looks_anew_finds_a_long_run(void **state)
{
    (void)state;
    FREE_ARE(10, 11, 100);
    assert_takes(3, USED);
    FREE_ARE(10, 11, 12);
    assert_takes(3, 10);
}

static void what_is_kept_twice_is_one(void **state)
{
    (void)state;
    FREE_ARE(10);
    places_keep(&places, 9);
    assert_int_equal(places.free, 1);
    assert_takes(1, 10);
    assert_int_equal(places.free, 0);
}

static void there_are_no_more_than_there_are(void **state)
{
    uint32_t first;

    (void)state;
    FREE_ARE(10);
    assert_int_equal(places_take(&places, MAX - USED + 1, &first), -ENOSPC);
    assert_takes(MAX - USED, USED);
    assert_takes(1, 10);
    assert_int_equal(places_take(&places, 1, &first), -ENOSPC);
    assert_int_equal(places_used(&places), MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_run_is_side_by_side, tear_down),
        cmocka_unit_test_teardown(what_lies_before_the_last_run_is_found, tear_down),
        cmocka_unit_test_teardown(a_shorter_run_is_found_where_a_longer_is_not, tear_down),
        cmocka_unit_test_teardown(who_looks_anew_finds_a_long_run, tear_down),
        cmocka_unit_test_teardown(what_is_kept_twice_is_one, tear_down),
        cmocka_unit_test_teardown(there_are_no_more_than_there_are, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
