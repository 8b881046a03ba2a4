#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_whole_as_the_kernel_cuts_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
