/* Who uses a cache, and when a version was last read. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "gitcache/store/last_read.h"
#include "gitcache/store/lease.h"
#include "tests/unit/apart.h"
#include "tests/unit/sandbox.h"

#define SECOND INT64_C(1000000000)

static struct lease *begin(const struct sandbox *box, enum lease_kind kind)
{
    char cache[100];

    snprintf(cache, sizeof cache, "%s/cache", box->folder);
    return lease_begin(cache, kind);
}

static int64_t time_of(const struct sandbox *box, const char *file)
{
    long long seconds, part;

    assert_int_equal(sscanf(output(box, "stat -c %%.9Y %s", file), "%lld.%lld", &seconds, &part),
                     2);
    return seconds * SECOND + part;
}

static void test_a_lease_is_a_locked_file(void **state)
{
    const struct sandbox *box = *state;
    struct lease *lease = begin(box, LEASE_KEEPS);

    assert_non_null(lease);
    assert_string_equal(output(box, "stat -c %%a cache"), "700");
    run(box,
        "cd cache/startpointfs-users; test $(ls | wc -l) = 1; if flock -n * true; then exit 1; fi");
    assert_true(lease_since(lease) == time_of(box, "cache/startpointfs-users/*"));
    lease_end(lease);
    assert_string_equal(output(box, "ls cache/startpointfs-users"), "");
}

static void test_where_no_lease_can_be_had(void **state)
{
    const struct sandbox *box = *state;

    run(box, "echo >cache");
    assert_null(begin(box, LEASE_KEEPS));
    run(box, "rm cache; mkdir cache; ln -s nowhere cache/startpointfs-users");
    struct lease *lease = begin(box, LEASE_KEEPS); /* whatever stood there */
    assert_non_null(lease);
    lease_end(lease);
    lease_end(NULL);
}

static int64_t oldest_other(const struct lease *lease, bool of_all)
{
    int64_t oldest = -1;

    assert_int_equal(lease_oldest_other(lease, of_all, &oldest), 0);
    return oldest;
}

/* The longest-standing of others that live; of those that keep, or of all. */
static void test_the_oldest_other(void **state)
{
    const struct sandbox *box = *state;
    struct lease *own = begin(box, LEASE_KEEPS), *keeps, *brings;

    assert_true(oldest_other(own, true) == INT64_MAX);
    brings = begin(box, LEASE_BRINGS);
    run(box, "touch -d '9 days ago' cache/startpointfs-users/mount-*");
    int64_t since = time_of(box, "cache/startpointfs-users/mount-*");
    assert_true(oldest_other(own, true) == since);
    assert_true(oldest_other(own, false) == INT64_MAX);
    assert_true(oldest_other(brings, false) == lease_since(own));
    keeps = begin(box, LEASE_KEEPS);
    assert_true(oldest_other(own, true) == since);
    assert_true(oldest_other(own, false) == lease_since(keeps));
    lease_end(brings);
    assert_true(oldest_other(own, true) == lease_since(keeps));
    lease_end(keeps);
    assert_true(oldest_other(own, true) == INT64_MAX);
    lease_end(own);
}

/* Whichever of them the folder names first. */
static void test_the_oldest_of_several(void **state)
{
    const struct sandbox *box = *state;
    struct lease *own = begin(box, LEASE_KEEPS), *others[3];

    for (size_t i = 0; i < 3; i++)
        others[i] = begin(box, LEASE_BRINGS);
    for (int oldest = 1; oldest <= 3; oldest++) {
        run(box,
            "cd cache/startpointfs-users; touch -d @1600000000 mount-*;"
            "touch -d @1500000000 $(ls mount-* | sed -n %dp)",
            oldest);
        assert_true(oldest_other(own, true) == 1500000000 * SECOND);
    }
    for (size_t i = 0; i < 3; i++)
        lease_end(others[i]);
    lease_end(own);
}

/* The files of the dead go; what is no lease is none. */
static void test_what_is_no_lease(void **state)
{
    const struct sandbox *box = *state;
    struct lease *own = begin(box, LEASE_KEEPS);

    run(box,
        "cd cache/startpointfs-users; touch -d '9 days ago' user-dead mount-dead; mkdir folder;"
        "touch .hidden; ln -s user-dead link; mkfifo fifo");
    assert_true(oldest_other(own, true) == INT64_MAX);
    assert_string_equal(
        output(box, "cd cache/startpointfs-users; ls -A | grep -v 'user-......$' | xargs"),
        ".hidden fifo folder link");
    lease_end(own);
}

/* Who began more than two seconds after us began when a clock was wrong: all may be in use then. */
static void test_a_lease_that_begins_ahead(void **state)
{
    const struct sandbox *box = *state;
    struct lease *own = begin(box, LEASE_KEEPS), *other = begin(box, LEASE_BRINGS);
    static const struct {
        int64_t ahead;
        bool counts;
    } rows[] = {{0, true}, {2 * SECOND, true}, {2 * SECOND + 1, false}};
    char path[200];

    snprintf(path, sizeof path, "%s", output(box, "echo $PWD/cache/startpointfs-users/mount-*"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t at = lease_since(own) + rows[i].ahead;
        const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {at / SECOND, at % SECOND}};

        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        assert_true(oldest_other(own, true) == (rows[i].counts ? at : 0));
    }
    lease_end(other);
    lease_end(own);
}

