/* Texts that grow in memory: each allocation made to fail once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/base/listing.h"
#include "gitcache/base/memory_file.h"

/* How many allocations succeed before one fails; -1: all do. */
static int left = -1;

static int fails_now(void)
{
    return left >= 0 && left-- == 0;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    return fails_now() ? NULL : __real_realloc(old, size);
}

static void test_all_that_is_written(void **state)
{
    char *text;
    size_t size;
    FILE *out = memory_file_open(&text, &size);

    (void)state;
    assert_non_null(out);
    for (int i = 0; i < 100000; i++)
        fprintf(out, "%05d\n", i);
    assert_int_equal(0, fflush(out));
    assert_int_equal(600000, size);
    fputs("end", out);
    assert_int_equal(600003, ftell(out));
    assert_int_equal(0, fclose(out));
    assert_int_equal(600003, size);
    assert_int_equal(size, strlen(text));
    assert_string_equal("99999\nend", text + 600003 - 9);
    free(text);
}

static void test_nothing_written(void **state)
{
    char *text;
    size_t size;
    FILE *out = memory_file_open(&text, &size);

    (void)state;
    assert_int_equal(0, fclose(out));
    assert_int_equal(0, size);
    assert_string_equal("", text);
    free(text);
}

static void test_no_piece_is_missing(void **state)
{
    int failures = 0;

    (void)state;
    for (int at = 0; at < 20; at++) {
        char *text;
        size_t size;

        left = at;
        FILE *out = memory_file_open(&text, &size);
        for (int i = 0; out && i < 100000; i++)
            fprintf(out, "%05d\n", i);
        int r = out ? fclose(out) : EOF;
        left = -1;
        failures += r != 0;
        assert_true(r != 0 ? text == NULL : size == 600000 && strlen(text) == size);
        free(text);
    }
    assert_true(failures > 3);
}

static void test_a_listing_is_whole_or_none(void **state)
{
    struct listing listing = {.listed_at = 1};
    char name[64];

    (void)state;
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "refs/tags/%05d", i);
        assert_int_equal(0, listing_add(&listing, name, &(struct oid){{1}}, &(struct oid){{1}}));
    }
    listing_finish(&listing);
    size_t whole;
    char *expected = listing_format(&listing, &whole);
    for (int at = 0; at < 20; at++) {
        size_t size;

        left = at;
        char *text = listing_format(&listing, &size);
        left = -1;
        assert_true(!text || (size == whole && memcmp(text, expected, size) == 0));
        free(text);
    }
    free(expected);
    listing_release(&listing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_written),
        cmocka_unit_test(test_nothing_written),
        cmocka_unit_test(test_no_piece_is_missing),
        cmocka_unit_test(test_a_listing_is_whole_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
