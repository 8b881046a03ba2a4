#include <fcntl.h>

#include "fs/tree/blobs.h"
#include "gitcache/base/spool.h"
#include "tests/unit/sandbox.h"

#define MIB ((size_t)1 << 20)

static struct blobs *open_blobs(size_t max)
{
    struct blobs *blobs = blobs_new(max, 40 * MIB);

    assert_non_null(blobs);
    return blobs;
}

/* Bytes that say whose they are; the blob is given back at once. */
static void add(struct blobs *blobs, uint32_t key, size_t size)
{
    struct content content = {malloc(size), size, -1};
    struct blob *blob;

    assert_non_null(content.data);
    memset(content.data, (int)key, size);
    assert_int_equal(blobs_add(blobs, key, &content, &blob), 0);
    blobs_put(blobs, blob);
}

static void add_file(const struct sandbox *box, struct blobs *blobs, uint32_t key, size_t size)
{
    struct content content = {.size = size, .fd = spool_open(box->folder, NULL)};
    struct blob *blob;

    assert_true(content.fd >= 0);
    assert_int_equal(blobs_add(blobs, key, &content, &blob), 0);
    blobs_put(blobs, blob);
}

static int is_file_there(struct blobs *blobs, uint32_t key)
{
    struct blob *blob = blobs_find(blobs, key);

    if (!blob)
        return 0;
    assert_true(fcntl(blobs_content(blob)->fd, F_GETFD) >= 0);
    blobs_put(blobs, blob);
    return 1;
}

static int is_there(struct blobs *blobs, uint32_t key, size_t size)
{
    struct blob *blob = blobs_find(blobs, key);

    if (!blob)
        return 0;
    assert_int_equal(blobs_content(blob)->size, size);
    assert_int_equal(blobs_content(blob)->data[size - 1], (char)key);
    blobs_put(blobs, blob);
    return 1;
}

static void test_what_was_added_is_found(void **state)
{
    struct blobs *blobs = open_blobs(MIB);
    struct content empty = {malloc(1), 0, -1};
    struct blob *blob;

    (void)state;
    assert_null(blobs_find(blobs, 1));
    add(blobs, 1, 10);
    add(blobs, 1 + 1024, 20); /* in the same bucket */
    assert_true(is_there(blobs, 1, 10));
    assert_true(is_there(blobs, 1 + 1024, 20));
    assert_int_equal(blobs_add(blobs, 2, &empty, &blob), 0);
    assert_int_equal(blobs_content(blob)->size, 0);
    blobs_put(blobs, blob);
    blobs_free(blobs);
}

static void test_what_was_used_longest_ago_goes_first(void **state)
{
    struct blobs *blobs = open_blobs(300);

    (void)state;
    add(blobs, 1, 100);
    add(blobs, 2, 100);
    add(blobs, 3, 100);
    assert_true(is_there(blobs, 1, 100));
    add(blobs, 4, 100);
    assert_false(is_there(blobs, 2, 100));
    assert_true(is_there(blobs, 1, 100));
    assert_true(is_there(blobs, 3, 100));
    add(blobs, 5, 1000); /* the newest stays, however large */
    assert_true(is_there(blobs, 5, 1000));
    assert_false(is_there(blobs, 1, 100));
    blobs_free(blobs);
}

static void test_what_is_borrowed_stays(void **state)
{
    struct blobs *blobs = open_blobs(100);

    (void)state;
    add(blobs, 1, 100);
    struct blob *blob = blobs_find(blobs, 1);
    assert_non_null(blob);
    add(blobs, 2, 100);
    assert_int_equal(blobs_content(blob)->data[99], 1);
    add(blobs, 3, 100); /* another one goes in its place */
    assert_false(is_there(blobs, 2, 100));
    assert_true(is_there(blobs, 1, 100));
    blobs_put(blobs, blob);
    add(blobs, 4, 100);
    assert_false(is_there(blobs, 1, 100));
    blobs_free(blobs);
}

/* Not only when the next one comes. */
static void test_what_is_too_much_goes_as_soon_as_it_is_given_back(void **state)
{
    struct blobs *blobs = open_blobs(100);

    (void)state;
    add(blobs, 1, 100);
    struct blob *blob = blobs_find(blobs, 1);
    add(blobs, 2, 100);
    blobs_put(blobs, blob);
    assert_false(is_there(blobs, 1, 100));
    assert_true(is_there(blobs, 2, 100));
    blobs_free(blobs);
}

