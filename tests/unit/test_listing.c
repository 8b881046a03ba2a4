#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/listing_of_test.h"

#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222"

static void test_sorted_without_repetition(void **state)
{
    struct listing listing = {0};
    char name[40];

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "refs/tags/%d", (i * 37) % 50);
        add(&listing, name, ONE, ONE);
    }
    listing_finish(&listing);
    assert_int_equal(listing.count, 50);
    for (size_t i = 1; i < listing.count; i++)
        assert_true(strcmp(listing.refs[i - 1].name, listing.refs[i].name) < 0);
    listing_release(&listing);
    listing_finish(&listing);
    assert_null(listing_find(&listing, "HEAD"));
}

/* Names lie in blocks of memory, the first of which has 2,048 bytes: here only the NUL has no room in it. */
static void test_any_number_of_names(void **state)
{
    struct listing listing = {0};
    char name[2048];

    (void)state;
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '/' : 'x';
    memcpy(name, "refs/tags/", 10);
    name[1023] = '\0';
    add(&listing, name, ONE, ONE);
    name[1023] = 'x';
    name[1024] = '\0';
    add(&listing, name, ONE, ONE);
    for (int i = 0; i < 9000; i++) {
        snprintf(name, sizeof name, "refs/tags/%06d", i);
        add(&listing, name, ONE, ONE);
    }
    assert_int_equal(strlen(listing.refs[0].name), 1023);
    assert_int_equal(strlen(listing.refs[1].name), 1024);
    for (int i = 0; i < 9000; i++)
        assert_int_equal(atoi(listing.refs[i + 2].name + 10), i);
    listing_release(&listing);
}

static void test_odd_names_are_left_out(void **state)
{
    static const char *const odd[] = {
        "refs/pull/1/head", "refs/tags/",     "refs/tags/../x",   "refs/tags/.git",
        "refs/heads/a b",   "refs/tags/a\nb", "refs/tags/x.lock", "refs/tags//x",
        "refs/remotes/o/x", "HEADS",          "refs/tags/a\\b",   "",
    };
    struct listing listing = {0};

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        add(&listing, odd[i], ONE, ONE);
    assert_int_equal(listing.count, 0);
    add(&listing, "refs/tags/a/b", ONE, ONE);
    add(&listing, "HEAD", ONE, ONE);
    assert_int_equal(listing.count, 2);
    listing_release(&listing);
}

static void test_a_tag_wins_over_a_branch(void **state)
{
    struct listing listing = {0};

    (void)state;
    add(&listing, "refs/heads/1", ONE, ONE);
    add(&listing, "refs/tags/1", TWO, TWO);
    add(&listing, "refs/heads/2", ONE, ONE);
    listing_finish(&listing);
    assert_string_equal(listing_find_version(&listing, "1")->name, "refs/tags/1");
    assert_string_equal(listing_find_version(&listing, "2")->name, "refs/heads/2");
    assert_null(listing_find_version(&listing, "3"));
    listing_release(&listing);
}

static void test_default(void **state)
{
    struct listing listing = {0};

    (void)state;
    assert_null(listing_default(&listing));
    add(&listing, "HEAD", ONE, ONE);
    listing_finish(&listing);
    assert_string_equal(listing_default(&listing)->name, "HEAD");
    add(&listing, "refs/heads/trunk", ONE, ONE);
    listing.head = strdup("refs/heads/trunk");
    listing_finish(&listing);
    assert_string_equal(listing_default(&listing)->name, "refs/heads/trunk");
    add(&listing, "refs/heads/main", ONE, ONE);
    listing_finish(&listing);
    assert_string_equal(listing_default(&listing)->name, "refs/heads/main");
    add(&listing, "refs/heads/master", ONE, ONE);
    listing_finish(&listing);
    assert_string_equal(listing_default(&listing)->name, "refs/heads/master");
    listing_release(&listing);
}

