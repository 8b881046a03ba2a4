/* What a repository's folder shows: finding and listing names without nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/shown.h"

/* Names with blanks between: "!x" is not listed, "^x" is a branch. */
static struct shown *show(const char *text)
{
    struct version_names names = {0};
    char copy[1000], *rest = copy, *name;

    snprintf(copy, sizeof copy, "%s", text);
    while ((name = strsep(&rest, " "))) {
        bool listed = *name != '!', branch = *name == '^';
        name += !listed || branch;
        if (*name)
            assert_int_equal(version_names_add(&names, name, listed, branch), 0);
    }
    struct shown *shown = shown_new(&names);
    assert_non_null(shown);
    return shown;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *list(struct shown *shown, const char *folder)
{
    static char text[1000];
    char *names[100];
    struct shown_child child;
    uint64_t offset = 0, before = 0;
    size_t count = 0;
    int r;

    while ((r = shown_next(shown, folder, &offset, &child)) == 0) {
        assert_true(offset > before);
        assert_true(child.number < 1u << 31);
        before = offset;
        assert_true(asprintf(&names[count++], "%.*s%s", (int)child.length, child.name,
                             child.kind == SHOWN_PREFIX ? "/" : "") > 0);
    }
    assert_int_equal(r, -ENOENT);
    assert_int_equal(count, shown_count(shown, folder));
    qsort(names, count, sizeof *names, compare_texts);
    *text = '\0';
    for (size_t i = 0; i < count; i++) {
        strcat(strcat(text, i ? " " : ""), names[i]);
        free(names[i]);
    }
    return text;
}

static void names_are_found(void **state)
{
    struct shown *shown = show("1 1.0 a/b a/c/d a-b ^main !hidden a.b");
    const char *versions[] = {"1", "1.0", "a/b", "a/c/d", "a-b", "main", "hidden", "a.b"};
    const char *prefixes[] = {"a", "a/c"},
               *nothing[] = {"", "0", "2", "1.", "a/", "a/c/", "a/b/c", "z"};
    bool branch;

    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        assert_int_equal(shown_find(shown, versions[i], &branch), SHOWN_VERSION);
        assert_int_equal(branch, strcmp(versions[i], "main") == 0);
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        assert_int_equal(shown_find(shown, prefixes[i], &branch), SHOWN_PREFIX);
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        assert_int_equal(shown_find(shown, nothing[i], &branch), SHOWN_NOTHING);
    shown_put(shown);
    static const char *const few[] = {"a/b", /* no other name */
                                      "a/b a\xc3\xa9", "a-b a/b"};
    for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
        shown = show(few[i]);
        assert_int_equal(shown_find(shown, "a", &branch), SHOWN_PREFIX);
        shown_put(shown);
    }
}

/* As git has it: who says `both` means the tag. */
static void a_tag_wins_over_a_branch(void **state)
{
    static const char *const orders[] = {"^both both", "both ^both", "!both ^both both"};
    bool branch;

    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct shown *shown = show(orders[i]);
        assert_int_equal(shown_find(shown, "both", &branch), SHOWN_VERSION);
        assert_false(branch);
        assert_string_equal(list(shown, ""), "both");
        shown_put(shown);
    }
}

/* Each part of it is a folder's name. */
static void names_are_as_long_as_a_folder_s_can_be(void **state)
{
    char name[300] = {0}, below[300] = "a/", line[1000];
    bool branch;

    (void)state;
    memset(name, 'x', 256);
    strcat(below, name);
    for (int longer = 0; longer < 2; longer++) {
        name[255] = below[2 + 255] = longer ? 'x' : '\0';
        snprintf(line, sizeof line, "%s %s", name, below);
        struct shown *shown = show(line);
        enum shown_kind kind = longer ? SHOWN_NOTHING : SHOWN_VERSION;
        assert_int_equal(shown_find(shown, name, &branch), kind);
        assert_int_equal(shown_find(shown, below, &branch), kind);
        shown_put(shown);
    }
}

