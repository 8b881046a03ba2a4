/* A set of object ids: what gc keeps is in one, and it grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gitcache/base/oid_set.h"

#define MANY 3000 /* more than it has room for at first, several times over */

/* Of each four, the first bytes are the same: they meet in the table. */
static struct oid nth(unsigned n)
{
    struct oid id = {{(unsigned char)(n / 4), (unsigned char)(n / 1024)}};

    id.id[OID_SIZE - 1] = (unsigned char)(n % 4);
    return id;
}

static void each_is_found_in_its_place(void **state)
{
    struct oid_set set = {0};
    struct oid id = nth(0);

    (void)state;
    assert_int_equal(oid_set_find(&set, &id), OID_SET_NONE);
    for (unsigned n = 0; n < MANY; n++) {
        id = nth(n);
        assert_int_equal(oid_set_find(&set, &id), OID_SET_NONE);
        assert_int_equal(oid_set_add(&set, &id), 0);
    }
    for (unsigned n = 0; n < MANY; n++) {
        id = nth(n);
        assert_int_equal(oid_set_find(&set, &id), n);
    }
    id = nth(MANY);
    assert_int_equal(oid_set_find(&set, &id), OID_SET_NONE);
    oid_set_release(&set);
}

static void what_is_there_is_not_added_again(void **state)
{
    struct oid_set set = {0};

    (void)state;
    for (unsigned n = 0; n < 2 * MANY; n++) {
        struct oid id = nth(n % MANY);
        assert_int_equal(oid_set_add(&set, &id), 0);
    }
    assert_int_equal(set.count, MANY);
    oid_set_release(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_in_its_place),
        cmocka_unit_test(what_is_there_is_not_added_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
