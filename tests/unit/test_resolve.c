/* What the name of a version means to a remote, by its listing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/fetch/resolve.h"
#include "tests/unit/listing_of_test.h"

#define ONE   "abcdef1111111111111111111111111111111111"
#define TWO   "abcdef1222222222222222222222222222222222"
#define THREE "3333333333333333333333333333333333333333"
#define TAG   "9999999999999999999999999999999999999999"

static int make_listing(void **state)
{
    static struct listing listing;

    listing = (struct listing){0};
    add(&listing, "refs/tags/v1", ONE, ONE);
    add(&listing, "refs/tags/again", ONE, ONE);
    add(&listing, "refs/tags/v2", TWO, TWO);
    add(&listing, "refs/tags/noted", TAG, THREE);
    add(&listing, "refs/tags/both", ONE, ONE);
    add(&listing, "refs/heads/both", TWO, TWO);
    add(&listing, "refs/heads/main", THREE, THREE);
    listing_finish(&listing);
    *state = &listing;
    return 0;
}

static int release_listing(void **state)
{
    listing_release(*state);
    return 0;
}

/* Resolves a name, or with `commit` that as well, and compares. `want`, `at`, `ref`: NULL for what does not matter. */
static void expect(void **state, const char *name, const char *commit, enum resolve_state expected,
                   const char *want, const char *at, const char *ref)
{
    struct version_request request = {.name = name, .commit = commit};
    struct resolved found = {0};
    struct error e = {0};
    char hex[OID_HEX_SIZE];

    assert_int_equal(resolve_request(&found, &request, *state, "remote", &e), 0);
    assert_int_equal(found.state, expected);
    if (want)
        assert_string_equal(oid_format(&found.want, hex), want);
    if (at)
        assert_string_equal(oid_format(&found.commit, hex), at);
    if (ref)
        assert_string_equal(found.ref, ref);
    resolve_release(&found);
}

static void test_names(void **state)
{
    expect(state, "v1", NULL, RESOLVE_LISTED, ONE, ONE, "refs/tags/v1");
    expect(state, "main", NULL, RESOLVE_LISTED, THREE, THREE, "refs/heads/main");
    expect(state, NULL, NULL, RESOLVE_LISTED, THREE, THREE, "refs/heads/main");
    expect(state, "both", NULL, RESOLVE_LISTED, ONE, ONE, "refs/tags/both");
    expect(state, "v9", NULL, RESOLVE_NONE, NULL, NULL, NULL);
}

static void test_an_annotated_tag_is_asked_for_as_the_object_that_it_is(void **state)
{
    expect(state, "noted", NULL, RESOLVE_LISTED, TAG, THREE, "refs/tags/noted");
}

static void test_a_pinned_commit_wins_over_its_name(void **state)
{
    expect(state, "v1", ONE, RESOLVE_LISTED, ONE, ONE, "refs/tags/v1");
    expect(state, "v1", TWO, RESOLVE_ID, TWO, TWO, NULL);
    expect(state, "gone", TWO, RESOLVE_ID, TWO, TWO, NULL);
}

static void test_digits(void **state)
{
    struct version_request request = {.name = "abcdef1"};
    struct resolved found = {0};
    struct error e = {0};

    /* Two tags of one commit are no ambiguity. */
    expect(state, "abcdef11", NULL, RESOLVE_LISTED, ONE, ONE, NULL);
    expect(state, "ABCDEF12", NULL, RESOLVE_LISTED, TWO, TWO, NULL);
    expect(state, "3333333", NULL, RESOLVE_LISTED, THREE, THREE, NULL);
    expect(state, "9999999", NULL, RESOLVE_DIGITS, NULL, NULL, NULL); /* no commit */
    expect(state, "4444444", NULL, RESOLVE_DIGITS, NULL, NULL, NULL);
    expect(state, TAG, NULL, RESOLVE_ID, TAG, TAG, NULL);
    assert_int_equal(resolve_request(&found, &request, *state, "remote", &e), -ENOENT);
    assert_non_null(strstr(e.text, "abcdef1 is ambiguous"));
    resolve_release(&found);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_listing, release_listing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_an_annotated_tag_is_asked_for_as_the_object_that_it_is),
        TEST(test_a_pinned_commit_wins_over_its_name),
        TEST(test_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
