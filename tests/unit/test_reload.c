/* test_reload.c - when start-points are loaded again: after how long a change, and after which failures. What loading means is
 * the test's here, and what time it is. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>

#include "fs/service/reload.h"
#include "tests/unit/clock_of_test.h"
#include "tests/unit/sandbox.h"

#define FOR_EVER (-1)
#define MOST     20

static struct {
    atomic_uint loads, left; /* `left`: so many fail from now on */
    bool asked[MOST];        /* of each load: remotes, too */
    bool has_branches;
    atomic_bool is_changing;
    atomic_int settles; /* the last wait for quiet */
    bool is_hurried;    /* no wait is longer than a moment */
    /* The waits for a reason; those that end by themselves end at once. */
    unsigned waited_after;
    int waits[MOST];
    atomic_uint wait_count;
} seen;

int __wrap_load_run(struct catalogue **out, struct load_notes *notes,
                    const struct load_origin *origin, bool newest, struct error *e);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);

int __wrap_load_run(struct catalogue **out, struct load_notes *notes,
                    const struct load_origin *origin, bool newest, struct error *e)
{
    (void)origin;
    seen.asked[seen.loads++ % MOST] = newest;
    notes->has_branches = seen.has_branches;
    if ((newest || !seen.has_branches) && seen.left > 0) {
        seen.left--;
        return error_set(e, EIO, "it cannot be loaded");
    }
    return catalogue_new(out, NULL, 0, e);
}

/* It is not quiet while the test writes. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int r;

    if (seen.waited_after == seen.loads) {
        atomic_store(&seen.settles, timeout);
        if (seen.is_hurried)
            timeout = 1;
    } else {
        seen.waited_after = seen.loads;
        seen.waits[seen.wait_count % MOST] = timeout;
        if (timeout > 0) {
            test_now += timeout;
            timeout = 0;
        }
        seen.wait_count++;
    }
    do
        r = __real_poll(fds, count, timeout);
    while (r == 0 && seen.is_changing);
    return r;
}

static void wait_for(unsigned waits)
{
    for (int tries = 0; seen.wait_count < waits; tries++) {
        if (tries == 20000)
            fail_msg("it waited %u times, not %u", (unsigned)seen.wait_count, waits);
        usleep(1000);
    }
}

static struct shelf shelf;
static struct reload *reload;

static void open_reload(const struct sandbox *box, const char *operand)
{
    static struct settings settings;
    static char *operands[1];
    struct reload_options options = {.origin = {&settings, operands, 1}, .shelf = &shelf};
    struct error error;

    operands[0] = (char *)operand;
    assert_int_equal(chdir(box->folder), 0);
    shelf_init(&shelf);
    assert_int_equal(reload_open(&reload, &options, &error), 0);
}

static void close_reload(void)
{
    assert_true(reload_close(reload));
    shelf_release(&shelf);
    assert_int_equal(chdir("/"), 0);
}

static int set_up(void **state)
{
    memset(&seen, 0, sizeof seen);
    return sandbox_open(state);
}

static void a_list_is_read_when_it_is_quiet(void **state)
{
    run(*state, "mkdir lists; echo x >lists/a.list");
    open_reload(*state, "lists/a.list");
    wait_for(1);
    seen.is_changing = true;
    run(*state, "echo y >>lists/a.list; echo z >>lists/a.list");
    seen.is_changing = false;
    wait_for(2);
    assert_int_equal(seen.loads, 2);
    assert_int_equal(seen.waits[0], FOR_EVER);
    assert_int_equal(seen.settles, 100);
    close_reload();
}

static void what_fails_is_tried_less_and_less(void **state)
{
    static const int waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, FOR_EVER};

    run(*state, "echo x >a.list");
    seen.left = 8;
    open_reload(*state, "a.list");
    wait_for(9);
    assert_memory_equal(seen.waits, waits, sizeof waits);
    seen.left = 1;
    reload_now(reload);
    wait_for(11);
    assert_int_equal(seen.waits[9], 1000);
    assert_int_equal(seen.waits[10], FOR_EVER);
    close_reload();
}

/* What the cache has is served meanwhile, and is not read again. */
static void only_remotes_that_failed_are_asked_again(void **state)
{
    static const bool asked[] = {false, true, true, true, false, true};

    run(*state, "echo x >a.list");
    seen.has_branches = true;
    seen.left = 2;
    open_reload(*state, "a.list");
    wait_for(3);
    reload_now(reload);
    wait_for(4);
    assert_int_equal(seen.loads, 6);
    assert_memory_equal(seen.asked, asked, sizeof asked);
    close_reload();
}

/* A mount tells nobody what its own daemon has changed. */
static void a_folder_is_looked_at_every_two_seconds(void **state)
{
    run(*state, "mkdir repos; echo x >repos/shas.txt");
    open_reload(*state, "repos");
    wait_for(1);
    assert_int_equal(seen.waits[0], 2000);
    close_reload();
}

/* Not only by its time: what is put in its place may have the same. */
static void a_folder_is_another_by_all_that_is_seen_of_it(void **state)
{
    static const char *const changes[] = {
        "touch -d '2025-01-01 00:00:00.000000002' shas.txt",
        "touch -d '2025-01-01 00:00:01.000000002' shas.txt",
        "cp -p shas.txt other; mv other shas.txt",
    };

    run(*state,
        "mkdir repos aside; cd aside; echo x >shas.txt;"
        "touch -d '2025-01-01 00:00:00.000000001' shas.txt; ln -s ../aside/shas.txt ../repos");
    seen.is_hurried = true;
    open_reload(*state, "repos");
    wait_for(1);
    for (unsigned i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_int_equal(seen.loads, i + 1);
        run(*state, "cd aside; %s", changes[i]);
        wait_for(i + 2);
    }
    close_reload();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_is_read_when_it_is_quiet, set_up, sandbox_close),
        cmocka_unit_test_setup_teardown(a_folder_is_looked_at_every_two_seconds, set_up,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(a_folder_is_another_by_all_that_is_seen_of_it, set_up,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(what_fails_is_tried_less_and_less, set_up, sandbox_close),
        cmocka_unit_test_setup_teardown(only_remotes_that_failed_are_asked_again, set_up,
                                        sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
