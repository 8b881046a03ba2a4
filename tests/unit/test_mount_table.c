/* test_mount_table.c - what is mounted where, as /proc/self/mountinfo has it. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/supervisor/mount_table.h"

/* A mount namespace of our own, in which the test mounts. */
static int leave_the_others(void **state)
{
    static bool have_left;

    have_left = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    *state = &have_left;
    return 0;
}

static void assert_found(const char *point)
{
    struct mount_row row;
    struct stat st;

    assert_int_equal(stat(point, &st), 0);
    assert_int_equal(mount_table_find(point, &row), 1);
    assert_int_equal(row.device, st.st_dev);
    assert_string_equal(row.point, point);
    assert_string_equal(row.type, "tmpfs");
    assert_int_equal(row.owner, 0);
}

static void whatever_a_mount_point_is_called(void **state)
{
    static const char *const names[] = {"plain", "two words", "tab\tand\nnewline", "back\\slash",
                                        "\\040", "a - b",     "\xc3\xa9",          "hash#"};
    char folder[] = "/tmp/startpointfs-unit.XXXXXX", point[100];
    struct mount_row row;

    if (!*(bool *)*state)
        skip();
    assert_non_null(mkdtemp(folder));
    assert_int_equal(mount("tmpfs", folder, "tmpfs", 0, NULL), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(point, sizeof point, "%s/%s", folder, names[i]);
        assert_int_equal(mkdir(point, 0700), 0);
        assert_int_equal(mount_table_find(point, &row), 0);
        assert_int_equal(row.device, 0);
        assert_int_equal(mount("a source", point, "tmpfs", 0, NULL), 0);
        assert_found(point);
        assert_int_equal(mount("another", point, "tmpfs", 0, NULL), 0);
        assert_found(point); /* the upper one */
    }
    assert_int_equal(umount2(folder, MNT_DETACH), 0);
    assert_int_equal(mount_table_find(point, &row), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* Each blank of its path takes four bytes there. */
static void a_row_that_is_too_long_is_passed_over(void **state)
{
    char folder[] = "/tmp/startpointfs-unit.XXXXXX", path[4000], point[100];
    struct mount_row row;

    if (!*(bool *)*state)
        skip();
    assert_non_null(mkdtemp(folder));
    assert_int_equal(mount("tmpfs", folder, "tmpfs", 0, NULL), 0);
    int length = snprintf(path, sizeof path, "%s", folder);
    for (int i = 0; i < 15; i++) {
        length += snprintf(path + length, sizeof path - (size_t)length, "/%250s", "");
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(point, sizeof point, "%s/point", folder);
    assert_int_equal(mkdir(point, 0700), 0);
    assert_int_equal(mount("tmpfs", path, "tmpfs", 0, NULL), 0);
    assert_int_equal(mount("tmpfs", point, "tmpfs", 0, NULL), 0);
    assert_found(point);
    assert_int_equal(mount_table_find(path, &row), 0);
    assert_int_equal(umount2(folder, MNT_DETACH), 0);
    assert_int_equal(rmdir(folder), 0);
}

static int count_up_to_three(void *data, const struct mount_row *row)
{
    int *count = data;

    assert_int_equal(row->point[0], '/');
    return ++*count == 3 ? -EDOM : 0;
}

static void until_the_visitor_has_enough(void **state)
{
    char longer[5000];
    struct mount_row row;
    int count = 0;

    (void)state;
    assert_int_equal(mount_table_each("self", count_up_to_three, &count), -EDOM);
    assert_int_equal(count, 3);
    assert_int_equal(mount_table_each("none", count_up_to_three, &count), -ENOENT);
    memset(longer, '/', sizeof longer);
    longer[sizeof row.point] = '\0';
    assert_int_equal(mount_table_find(longer, &row), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_mount_point_is_called),
        cmocka_unit_test(a_row_that_is_too_long_is_passed_over),
        cmocka_unit_test(until_the_visitor_has_enough),
    };
    return cmocka_run_group_tests(tests, leave_the_others, NULL);
}
