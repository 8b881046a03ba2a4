#include "fs/tree/blobs.h"
#include "tests/unit/sandbox.h"

#define MIB ((size_t)1 << 20)

static struct blobs *open_blobs(void **state, size_t max)
{
    const struct sandbox *box = *state;
    struct blobs *blobs = blobs_new(max, box->folder);

    assert_non_null(blobs);
    return blobs;
}

/* Bytes that say whose they are; the blob is given back at once. */
static void add(struct blobs *blobs, uint32_t key, size_t size)
{
    char *bytes = malloc(size);
    struct blob *blob;

    assert_non_null(bytes);
    memset(bytes, (int)key, size);
    assert_int_equal(blobs_add(blobs, key, bytes, size, &blob), 0);
    blobs_put(blobs, blob);
}

static int is_there(struct blobs *blobs, uint32_t key, size_t size)
{
    struct blob *blob = blobs_find(blobs, key);

    if (!blob)
        return 0;
    assert_int_equal(blobs_size(blob), size);
    assert_int_equal(((const char *)blobs_bytes(blob))[size - 1], (char)key);
    blobs_put(blobs, blob);
    return 1;
}

static void test_what_was_added_is_found(void **state)
{
    struct blobs *blobs = open_blobs(state, MIB);
    struct blob *blob;

    assert_null(blobs_find(blobs, 1));
    add(blobs, 1, 10);
    add(blobs, 1 + 1024, 20); /* in the same bucket */
    assert_true(is_there(blobs, 1, 10));
    assert_true(is_there(blobs, 1 + 1024, 20));
    assert_int_equal(blobs_add(blobs, 2, malloc(1), 0, &blob), 0);
    assert_int_equal(blobs_size(blob), 0);
    blobs_put(blobs, blob);
    blobs_free(blobs);
}

static void test_what_was_used_longest_ago_goes_first(void **state)
{
    struct blobs *blobs = open_blobs(state, 300);

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
    struct blobs *blobs = open_blobs(state, 100);

    add(blobs, 1, 100);
    struct blob *blob = blobs_find(blobs, 1);
    assert_non_null(blob);
    add(blobs, 2, 100);
    assert_int_equal(((const char *)blobs_bytes(blob))[99], 1);
    blobs_put(blobs, blob);
    add(blobs, 3, 100);
    assert_false(is_there(blobs, 1, 100));
    blobs_free(blobs);
}

static void test_who_comes_second_gets_the_first_one_s(void **state)
{
    struct blobs *blobs = open_blobs(state, MIB);
    struct blob *first, *second;

    assert_int_equal(blobs_add(blobs, 1, strdup("a"), 2, &first), 0);
    assert_int_equal(blobs_add(blobs, 1, strdup("b"), 2, &second), 0);
    assert_ptr_equal(first, second);
    assert_string_equal(blobs_bytes(second), "a");
    blobs_put(blobs, first);
    blobs_put(blobs, second);
    blobs_free(blobs);
}

static void test_large_files_do_not_push_each_other_out(void **state)
{
    struct blobs *blobs = open_blobs(state, MIB);

    add(blobs, 1, 17 * MIB);
    add(blobs, 2, 17 * MIB);
    add(blobs, 3, 100);
    assert_true(is_there(blobs, 1, 17 * MIB));
    assert_true(is_there(blobs, 2, 17 * MIB));
    assert_true(is_there(blobs, 3, 100));
    /* They lie in files that nobody sees. */
    assert_string_equal(output(*state, "ls -A | grep -v gitconfig | grep -v log || true"), "");
    blobs_free(blobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_added_is_found, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_was_used_longest_ago_goes_first, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_borrowed_stays, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_who_comes_second_gets_the_first_one_s, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_large_files_do_not_push_each_other_out, sandbox_open,
                                        sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
