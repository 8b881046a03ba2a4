#include "fs/tree/search_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static unsigned take_all(struct search_limits *limits)
{
    unsigned taken = 0;

    while (taken < 100000 && search_limits_take(limits))
        taken++;
    return taken;
}

static void test_both_are_bounded_and_what_is_named_has_more(void **state)
{
    struct search_limits anybodys, named;

    (void)state;
    search_limits_init(&anybodys, SEARCH_ANYBODYS);
    search_limits_init(&named, SEARCH_NAMED);
    unsigned few = take_all(&anybodys), many = take_all(&named);
    assert_true(few > 0 && few < many && many < 100000);
    assert_false(search_limits_take(&anybodys));
    /* As if time had gone by. */
    named.refilled_at -= 1000 * 60;
    unsigned more = take_all(&named);
    assert_true(more > 0 && more < many);
    named.refilled_at -= INT64_C(1000) * 60 * 60 * 24;
    assert_in_range(take_all(&named), many, many + 1);
    /* A long time without any. */
    search_limits_init(&anybodys, SEARCH_ANYBODYS);
    anybodys.refilled_at -= INT64_C(1000) * 60 * 60 * 24;
    assert_in_range(take_all(&anybodys), few, few + 1);
    assert_true(search_limits_bytes(SEARCH_ANYBODYS) > 0);
    assert_true(search_limits_bytes(SEARCH_ANYBODYS) < search_limits_bytes(SEARCH_NAMED));
    assert_true(search_limits_bytes(SEARCH_NAMED) < UINT64_C(2) << 30); /* a fetch's own bound */
}

static void test_what_is_missing_is_remembered_and_bounded(void **state)
{
    struct search_limits limits;
    char digits[OID_HEX_SIZE];

    (void)state;
    search_limits_init(&limits, SEARCH_NAMED);
    search_limits_remember(&limits, "abcdef0");
    assert_true(search_limits_is_missed(&limits, "ABCDEF0"));
    assert_false(search_limits_is_missed(&limits, "abcdef01"));
    for (int i = 0; i < SEARCH_MISSES; i++) {
        snprintf(digits, sizeof digits, "%040x", i);
        search_limits_remember(&limits, digits);
        search_limits_remember(&limits, digits);
    }
    assert_false(search_limits_is_missed(&limits, "abcdef0"));
    for (int i = 0; i < SEARCH_MISSES; i++) {
        snprintf(digits, sizeof digits, "%040x", i);
        assert_true(search_limits_is_missed(&limits, digits));
    }
    search_limits_forget(&limits);
    assert_false(search_limits_is_missed(&limits, digits));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_are_bounded_and_what_is_named_has_more),
        cmocka_unit_test(test_what_is_missing_is_remembered_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