static void test_who_comes_second_gets_the_first_one_s(void **state)
{
    struct blobs *blobs = open_blobs(MIB);
    struct content a = {strdup("a"), 2, -1}, b = {strdup("b"), 2, -1};
    struct blob *first, *second;

    (void)state;
    assert_int_equal(blobs_add(blobs, 1, &a, &first), 0);
    assert_int_equal(blobs_add(blobs, 1, &b, &second), 0);
    assert_ptr_equal(first, second);
    assert_string_equal(blobs_content(second)->data, "a");
    blobs_put(blobs, first);
    blobs_put(blobs, second);
    blobs_free(blobs);
}

static void test_files_and_memory_do_not_push_each_other_out(void **state)
{
    struct blobs *blobs = open_blobs(MIB);

    add_file(*state, blobs, 1, 17 * MIB);
    add_file(*state, blobs, 2, 17 * MIB);
    add(blobs, 3, 100);
    assert_true(is_file_there(blobs, 1));
    assert_true(is_file_there(blobs, 2));
    assert_true(is_there(blobs, 3, 100));
    /* Nobody sees them. */
    assert_string_equal(output(*state, "ls -A | grep -v gitconfig | grep -v log || true"), "");
    add_file(*state, blobs, 4, 17 * MIB);
    assert_false(is_file_there(blobs, 1));
    assert_true(is_file_there(blobs, 2));
    assert_true(is_there(blobs, 3, 100));
    blobs_free(blobs);
}

static void test_a_full_disk_takes_the_files(void **state)
{
    struct blobs *blobs = open_blobs(MIB);

    assert_false(blobs_drop_files(blobs));
    add_file(*state, blobs, 1, MIB);
    add_file(*state, blobs, 2, MIB);
    add(blobs, 3, 100);
    struct blob *used = blobs_find(blobs, 1);
    assert_true(blobs_drop_files(blobs));
    assert_false(is_file_there(blobs, 2));
    assert_false(blobs_drop_files(blobs));
    blobs_put(blobs, used);
    assert_true(is_file_there(blobs, 1));
    assert_true(is_there(blobs, 3, 100));
    blobs_free(blobs);
}

static void test_what_the_kernel_has_is_not_kept(void **state)
{
    struct blobs *blobs = open_blobs(MIB);

    (void)state;
    add(blobs, 1, 100);
    struct blob *one = blobs_find(blobs, 1), *two = blobs_find(blobs, 1);
    blobs_put_read(blobs, one);
    assert_int_equal(blobs_content(two)->data[99], 1);
    blobs_put_read(blobs, two);
    assert_null(blobs_find(blobs, 1));
    blobs_free(blobs);
}

static void test_what_is_dropped_makes_room(void **state)
{
    struct blobs *blobs = open_blobs(300);

    (void)state;
    add(blobs, 1, 100);
    add(blobs, 2, 100);
    add(blobs, 3, 100);
    struct blob *used = blobs_find(blobs, 3);
    blobs_drop(blobs, 1);
    blobs_drop(blobs, 3); /* who uses it goes on */
    blobs_drop(blobs, 4); /* which is not there */
    assert_null(blobs_find(blobs, 1));
    add(blobs, 5, 100);
    assert_true(is_there(blobs, 2, 100));
    assert_int_equal(blobs_content(used)->data[99], 3);
    blobs_put(blobs, used);
    assert_true(is_there(blobs, 3, 100));
    struct blob *read = blobs_find(blobs, 2);
    blobs_put_read(blobs, read);
    add(blobs, 6, 100);
    assert_true(is_there(blobs, 3, 100) && is_there(blobs, 5, 100) && is_there(blobs, 6, 100));
    blobs_free(blobs);
    blobs_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_added_is_found),
        TEST(test_what_was_used_longest_ago_goes_first),
        TEST(test_what_is_borrowed_stays),
        TEST(test_what_is_too_much_goes_as_soon_as_it_is_given_back),
        TEST(test_who_comes_second_gets_the_first_one_s),
        TEST(test_files_and_memory_do_not_push_each_other_out),
        TEST(test_a_full_disk_takes_the_files),
        TEST(test_what_the_kernel_has_is_not_kept),
        TEST(test_what_is_dropped_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
