/* test_manifest_regex.c - what Ruby accepts as a regular expression, and what not. Each line was
 * tried with Regexp.new of Ruby 3.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/regex.h"

static const char *const accepted[] = {
    "coverage(\\.*)\\.txt",
    "[\\d]+ tests? passed",
    "^*",
    "${2}",
    "\\b+",
    "a{,3}",
    "a{",
    "a{,}",
    "a{2}{3}",
    "a++",
    "a?+",
    "a*?",
    "(?<n>a)\\k<n>",
    "(?<n>a|b\\g<n>c)",
    "(?'n'a)",
    "(a)\\1",

    "(?<=a|bc)d",
    "(?<!ab)c",
    "(?>a)",
    "(?~ab)",
    "(?i)a",
    "(?i:a)",
    "(?m-ix:a)",
    "(?a)\\w",
    "(?u:\\w)",
    "(?d-i:a)",
    "(?#c)",
    "(a)(?(1)b|c)",
    "[[:alpha:]]",
    "[a&&[^b]]",
    "[a-c[x]]",
    "\\p{Greek}",
    "\\p{^L}",
    "\\P{Lu}",
    "\\h\\H\\R\\X\\K",
    "\\A\\z\\Z\\G",
    "\\cA\\C-a\\e",
    "\\x41\\x4",
    "\\101\\0",
    "\\u00e9",
    "\\u0d800",
    "\\u{e9}",
    "\\u{1F600 61}",
    "\\u{10FFFF}",
    "\\u{0000e9}",
    "\\u{ 61\t62 }",
    "[\\u{61 62}]",
    "\\xc3\\xa9",
    "\\xf0\\x9f\\x98\\x80",
    "\\303\\251",
    "\xc3\xa9+",
    "[]a]",
    "\\/",
    "\\y",
    "]",
    "}",
    /* What stands behind a set of characters is in none. */
    "[a]^*",
    "[a[b]]$*",
    "]^*",
    "[a](?a)b",
    "[(?a)^*]",
};

static const char *const refused[] = {
    "(",
    ")",
    "[",
    "[]",
    "[^]",
    "*a",
    "+",
    "?",
    "a|*",
    "a{3,1}",
    "a{100001}",
    "[b-a]",
    "[[:foo:]]x[",
    "\\2",
    "(?(1)a|b)",
    "(?<n>a)\\k<m>",
    "(?<>a)",
    "(?<1>a)",
    "\\k<n>",
    "\\g<n>",
    "(?P<n>a)",
    "(?s)",
    "(?L)",
    "(?",
    "(?<=a+b)c",
    "\\p{Nothing}",
    "\\p{",
    "\\",
    "\\u",
    "\\u12",
    "\\u{}",
    "\\u{61",
    "\\u{g}",
    "\\u{110000}",
    "\\u{1234567}",
    "\\ud800",
    "\\u{dfff}",
    "\\x",
    "\\xg",
    "\\xff",
    "\\x80",
    "\\xc3",
    "\\xc3a",
    "\\xc3a\\xa9",
    "\\x80\\x80",
    "\\xc1\\x80",
    "\\xf5\\x80\\x80\\x80",
    "\\xc3\\x41",
    "\\xe0\\x80\\x80",
    "\\xed\\xa0\\x80",
    "\\xf4\\x90\\x80\\x80",
    "\\377",
    "\\777",
    "[\\xff]",
    "\\M-a",
    "(?{code})",
    "(^*",
};

static void test_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        char why[REGEX_WHY_SIZE] = "";
        if (!regex_is_valid(accepted[i], why))
            fail_msg("%s: %s", accepted[i], why);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char why[REGEX_WHY_SIZE] = "";
        if (regex_is_valid(refused[i], why))
            fail_msg("%s was accepted", refused[i]);
        assert_true(strlen(why) > 0);
    }
}

/* Everything that grows when it is rewritten, as long as a pattern may be. */
static void test_longest(void **state)
{
    (void)state;
    char pattern[REGEX_MAX + 2], why[REGEX_WHY_SIZE];
    for (size_t i = 0; i < REGEX_MAX; i += 2)
        memcpy(pattern + i, "$*", 2);
    pattern[REGEX_MAX] = '\0';
    assert_true(regex_is_valid(pattern, why));
    strcpy(pattern + REGEX_MAX, "a");
    assert_false(regex_is_valid(pattern, why));
    assert_string_equal(why, "it is longer than 4096 bytes");
    strcpy(pattern, "\\u{");
    for (size_t i = 3; i < REGEX_MAX - 1; i += 2)
        memcpy(pattern + i, "1 ", 2);
    strcpy(pattern + REGEX_MAX - 1, "}");
    assert_true(regex_is_valid(pattern, why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
