/* test_start_points.c - which manifests a start-point has, which files they may name, and how large all may be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/service/start_points.h"

struct file {
    const char *path, *text; /* text NULL: it cannot be read */
    uint64_t size;           /* if that is not its text's */
};

#define MANIFEST(name, file) "{\"display_name\":\"" name "\",\"visible_filenames\":[\"" file "\"]}"

static int walk(void *data, start_point_visit *visit, void *visitor)
{
    int r = 0;

    for (const struct file *file = data; file->path && r == 0; file++)
        r = visit(visitor, file->path, PATH_FILE, file->size);
    return r;
}

static int read_file(void *data, const char *path, uint64_t max, void **bytes, size_t *size)
{
    const struct file *file = data;

    while (strcmp(file->path, path) != 0)
        file++;
    if (!file->text)
        return -EIO;
    *size = strlen(file->text);
    if ((file->size ? file->size : *size) > max)
        return -EFBIG;
    *bytes = strdup(file->text);
    return 0;
}

static int add(struct start_points *start_points, const struct file *files, struct error *e)
{
    struct start_point_files callbacks = {walk, read_file, (void *)files};
    struct error said = {EIO, "the disk is broken"};

    return start_points_add(start_points, "S", &callbacks, &said, e);
}

static void every_manifest_that_is_not_hidden(void **state)
{
    static const struct file files[] = {
        {.path = "b/manifest.json", .text = MANIFEST("b", "f")},
        {.path = "b/f", .text = "beside b"},
        {.path = "manifest.json", .text = MANIFEST("top", "b/f")},
        {.path = "a/b/manifest.json", .text = MANIFEST("a", "../../b/./f")},
        {.path = ".hidden/manifest.json", .text = "{"},
        {.path = "a/.hidden/manifest.json", .text = "{"},
        {.path = "a/manifest.json.orig", .text = "{"},
        {.path = "a/old-manifest.json", .text = "{"},
        {0},
    };
    static const char *const names[] = {"a", "b", "top"};
    struct start_points start_points = {0};
    struct error error = {0};
    size_t bytes = 0;

    (void)state;
    assert_int_equal(add(&start_points, files, &error), 0);
    assert_int_equal(start_points.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(start_points.items[i].own_name, names[i]);
        assert_non_null(strstr(start_points.items[i].text, "beside b"));
        bytes += start_points.items[i].size;
    }
    assert_int_equal(start_points.bytes, bytes);
    start_points_release(&start_points);
}

static void assert_refused(const struct file *files, int expected, const char *said)
{
    struct start_points start_points = {0};
    struct error error = {0};

    assert_int_equal(add(&start_points, files, &error), expected);
    assert_string_equal(error.text, said);
    start_points_release(&start_points);
}

/* Three files, of which the manifest names one. */
#define FILES(name, ...)                                                             \
    ((const struct file[]){{.path = "d/manifest.json", .text = MANIFEST("x", name)}, \
                           {.path = "d/e/file", .text = ""},                         \
                           {.path = "d/f", __VA_ARGS__},                             \
                           {0}})
#define OF_MANIFEST(...) ((const struct file[]){{.path = "manifest.json", __VA_ARGS__}, {0}})

static void what_cannot_be_served_is_named(void **state)
{
    static const char text[] = "{\"display_name\":\"x\",\"visible_filenames\":[]}";
    struct start_points start_points = {0};
    struct error error = {0};

    (void)state;
    assert_refused(FILES("g", .text = ""), -EINVAL,
                   "S: d/manifest.json names the file g, which does not exist");
    assert_refused(FILES("e", .text = ""), -EINVAL,
                   "S: d/manifest.json names the file e, which is a folder");
    assert_refused(FILES("../../f", .text = ""), -EINVAL,
                   "S: d/manifest.json names the file ../../f, which is outside the start-point");
    assert_refused(FILES("f", .text = NULL), -EIO,
                   "S: d/manifest.json names the file f: the disk is broken");
    assert_refused(FILES("f", .text = "", .size = (4 << 20) + 1), -EFBIG,
                   "S: d/manifest.json names the file f, which is too large");
    assert_refused(OF_MANIFEST(.text = NULL), -EIO, "S: manifest.json the disk is broken");
    assert_refused(OF_MANIFEST(.text = text, .size = (1 << 20) + 1), -EFBIG,
                   "S: manifest.json is too large");
    assert_int_equal(add(&start_points, FILES("f", .text = "", .size = 4 << 20), &error), 0);
    assert_int_equal(add(&start_points, OF_MANIFEST(.text = text, .size = 1 << 20), &error), 0);
    start_points_release(&start_points);
}

static void all_texts_together_are_64_mib_at_most(void **state)
{
    const struct file *files =
        OF_MANIFEST(.text = "{\"display_name\":\"x\",\"visible_filenames\":[]}");
    struct start_points start_points = {0};
    struct error error = {0};

    (void)state;
    assert_int_equal(add(&start_points, files, &error), 0);
    start_points.bytes = (64 << 20) - start_points.items[0].size;
    assert_int_equal(add(&start_points, files, &error), 0);
    assert_int_equal(add(&start_points, files, &error), -EFBIG);
    assert_string_equal(error.text, "S: manifest.json the start-points have more than 67108864 "
                                    "bytes of text");
    assert_int_equal(start_points.count, 2);
    start_points_release(&start_points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_manifest_that_is_not_hidden),
        cmocka_unit_test(what_cannot_be_served_is_named),
        cmocka_unit_test(all_texts_together_are_64_mib_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
