/* test_site.c - what is known of a server is kept as a line of text and read again; and what of such a line is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/net/site.h"

static void what_leads_elsewhere_is_believed_if_it_is_no_weaker(void **state)
{
    static const char *const rows[][3] = {
        /* the URL, a line that was kept, and the base then */
        {"http://h/x", "2 http://other/y", "http://other/y"},
        {"http://h/x", "2 https://h/x.git", "https://h/x.git"},
        {"https://h/x", "2 https://h/y", "https://h/y"},
        {"https://me:hush@h/x//", "2 http://h/x", "https://h/x"},
        {"https://h/x", "2 ssh://h/x", "https://h/x"},
        {"ssh://h/x", "2 https://h/x", "ssh://h/x"},
        {"git://h/x", "2 git://h/y", "git://h/y"},
        {"https://h/x", "1 https://h/y", "https://h/x"},
        {"https://h/x", "20 https://h/y", "https://h/x"},
        {"https://h/x", "2  https://h/y", "https://h/x"},
        {"https://h/x", "2 ", "https://h/x"},
        {"https://h/x", "2", "https://h/x"},
        {"https://h/x", "", "https://h/x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sites sites = {0};
        struct site *site = site_get(&sites, rows[i][0]);
        site_parse(site, rows[i][1]);
        if (strcmp(site->base, rows[i][2]) != 0)
            fail_msg("%s, %s: %s", rows[i][0], rows[i][1], site->base);
        assert_true(site->version_2 == (strstr(rows[i][1], rows[i][2]) != NULL));
        assert_int_equal(site_forget(site), 0);
        assert_false(site->version_2 || site->can.known);
        site_release_all(&sites);
    }
}

static char *kept(const char *line)
{
    struct sites sites = {0};
    struct site *site = site_get(&sites, "http://h/x");

    site_parse(site, line);
    char *text = site_format(site);
    site_release_all(&sites);
    return text;
}

static void it_is_kept_as_it_was_read(void **state)
{
    static const char *const lines[] = {"2 https://h/y", "0 http://h/y",
                                        "0 http://h/y multi_ack shallow side-band-64k ofs-delta"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *text = kept(lines[i]);
        assert_non_null(text);
        assert_int_equal(strncmp(text, lines[i], strcspn(lines[i] + 2, " ") + 2), 0);
        assert_true(!strstr(lines[i], "shallow") == !strstr(text, "shallow"));
        char *again = kept(text);
        assert_string_equal(again, text);
        free(again);
        free(text);
    }
    assert_null(kept(""));
}

/* A line has one base, and no other line in it. */
static void what_cannot_stand_in_a_line_is_not_kept(void **state)
{
    static const char *const urls[] = {"http://h/a b", "https://h/ "};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sites sites = {0};
        struct site *site = site_get(&sites, urls[i]);
        site->version_2 = true;
        assert_null(site_format(site));
        site_release_all(&sites);
    }
}

static void the_last_eight_are_known(void **state)
{
    struct sites sites = {0};
    char url[30];

    (void)state;
    for (int i = 0; i < 9; i++) {
        snprintf(url, sizeof url, "http://h/%d", i);
        site_get(&sites, url)->version_2 = true;
    }
    for (int i = 8; i >= 1; i--) {
        snprintf(url, sizeof url, "http://h/%d", i);
        assert_true(site_get(&sites, url)->version_2);
    }
    assert_false(site_get(&sites, "http://h/0")->version_2);
    site_release_all(&sites);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_leads_elsewhere_is_believed_if_it_is_no_weaker),
        cmocka_unit_test(it_is_kept_as_it_was_read),
        cmocka_unit_test(what_cannot_stand_in_a_line_is_not_kept),
        cmocka_unit_test(the_last_eight_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
