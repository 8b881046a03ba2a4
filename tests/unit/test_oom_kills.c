/* test_oom_kills.c - how many processes were killed for want of memory, from what the kernel says: here, the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/supervisor/oom_kills.h"

static const char *vmstat; /* what /proc/vmstat says; NULL: it cannot be read */

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);

FILE *__wrap_fopen(const char *path, const char *mode)
{
    assert_string_equal(path, "/proc/vmstat");
    assert_int_equal(*mode, 'r');
    return vmstat ? fmemopen((char *)vmstat, strlen(vmstat), "r") : NULL;
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
    return __wrap_fopen(path, mode);
}

static void what_the_kernel_counts(void **state)
{
    (void)state;
    vmstat = "pgfault 12\noom_kill 4294967296\npgmajfault 5\noom_kill 3\n";
    assert_true(oom_kills() == 4294967296);
    vmstat = "oom_kill 7\n";
    assert_int_equal(oom_kills(), 7);
}

static void what_an_old_kernel_does_not_count_is_none(void **state)
{
    (void)state;
    vmstat = "pgfault 12\nallocstall 9\n";
    assert_int_equal(oom_kills(), 0);
    vmstat = NULL;
    assert_int_equal(oom_kills(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_kernel_counts),
        cmocka_unit_test(what_an_old_kernel_does_not_count_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
