/* test_list_watch.c - when lists are read again: after which changes, and after how long. What reading means is the test's here. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/inotify.h>
#include <sys/resource.h>

#include "fs/log.h"
#include "fs/tree/lists.h"
#include "fs/tree/lists_reload.h"
#include "fs/worker/connection.h"
#include "fs/worker/fence.h"
#include "fs/worker/list_watch.h"
#include "tests/unit/sandbox.h"

#define FOR_EVER (-1)

static struct {
    const char *const *folders; /* of the lists; NULL ends them */
    atomic_uint reloads, told, drains;
    unsigned waited_after; /* so many reloads */
    atomic_bool is_faulty, is_outdated, is_changing;
    atomic_bool has_time; /* a wait that ends by itself ends at once; else never */
    atomic_int waits;     /* for so many milliseconds, when nothing has come yet */
    atomic_int settles;   /* ... and when something has */
} seen;

void __wrap_lists_each_folder(struct mount *mount, void (*visit)(void *data, const char *folder),
                              void *data);
size_t __wrap_lists_reload(struct mount *mount);
bool __wrap_fence_is_outdated(struct fence *fence);
void __wrap_connection_drain(struct connection *connection);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);

void __wrap_lists_each_folder(struct mount *mount, void (*visit)(void *data, const char *folder),
                              void *data)
{
    (void)mount;
    for (const char *const *folder = seen.folders; *folder; folder++)
        visit(data, *folder);
}

size_t __wrap_lists_reload(struct mount *mount)
{
    (void)mount;
    seen.reloads++;
    return seen.is_faulty;
}

bool __wrap_fence_is_outdated(struct fence *fence)
{
    (void)fence;
    return seen.is_outdated;
}

void __wrap_connection_drain(struct connection *connection)
{
    (void)connection;
    seen.drains++;
}

/* The first wait after the lists were read, and the next. It is not quiet while the test writes. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    bool is_first = seen.waited_after != seen.reloads;
    int r;

    seen.waited_after = seen.reloads;
    atomic_store(is_first ? &seen.waits : &seen.settles, timeout);
    if (is_first && timeout > 0)
        timeout = seen.has_time ? 1 : FOR_EVER;
    do
        r = __real_poll(fds, count, timeout);
    while (r == 0 && seen.is_changing);
    return r;
}

static void on_reloaded(void *data)
{
    (void)data;
    seen.told++;
}

static struct worker worker;

static void open_watch(const struct sandbox *box, const char *const *folders)
{
    static const struct worker_start start = {.reloaded = on_reloaded};
    char file[100];

    memset(&seen, 0, sizeof seen);
    seen.folders = folders;
    worker.start = &start;
    snprintf(file, sizeof file, "%s/said", box->folder);
    assert_int_equal(chdir(box->folder), 0);
    assert_int_equal(log_open(&worker.mount.log, LOG_LEVEL_DEBUG, file, 1), 0);
    worker.list_watch = list_watch_open(&worker);
    assert_non_null(worker.list_watch);
}

static void close_watch(void)
{
    list_watch_close(worker.list_watch);
    log_close(worker.mount.log);
    assert_int_equal(chdir("/"), 0);
}

/* Until the lists have been read so often, and it waits for the next change. */
static void wait_for(unsigned reloads)
{
    for (int tries = 0; seen.told < reloads || seen.waits == INT_MAX; tries++) {
        if (tries == 20000)
            fail_msg("read %u times, not %u", (unsigned)seen.told, reloads);
        usleep(1000);
    }
    assert_int_equal(seen.reloads, reloads);
}

/* One change, and all of it, is one reason to read. */
static void change(const struct sandbox *box, const char *how)
{
    unsigned before = seen.reloads;

    seen.waits = INT_MAX;
    seen.is_changing = true;
    run(box, "%s", how);
    seen.is_changing = false;
    wait_for(before + 1);
    assert_int_equal(seen.settles, 100);
}

static void what_changes_is_read_when_it_is_quiet(void **state)
{
    static const char *const folders[] = {"lists", NULL};
    static const char *const changes[] = {
        "echo x >lists/new; echo y >>lists/new; echo z >lists/newer",
        "mv lists/new lists/old",
        "mv lists/old old",
        "mv old lists/old",
        "chmod 600 lists/old",
        "rm lists/old",
    };

    run(*state, "mkdir lists");
    open_watch(*state, folders);
    wait_for(1);
    assert_int_equal(seen.waits, FOR_EVER);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        change(*state, changes[i]);
    change(*state, "mv lists away");
    assert_int_equal(seen.waits, 5000);
    close_watch();
}

