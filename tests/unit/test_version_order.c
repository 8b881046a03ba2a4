#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/base/version_order.h"

/* Each comes before all that follow it, whichever way round they are compared. */
static void names_in_order(void **state)
{
    static const char *const names[] = {
        "1.0",       "2.0-alpha",   "2.0-beta1", "2.0-beta2", "2.0-rc.1",    "2.0-rc2",
        "2.0-rc10",  "2.0",         "2.0-1",     "2.0-9",     "2.0-18",      "2.0.1",
        "2.0.2.dev", "2.0.2",       "2.1_PRE",   "2.1",       "2.1-prelude", "10.0",
        "rc1",       "release-1.0", "v2.9",      "v2.10-rc1", "v2.10",       "v2.10-1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t j = 0; j < sizeof names / sizeof *names; j++) {
            int order = version_order(names[i], names[j]);
            if ((order > 0) - (order < 0) != (i > j) - (i < j))
                fail_msg("%s and %s: %d", names[i], names[j], order);
        }
}

/* Each part between slashes may be as long as a folder's name can be. */
static void long_names_in_order(void **state)
{
    static const size_t lengths[] = {254, 255, 256, 257, 2043};
    char release[2048], candidate[sizeof release + 4];

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(release, 'a', lengths[i]);
        release[lengths[i]] = '\0';
        snprintf(candidate, sizeof candidate, "%s-rc1", release);
        assert_true(version_order(candidate, release) < 0);
        assert_true(version_order(release, candidate) > 0);
    }
}

/* As `git -c versionsort.suffix=... tag --sort=version:refname` says. */
static void names_in_gits_order(void **state)
{
    static const struct {
        const char *suffixes[3];
        const char *names[8];
    } rows[] = {
        {{"-beta", "-rc"},
         {"v1.0-beta1", "v1.0-rc1", "v1.0-rc2", "v1.0-rc10", "v1.0", "v1.0-fix1", "v1.0.1"}},
        {{"-beta", "", "-rc"},
         {"v1.0-beta1", "v1.0", "v1.0-fix1", "v1.0.1", "v1.0-rc1", "v1.0-rc2", "v1.0-rc10"}},
        {{"-rc", "-fix"},
         {"v1.0-rc1", "v1.0-rc2", "v1.0-rc10", "v1.0-fix1", "v1.0", "v1.0-beta1", "v1.0.1"}},
    };

    (void)state;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        size_t suffixes = 0;
        while (suffixes < 3 && rows[row].suffixes[suffixes])
            suffixes++;
        for (size_t i = 0; rows[row].names[i]; i++)
            for (size_t j = 0; rows[row].names[j]; j++) {
                int order = version_order_by(rows[row].names[i], rows[row].names[j],
                                             rows[row].suffixes, suffixes);
                if ((order > 0) - (order < 0) != (i > j) - (i < j))
                    fail_msg("%s and %s: %d", rows[row].names[i], rows[row].names[j], order);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_in_order),
                                       cmocka_unit_test(long_names_in_order),
                                       cmocka_unit_test(names_in_gits_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
