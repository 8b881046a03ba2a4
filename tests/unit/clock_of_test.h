/* clock_of_test.h - a clock that the test moves: everything in the program asks clock_gettime, which is this one. */
#ifndef TESTS_CLOCK_OF_TEST_H
#define TESTS_CLOCK_OF_TEST_H

#include <stdint.h>
#include <time.h>

static int64_t test_now = 1000000; /* milliseconds, of every clock */

int clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    *out = (struct timespec){.tv_sec = test_now / 1000, .tv_nsec = test_now % 1000 * 1000000};
    return 0;
}

#endif