static void folders_are_listed(void **state)
{
    struct shown *shown = show("1 1.0 a/b a/c/d a-b main !hidden !h/i a.b ^a");

    (void)state;
    assert_string_equal(list(shown, ""), "1 1.0 a-b a.b a/ main");
    assert_string_equal(list(shown, "a"), "b c/");
    assert_string_equal(list(shown, "a/c"), "d");
    assert_string_equal(list(shown, "h"), "");
    assert_string_equal(list(shown, "nothing"), "");
    shown_put(shown);
}

/* These three have the same hash: none hides another, wherever the listing goes on. */
static void names_with_the_same_hash_are_listed(void **state)
{
    struct shown *shown = show("450 1744074 2749463 a/450 a/1744074");
    struct shown_child child = {0};
    uint64_t offset = 0;
    uint32_t number = 0;

    (void)state;
    assert_string_equal(list(shown, ""), "1744074 2749463 450 a/");
    assert_string_equal(list(shown, "a"), "1744074 450");
    while (!number || !isdigit((unsigned char)*child.name)) {
        assert_int_equal(shown_next(shown, "", &offset, &child), 0);
        number = child.number;
    }
    for (uint32_t i = 1; i <= 2; i++) { /* else their hash is another by now: find three anew */
        assert_int_equal(shown_next(shown, "", &offset, &child), 0);
        assert_int_equal(child.number, number + i);
    }
    shown_put(shown);
}

static void offsets_stay_good_when_names_come_and_go(void **state)
{
    struct version_names some = {0}, others = {0};
    struct shown_child child;
    char name[20], seen[500] = {0};
    uint64_t offset = 0;

    (void)state;
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "v%d", i);
        assert_int_equal(version_names_add(&some, name, true, false), 0);
        if (i % 5 == 0)
            assert_int_equal(version_names_add(&others, name, true, false), 0);
        snprintf(name, sizeof name, "w%d", i);
        assert_int_equal(version_names_add(&others, name, true, false), 0);
    }
    struct shown *before = shown_new(&some), *after = shown_new(&others);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(shown_next(before, "", &offset, &child), 0);
        seen[atoi(child.name + 1)]++;
    }
    while (shown_next(after, "", &offset, &child) == 0)
        if (*child.name == 'v')
            seen[atoi(child.name + 1)]++;
    for (int i = 0; i < 500; i += 5)
        assert_int_equal(seen[i], 1);
    shown_put(before);
    shown_put(after);
}

static enum shown_change compare(const char *before, const char *after)
{
    struct shown *a = show(before), *b = show(after);
    enum shown_change change = shown_compare(a, b);

    shown_put(a);
    shown_put(b);
    return change;
}

static void changes_are_seen(void **state)
{
    (void)state;
    assert_int_equal(compare("a b/c ^m", "^m b/c a"), SHOWN_SAME);
    assert_int_equal(compare("a", "a b"), SHOWN_MORE);
    assert_int_equal(compare("a !b", "a b"), SHOWN_MORE);
    assert_int_equal(compare("a b", "a"), SHOWN_OTHER);
    assert_int_equal(compare("a", "^a"), SHOWN_OTHER);
    assert_int_equal(compare("a c", "a c a/b"), SHOWN_OTHER);
    assert_int_equal(compare("a/b", "a/b a/c"), SHOWN_MORE);
    assert_int_equal(compare("a/b", "a/b a/b/c"), SHOWN_OTHER);
    assert_int_equal(compare("ab", "ab a/c"), SHOWN_MORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(a_tag_wins_over_a_branch),
        cmocka_unit_test(names_are_as_long_as_a_folder_s_can_be),
        cmocka_unit_test(folders_are_listed),
        cmocka_unit_test(names_with_the_same_hash_are_listed),
        cmocka_unit_test(offsets_stay_good_when_names_come_and_go),
        cmocka_unit_test(changes_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
