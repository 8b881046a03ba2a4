#include <time.h>

#include "fs/tree/file_order.h"
#include "fs/tree/files_ahead.h"
#include "gitcache/base/clock.h"
#include "gitcache/checkout/checkout_cache.h"
#include "tests/unit/mounted.h"

#define FILES 200 /* in one folder: more than are ever ahead */

/* a, b/1, b/2, d, e (a link), g */
static void make_folders(const struct sandbox *box)
{
    run_once(box,
             "git init -q repo; cd repo; mkdir b; for f in a b/1 b/2 d g; do echo $f >$f; done;"
             "ln -s f e; git add .; git commit -qm 1; git tag 1");
}

static void make_many(const struct sandbox *box)
{
    run_once(box,
             "git init -q repo; cd repo; mkdir m; for n in $(seq 100 %d); do echo $n >m/$n; done;"
             "git add .; git commit -qm 1; git tag 1",
             99 + FILES);
}

static bool is_unpacked(struct mounted *mounted, uint32_t file)
{
    struct blobs *blobs = mounted->mount.blobs;
    struct blob *blob = blobs_find(blobs, node_id(mounted->mount.nodes, file));

    if (blob)
        blobs_put(blobs, blob);
    return blob != NULL;
}

/* As a request does, that reads all of it. */
static void read_file(struct mounted *mounted, uint32_t file, const char *wanted)
{
    struct ask ask = {0};
    struct blob *blob;

    assert_int_equal(readings_get_blob(&mounted->mount, file, &ask, &blob), 0);
    assert_string_equal(blobs_content(blob)->data, wanted);
    blobs_put_read(mounted->mount.blobs, blob);
}

/* Whether all of these, and no others behind them, come to be unpacked, or not. */
static void expect(struct mounted *mounted, uint32_t first, uint32_t count, bool unpacked)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    int64_t until = clock_now() + 10000;

    for (uint32_t i = 0; i < count; i++)
        while (is_unpacked(mounted, first + i) != unpacked) {
            if (clock_now() > until)
                fail_msg("file %u of %u is%s unpacked", i, count, unpacked ? " not" : "");
            nanosleep(&moment, NULL);
        }
}

static uint32_t open_many(struct mounted *mounted, void **state)
{
    make_many(*state);
    mounted_open(mounted, state, "./repo?tag=1");
    return walk(mounted, "repo/1/m/100");
}

