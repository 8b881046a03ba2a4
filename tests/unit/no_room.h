/* no_room.h - making memory files where no file may have a byte. Included by the tests of those. */
#ifndef TESTS_NO_ROOM_H
#define TESTS_NO_ROOM_H

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gitcache/base/error.h"

/* Whether that fails where no file may have a byte, with a sentence, and leaves nothing open. */
static void assert_needs_room(int (*create)(struct error *e))
{
    struct rlimit before, none;
    struct error error = {0};

    int lowest = dup(0);
    close(lowest);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int r = create(&error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, -EFBIG);
    assert_non_null(strstr(error.text, "File too large"));
    int now = dup(0);
    close(now);
    assert_int_equal(now, lowest);
}

#endif