static void a_folder_that_is_not_there_is_waited_for(void **state)
{
    static const char *const orders[][4] = {{"lists", "lists/not/yet", NULL},
                                            {"lists/not/yet", "lists", NULL}};

    for (int i = 0; i < 2; i++) {
        run(*state, "rm -rf lists; mkdir lists");
        open_watch(*state, orders[i]);
        wait_for(1);
        assert_int_equal(seen.waits, 5000);
        change(*state, "mkdir lists/not");
        assert_int_equal(seen.waits, 5000);
        change(*state, "echo x >lists/new");
        change(*state, "mkdir lists/not/yet");
        assert_int_equal(seen.waits, FOR_EVER);
        change(*state, "echo x >lists/not/yet/new");
        close_watch();
    }
}

/* Nobody tells when that has become good. */
static void what_cannot_be_read_is_tried_again(void **state)
{
    static const char *const folders[] = {"lists", NULL};

    run(*state, "mkdir lists");
    open_watch(*state, folders);
    wait_for(1);
    seen.is_faulty = true;
    change(*state, "echo x >lists/new");
    assert_int_equal(seen.waits, 5000);
    seen.is_faulty = false;
    seen.has_time = true;
    seen.waits = INT_MAX;
    list_watch_reload(worker.list_watch); /* it is in the wait that has no end here */
    wait_for(3);
    assert_int_equal(seen.waits, FOR_EVER);
    close_watch();
}

static void what_cannot_be_watched_is_said_once(void **state)
{
    static const char *const folders[] = {"file", "file/below", NULL};

    run(*state, "touch file");
    open_watch(*state, folders);
    wait_for(1);
    seen.waits = INT_MAX;
    list_watch_reload(worker.list_watch); /* SIGHUP */
    wait_for(2);
    assert_int_equal(seen.waits, 5000);
    close_watch();
    assert_string_equal(output(*state, "grep -c 'cannot watch file: Not a directory' said"), "1");
    assert_string_equal(output(*state, "grep -c 'cannot watch' said"), "1");
}

static void what_a_worker_may_not_open_is_for_the_next(void **state)
{
    static const char *const folders[] = {"lists", NULL};

    run(*state, "mkdir lists");
    open_watch(*state, folders);
    wait_for(1);
    assert_int_equal(seen.drains, 0);
    seen.is_outdated = true;
    change(*state, "echo x >lists/new");
    assert_int_equal(seen.drains, 1);
    close_watch();
}

static atomic_bool no_inotify;

int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);

int __wrap_inotify_init1(int flags)
{
    errno = EMFILE;
    return no_inotify ? -1 : __real_inotify_init1(flags);
}

/* SIGHUP is as good as ever. */
static void where_nothing_can_be_watched_it_is_told(void **state)
{
    static const char *const folders[] = {"lists", NULL};

    run(*state, "mkdir lists");
    no_inotify = true;
    open_watch(*state, folders);
    no_inotify = false;
    wait_for(1);
    seen.waits = INT_MAX;
    list_watch_reload(worker.list_watch);
    wait_for(2);
    assert_int_equal(seen.waits, FOR_EVER);
    close_watch();
    assert_string_equal(output(*state,
                               "grep -c 'cannot watch the lists (Too many open files): after "
                               "a change, send SIGHUP' said"),
                        "1");
}

/* The mount goes on without. */
static void without_a_descriptor_there_is_no_watch(void **state)
{
    struct rlimit limit, none;
    char file[100];

    snprintf(file, sizeof file, "%s/said", ((const struct sandbox *)*state)->folder);
    assert_int_equal(log_open(&worker.mount.log, LOG_LEVEL_DEBUG, file, 1), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct list_watch *watch = list_watch_open(&worker);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_null(watch);
    list_watch_reload(watch);
    list_watch_close(watch);
    log_close(worker.mount.log);
    assert_string_equal(output(*state, "grep -c 'changes of the lists go unnoticed' said"), "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_changes_is_read_when_it_is_quiet),
        TEST(a_folder_that_is_not_there_is_waited_for),
        TEST(what_cannot_be_read_is_tried_again),
        TEST(what_cannot_be_watched_is_said_once),
        TEST(what_a_worker_may_not_open_is_for_the_next),
        TEST(where_nothing_can_be_watched_it_is_told),
        TEST(without_a_descriptor_there_is_no_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