static void test_orders(void **state)
{
    struct mounted mounted;
    const struct nodes *nodes;

    make_folders(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t a = walk(&mounted, "repo/1/a"), d = walk(&mounted, "repo/1/d");
    uint32_t g = walk(&mounted, "repo/1/g");
    nodes = mounted.mount.nodes;
    /* A folder that nobody has opened is not opened for this. */
    assert_int_equal(file_order_next(nodes, a, true), d);
    uint32_t first = walk(&mounted, "repo/1/b/1"), second = walk(&mounted, "repo/1/b/2");
    assert_int_equal(file_order_next(nodes, a, true), first);
    assert_int_equal(file_order_next(nodes, first, true), second);
    assert_int_equal(file_order_next(nodes, second, true), d);
    assert_int_equal(file_order_next(nodes, d, true), g); /* the link is no file */
    assert_int_equal(file_order_next(nodes, g, true), NODE_ROOT_INDEX);
    assert_int_equal(file_order_next(nodes, a, false), d);
    assert_int_equal(file_order_next(nodes, second, false), NODE_ROOT_INDEX);
    assert_true(file_order_follows(nodes, a, d, true) && file_order_follows(nodes, a, d, false));
    assert_false(file_order_follows(nodes, d, a, true));
    mounted_close(&mounted);
}

static void test_one_file_brings_no_other(void **state)
{
    struct mounted mounted;
    uint32_t first = open_many(&mounted, state);

    read_file(&mounted, first, "100\n");
    read_file(&mounted, first + 100, "200\n");
    read_file(&mounted, first + 50, "150\n");
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    for (uint32_t i = 0; i < FILES; i++)
        assert_false(is_unpacked(&mounted, first + i));
    mounted_close(&mounted);
}

static void test_the_next_ones_are_there(void **state)
{
    struct mounted mounted;
    uint32_t first = open_many(&mounted, state);

    read_file(&mounted, first, "100\n");
    read_file(&mounted, first + 1, "101\n");
    expect(&mounted, first + 2, 32, true);
    assert_false(is_unpacked(&mounted, first + 2 + 64));        /* not all of them */
    crash_record_recover(&mounted.mount.state->crashes, false); /* nobody died of those */
    assert_int_equal(crash_record_deaths(
                         &mounted.mount.state->crashes,
                         crash_record_key_of_request(FILES_AHEAD_OPERATION,
                                                     node_id(mounted.mount.nodes, first + 2), "")),
                     0);
    /* Who passes over some: what is behind him is dropped. */
    read_file(&mounted, first + 4, "104\n");
    expect(&mounted, first + 2, 2, false);
    mounted_close(&mounted);
}

static void test_each_is_unpacked_once(void **state)
{
    struct mounted mounted;
    uint32_t first = open_many(&mounted, state);
    uint64_t before = checkout_cache_reads(mounted.mount.checkout_cache);
    char wanted[10];

    for (uint32_t i = 0; i < FILES; i++) {
        if (i > 1) /* so that no two do the same at once */
            expect(&mounted, first + i, 1, true);
        snprintf(wanted, sizeof wanted, "%u\n", 100 + i);
        read_file(&mounted, first + i, wanted);
    }
    assert_int_equal(checkout_cache_reads(mounted.mount.checkout_cache) - before, FILES);
    mounted_close(&mounted);
}

/* What has been read is not ahead any more. */
static void test_large_ones_are_ahead_on_and_on(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    struct blob *blob;

    run_once(*state, "git init -q repo; cd repo; for n in $(seq 10 54); do "
                     "head -c 100000 /dev/zero >$n; done; git add .; git commit -qm 1; git tag 1");
    mounted_open(&mounted, state, "./repo?tag=1");
    blobs_free(mounted.mount.blobs);
    mounted.mount.blobs = blobs_new(16 << 20, 1);
    uint32_t first = walk(&mounted, "repo/1/10");
    for (uint32_t i = 0; i < 45; i++) { /* twice as much as is ahead at most */
        if (i > 1)
            expect(&mounted, first + i, 1, true);
        assert_int_equal(readings_get_blob(&mounted.mount, first + i, &ask, &blob), 0);
        blobs_put_read(mounted.mount.blobs, blob);
    }
    mounted_close(&mounted);
}

static void test_nothing_stays_when_nobody_reads(void **state)
{
    struct mounted mounted;
    uint32_t first = open_many(&mounted, state);

    read_file(&mounted, first, "100\n");
    read_file(&mounted, first + 1, "101\n");
    expect(&mounted, first + 2, 32, true);
    expect(&mounted, first, FILES, false);
    /* And it begins again. */
    read_file(&mounted, first + 10, "110\n");
    read_file(&mounted, first + 11, "111\n");
    expect(&mounted, first + 12, 32, true);
    mounted_close(&mounted);
}

static void test_what_workers_died_of_is_left_out(void **state)
{
    struct mounted mounted;
    uint32_t first = open_many(&mounted, state);
    struct crash_record *crashes = &mounted.mount.state->crashes;
    uint64_t id = node_id(mounted.mount.nodes, first + 3);

    crash_record_condemn(crashes, crash_record_key_of_request(FILES_AHEAD_OPERATION, id, ""));
    read_file(&mounted, first, "100\n");
    read_file(&mounted, first + 1, "101\n");
    expect(&mounted, first + 4, 10, true);
    assert_true(is_unpacked(&mounted, first + 2));
    assert_false(is_unpacked(&mounted, first + 3));
    mounted_close(&mounted);
}

/* Until one took too long for that. */
static void test_converted_files_are_tried(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    struct blob *blob;

    run(*state,
        "git init -q repo; cd repo; mkdir m; for n in $(seq 100 199); do echo $n >m/$n; done;"
        "echo '* text eol=crlf ident' >.gitattributes; git add .; git commit -qm 1; git tag 1");
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t first = walk(&mounted, "repo/1/m/100");
    for (uint32_t i = 0; i < 2; i++) {
        ask = (struct ask){0};
        while (readings_get_blob(&mounted.mount, first + i, &ask, &blob) == -EAGAIN)
            wait_for_work(&mounted, &ask);
        blobs_put_read(mounted.mount.blobs, blob);
    }
    expect(&mounted, first + 2, 20, true);
    read_file(&mounted, first + 2, "102\r\n");
    expect(&mounted, first, 100, false); /* nobody reads */
    atomic_store(&repos_at(&mounted.mount.repos, 0)->converts_slowly, true);
    for (uint32_t i = 0; i < 2; i++) {
        ask = (struct ask){0};
        while (readings_get_blob(&mounted.mount, first + i, &ask, &blob) == -EAGAIN)
            wait_for_work(&mounted, &ask);
        blobs_put_read(mounted.mount.blobs, blob);
    }
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    assert_false(is_unpacked(&mounted, first + 2));
    mounted_close(&mounted);
}

/* Who has read a lot of a version one after the other has gone to another folder; he is not believed again at once. */
static void test_a_reader_goes_to_another_folder(void **state)
{
    struct mounted mounted;
    char wanted[10];

    run(*state, "git init -q repo; cd repo; for f in m n o; do mkdir $f; for n in $(seq 100 180); "
                "do echo $n >$f/$n; done; done;"
                "git add .; git commit -qm 1; git tag 1");
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t m = walk(&mounted, "repo/1/m/100"), n = walk(&mounted, "repo/1/n/100");
    uint32_t o = walk(&mounted, "repo/1/o/100");
    for (uint32_t i = 0; i < 20; i++) {
        snprintf(wanted, sizeof wanted, "%u\n", 100 + i);
        read_file(&mounted, m + i, wanted);
    }
    read_file(&mounted, n + 10, "110\n");
    expect(&mounted, n + 11, 20, true);
    expect(&mounted, m + 20, 60, false); /* which he has left */
    read_file(&mounted, o + 10, "110\n");
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    assert_false(is_unpacked(&mounted, o + 11));
    mounted_close(&mounted);
}

/* So many are followed at once, whoever reads between them. */
static void test_four_readers_are_followed(void **state)
{
    struct mounted mounted;
    uint32_t first[5];
    char path[40];

    run(*state, "git init -q repo; cd repo; for f in 0 1 2 3 4; do mkdir $f; for n in $(seq 100 "
                "140); do echo $n >$f/$n; done; ln -s x l$f; done;"
                "git add .; git commit -qm 1; git tag 1");
    mounted_open(&mounted, state, "./repo?tag=1");
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "repo/1/%d/100", i);
        first[i] = walk(&mounted, path);
    }
    for (int i = 0; i < 4; i++)
        read_file(&mounted, first[i], "100\n");
    for (int i = 0; i < 4; i++) {
        read_file(&mounted, first[i] + 1, "101\n");
        expect(&mounted, first[i] + 2, 5, true);
    }
    for (int i = 0; i < 5; i++) { /* who reads links is no such reader */
        struct ask ask = {0};
        struct blob *blob;
        snprintf(path, sizeof path, "repo/1/l%d", i);
        assert_int_equal(readings_get_blob(&mounted.mount, walk(&mounted, path), &ask, &blob), 0);
        blobs_put_read(mounted.mount.blobs, blob);
    }
    assert_true(is_unpacked(&mounted, first[0] + 2) && is_unpacked(&mounted, first[3] + 2));
    read_file(&mounted, first[4], "100\n"); /* he takes the place of who has read longest ago */
    expect(&mounted, first[0] + 2, 5, false);
    assert_true(is_unpacked(&mounted, first[3] + 2));
    read_file(&mounted, first[4] + 1, "101\n");
    expect(&mounted, first[4] + 2, 5, true);
    mounted_close(&mounted);
}

/* As many as are few: those that he passes over are his all the same. */
static void test_a_reader_who_leaves_some_out_is_followed(void **state)
{
    struct mounted mounted;
    uint32_t first = open_many(&mounted, state);

    read_file(&mounted, first, "100\n");
    read_file(&mounted, first + 4, "104\n");
    expect(&mounted, first + 5, 10, true);
    assert_false(is_unpacked(&mounted, first + 2));
    read_file(&mounted, first + 100, "200\n"); /* somebody else's */
    read_file(&mounted, first + 105, "205\n"); /* and that one's too far */
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    assert_false(is_unpacked(&mounted, first + 106));
    mounted_close(&mounted);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(test_orders),
        TEST(test_one_file_brings_no_other),
        TEST(test_the_next_ones_are_there),
        TEST(test_each_is_unpacked_once),
        TEST(test_large_ones_are_ahead_on_and_on),
        TEST(test_nothing_stays_when_nobody_reads),
        TEST(test_what_workers_died_of_is_left_out),
        TEST(test_converted_files_are_tried),
        TEST(test_a_reader_goes_to_another_folder),
        TEST(test_four_readers_are_followed),
        TEST(test_a_reader_who_leaves_some_out_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