/* As nobody: whose file may not be opened may be a user since ever. */
static void look_as_another(void *data)
{
    const struct sandbox *box = data;
    char path[100];
    int64_t oldest = -1;

    snprintf(path, sizeof path, "%s/cache", box->folder);
    CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    struct lease *own = lease_begin(path, LEASE_KEEPS);
    CHECK(own != NULL);
    CHECK(lease_oldest_other(own, true, &oldest) == 0 && oldest == 0);
    lease_end(own);
}

static void test_a_lease_of_another_user(void **state)
{
    struct sandbox *box = *state;
    struct lease *lease = begin(box, LEASE_KEEPS);

    run(box, "chmod 755 .; chmod 777 cache cache/startpointfs-users; chmod 600 "
             "cache/startpointfs-users/*");
    run_apart(look_as_another, box);
    lease_end(lease);
}

static void test_who_cannot_look_says_so(void **state)
{
    const struct sandbox *box = *state;
    struct lease *own = begin(box, LEASE_KEEPS);
    struct rlimit old, none = {0};
    int64_t oldest;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = lease_oldest_other(own, true, &oldest);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(r, -EMFILE);
    lease_end(own);
}

/* ---- when a version was last read ---- */

static void test_the_time_of_a_ref(void **state)
{
    const struct sandbox *box = *state;

    assert_true(last_read_at(box->folder, "refs/tags/x") == INT64_MAX);
    assert_false(last_read_touch(box->folder, "refs/tags/x"));
    run(box, "touch -d @1000000000.25 packed-refs");
    assert_true(last_read_at(box->folder, "refs/tags/x") == 1000000000 * SECOND + SECOND / 4);
    run(box, "mkdir -p refs/tags; touch -d @1200000000.5 refs/tags/x");
    assert_true(last_read_at(box->folder, "refs/tags/x") == 1200000000 * SECOND + SECOND / 2);
    assert_true(last_read_touch(box->folder, "refs/tags/x"));
    run(box, "test $(stat -c %%Y refs/tags/x) -gt 1700000000; test $(stat -c %%Y packed-refs) = "
             "1000000000");
}

/* Two seconds are no difference; what nobody knows does not lie ahead. */
static void test_what_lies_ahead(void **state)
{
    int64_t now = time(NULL);

    (void)state;
    assert_false(last_read_lies_ahead(INT64_MAX));
    assert_false(last_read_lies_ahead(0));
    assert_false(last_read_lies_ahead(now * SECOND));
    assert_true(last_read_lies_ahead((now + 60) * SECOND));
}

/* It is kept over a change of the file; but what lies ahead becomes now. */
static void test_the_time_of_packed_refs(void **state)
{
    const struct sandbox *box = *state;
    struct timespec time;

    last_read_of_packed(box->folder, &time);
    last_read_set_packed(box->folder, &time);
    run(box, "test ! -e packed-refs; touch -d @1000000000.25 packed-refs");
    last_read_of_packed(box->folder, &time);
    run(box, "touch packed-refs");
    last_read_set_packed(box->folder, &time);
    assert_string_equal(output(box, "stat -c %%.2Y packed-refs"), "1000000000.25");
    run(box, "touch -d '1 day' packed-refs");
    last_read_of_packed(box->folder, &time);
    last_read_set_packed(box->folder, &time);
    run(box, "test $(stat -c %%Y packed-refs) -le $(date +%%s)");
    run(box, "rm packed-refs");
    last_read_of_packed(box->folder, &time);
    run(box, "touch -d @1000000000 packed-refs");
    last_read_set_packed(box->folder, &time);
    assert_string_equal(output(box, "stat -c %%Y packed-refs"), "1000000000");
}

/* Whatever stands in its place. Readers do not keep each other away, gc does. */
static void test_the_lock_of_reads(void **state)
{
    static const char *const ways[] = {":", "mkdir startpointfs-reads",
                                       "ln -s nowhere startpointfs-reads",
                                       "mkfifo startpointfs-reads"};
    const struct sandbox *box = *state;

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        run(box, "rm -rf startpointfs-reads; %s", ways[i]);
        int lock = last_read_lock(box->folder, LOCK_SH);
        assert_true(lock >= 0);
        run(box, "test -f startpointfs-reads; flock -n -s startpointfs-reads true;"
                 "if flock -n -x startpointfs-reads true; then exit 1; fi");
        close(lock);
        lock = last_read_lock(box->folder, LOCK_EX);
        run(box, "if flock -n -s startpointfs-reads true; then exit 1; fi");
        close(lock);
    }
    assert_int_equal(last_read_lock("/nowhere", LOCK_SH), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_lease_is_a_locked_file), TEST(test_where_no_lease_can_be_had),
        TEST(test_the_oldest_other),         TEST(test_the_oldest_of_several),
        TEST(test_what_is_no_lease),         TEST(test_a_lease_that_begins_ahead),
        TEST(test_who_cannot_look_says_so),  TEST(test_a_lease_of_another_user),
        TEST(test_the_time_of_a_ref),        TEST(test_what_lies_ahead),
        TEST(test_the_time_of_packed_refs),  TEST(test_the_lock_of_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
