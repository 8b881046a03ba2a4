/* test_manifest_paths.c - what a name in a manifest leads to: parts, symlinks, and where they end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/paths.h"

/* A start-point: files, and symlinks with their targets; ends with a NULL name. */
struct entry {
    const char *name, *target;
};

static int walk(void *data, start_point_visit *visit, void *visitor)
{
    int r = 0;

    for (const struct entry *entry = data; entry->name && r == 0; entry++)
        r = visit(visitor, entry->name, entry->target ? PATH_SYMLINK : PATH_FILE, 1);
    return r;
}

static int read_target(void *data, const char *path, uint64_t max, void **bytes, size_t *size)
{
    const struct entry *entry = data;

    while (strcmp(entry->name, path) != 0)
        entry++;
    if (strcmp(entry->target, "unreadable") == 0)
        return -EIO;
    *size = strlen(entry->target);
    if (*size > max)
        return -EFBIG;
    *bytes = strdup(entry->target);
    return 0;
}

/* What `name` seen from `folder` leads to: the file's name, or why to none. Valid until the next call. */
static const char *resolved(const struct entry *entries, const char *folder, const char *name)
{
    static const char *const why[] = {"found", "missing", "folder", "outside"};
    static char text[PATH_LENGTH];
    const struct start_point_files files = {walk, read_target, (void *)entries};
    const struct path *found;
    struct paths paths;

    assert_int_equal(paths_load(&paths, &files), 0);
    int r = paths_resolve(&paths, folder, name, &found);
    snprintf(text, sizeof text, "%s", r < 0 ? "error" : r == PATH_FOUND ? found->name : why[r]);
    paths_release(&paths);
    return text;
}

static void names_are_followed_part_by_part(void **state)
{
    static const struct entry entries[] = {{"a", 0},
                                           {"b-c", 0},
                                           {"b/c", 0},
                                           {"b/d/e", 0},
                                           {"b/up", "../a"},
                                           {"d", "b/d"},
                                           {"out", "../x"},
                                           {"b/out", "../../x"},
                                           {"abs", "/a"},
                                           {"self", "self"},
                                           {"none", "nowhere"},
                                           {"e", "d/e"},
                                           {"io", "unreadable"}};
    static const struct {
        const char *folder, *name, *expected;
    } rows[] = {
        {"", "a", "a"},
        {"", "/a", "a"},
        {"", "./b//./c", "b/c"},
        {"", "b/../a", "a"},
        {"b", "c", "b/c"},
        {"b", "../a", "a"},
        {"b", "../../a", "outside"},
        {"", "..", "outside"},
        {"", "b", "folder"},
        {"", "b/", "folder"},
        {"", "", "folder"},
        {"", "b-c", "b-c"},
        {"", "a/", "missing"},
        {"", "a/b", "missing"},
        {"", "a/..", "missing"},
        {"", "bc", "missing"},
        {"", "b/c/../c", "missing"},
        {"", "b/up", "a"},
        {"b", "up", "a"},
        {"", "d/e", "b/d/e"},
        {"", "d", "folder"},
        {"", "d/../c", "b/c"},
        {"", "e", "b/d/e"},
        {"", "out", "outside"},
        {"", "b/out", "outside"},
        {"", "abs", "outside"},
        {"", "self", "missing"},
        {"", "none", "missing"},
        {"", "io", "error"},
    };
    struct entry all[sizeof entries / sizeof *entries + 1] = {{0}};

    (void)state;
    memcpy(all, entries, sizeof entries);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(resolved(all, rows[i].folder, rows[i].name), rows[i].expected) != 0)
            fail_msg("%s from \"%s\": %s", rows[i].name, rows[i].folder,
                     resolved(all, rows[i].folder, rows[i].name));
}

/* 0 -> 1 -> 2 ... -> the file: as many as Linux follows. */
static void forty_symlinks_are_followed(void **state)
{
    static char names[42][12];
    struct entry entries[43] = {{0}};

    (void)state;
    for (int i = 0; i < 42; i++) {
        snprintf(names[i], sizeof names[i], "%d", i);
        entries[i].name = names[i];
    }
    for (int i = 0; i < 41; i++)
        entries[i].target = names[i + 1];
    assert_string_equal(resolved(entries, "", "1"), "41");
    assert_string_equal(resolved(entries, "", "0"), "missing");
}

/* `./././NAME`, of so many bytes. */
static char *long_way_to(const char *name, size_t size)
{
    char *way = malloc(size + 1);
    size_t length = strlen(name);

    assert_true((size - length) % 2 == 0);
    for (size_t i = 0; i < size - length; i++)
        way[i] = i % 2 ? '/' : '.';
    strcpy(way + size - length, name);
    return way;
}

static void what_is_too_long_leads_nowhere(void **state)
{
    char *target = long_way_to("file", PATH_LENGTH - 2), *here = long_way_to(".", 3001);
    const struct entry entries[] = {{"file", NULL}, {"link", target}, {"here", here}, {0}};
    static const struct {
        const char *name;
        size_t size;
        const char *expected;
    } rows[] = {
        {"/file", PATH_LENGTH - 1, "file"},
        {"file", PATH_LENGTH, "missing"},
        {"link", 4, "file"},
        /* With the link's target before what is still to go: as long as may be, and longer. */
        {"file", PATH_LENGTH - 3004, "file"},
        {"file", PATH_LENGTH - 3002, "missing"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *way = long_way_to(rows[i].name, rows[i].size), through[PATH_LENGTH + 8];
        snprintf(through, sizeof through, "%s%s", i > 2 ? "here/" : "", way);
        assert_string_equal(resolved(entries, "", through), rows[i].expected);
        free(way);
    }
    free(target);
    free(here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_followed_part_by_part),
        cmocka_unit_test(forty_symlinks_are_followed),
        cmocka_unit_test(what_is_too_long_leads_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