static char *make_text(size_t *length)
{
    struct listing listing = {.listed_at = 1760000000, .head = strdup("refs/heads/main")};
    char *text;

    add(&listing, "refs/tags/2", TWO, ONE);
    add(&listing, "refs/heads/main", ONE, ONE);
    add(&listing, "HEAD", ONE, ONE);
    listing_finish(&listing);
    text = listing_format(&listing, length);
    assert_non_null(text);
    listing_release(&listing);
    return text;
}

static void test_format_and_parse(void **state)
{
    size_t length, again_length;
    char *text = make_text(&length), *again;
    struct listing listing;
    struct error e = {0};

    (void)state;
    assert_int_equal(listing_parse(&listing, text, length, &e), 0);
    assert_int_equal(listing.count, 3);
    assert_int_equal(listing.listed_at, 1760000000);
    assert_string_equal(listing.head, "refs/heads/main");
    assert_true(oid_equal(&listing_find(&listing, "refs/tags/2")->peeled,
                          &listing_find(&listing, "HEAD")->oid));
    again = listing_format(&listing, &again_length);
    assert_int_equal(length, again_length);
    assert_memory_equal(text, again, length);
    free(again);
    free(text);
    listing_release(&listing);
}

/* What a version without checksums wrote is read, and known to be that. */
static void test_a_listing_without_a_checksum(void **state)
{
    static const char text[] = "startpointfs listing 1\ntime 1\n" ONE " refs/tags/a\nend\n";
    struct listing listing;
    struct error e = {0};

    (void)state;
    assert_int_equal(listing_parse(&listing, text, strlen(text), &e), 0);
    assert_true(listing.unproven);
    assert_int_equal(listing.count, 1);
    listing_release(&listing);
}

/* No byte may be lost or change without notice. */
static void test_damage_is_noticed(void **state)
{
    static const char *const damaged[] = {
        "",
        "startpointfs listing 2\ntime 1\nend\n",
        "startpointfs listing 1\nend\n",
        "startpointfs listing 1\ntime -1\nend\n",
        "startpointfs listing 1\ntime 1x\nend\n",
        "startpointfs listing 1\ntime 01\nend\n",
        "startpointfs listing 1\ntime 1\n" ONE " HEAD " ONE "\nend\n",
        "startpointfs listing 1\ntime 1\nA" ONE " HEAD\nend\n",
        "startpointfs listing 1\ntime 99999999999999999999\nend\n",
        "startpointfs listing 1\ntime 1\nhead refs/../x\nend\n",
        "startpointfs listing 1\ntime 1\n" ONE "\nend\n",
        "startpointfs listing 1\ntime 1\n" ONE "  HEAD\nend\n",
        "startpointfs listing 1\ntime 1\n" ONE " HEAD " ONE "1\nend\n",
        "startpointfs listing 1\ntime 1\n" ONE " refs/tags/..\nend\n",
        "startpointfs listing 1\ntime 1\n" ONE " refs/tags/b\n" ONE " refs/tags/a\nend\n",
        "startpointfs listing 1\ntime 1\n" ONE " HEAD\n" ONE " HEAD\nend\n",
        "startpointfs listing 1\ntime 1\nend\nend\n",
        "startpointfs listing 1\ntime 1\nend",
    };
    size_t length;
    char *text = make_text(&length);
    struct listing listing;
    struct error e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        if (listing_parse(&listing, damaged[i], strlen(damaged[i]), &e) != -EIO)
            fail_msg("accepted: %s", damaged[i]);
    assert_int_equal(listing_parse(&listing, text, length + 1, &e), -EIO);
    for (size_t i = 0; i < 8 * length; i++) {
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
        assert_int_equal(listing_parse(&listing, text, length, &e), -EIO);
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
    }
    for (size_t i = 0; i < length; i++)
        assert_int_equal(listing_parse(&listing, text, i, &e), -EIO);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_without_repetition),
        cmocka_unit_test(test_any_number_of_names),
        cmocka_unit_test(test_odd_names_are_left_out),
        cmocka_unit_test(test_a_tag_wins_over_a_branch),
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_format_and_parse),
        cmocka_unit_test(test_a_listing_without_a_checksum),
        cmocka_unit_test(test_damage_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
