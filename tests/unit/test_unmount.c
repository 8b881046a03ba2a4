/* test_unmount.c - how a mount is unmounted: by root itself, else by fusermount3, which is a script here. */
#include <sys/mount.h>

#include "fs/supervisor/unmount.h"
#include "tests/unit/sandbox.h"

static struct {
    uid_t user;
    int result; /* of umount2 */
    int calls, flags;
    char path[100];
} system_of_test;

uid_t __wrap_geteuid(void);
int __wrap_umount2(const char *path, int flags);

uid_t __wrap_geteuid(void)
{
    return system_of_test.user;
}

int __wrap_umount2(const char *path, int flags)
{
    system_of_test.calls++;
    system_of_test.flags = flags;
    snprintf(system_of_test.path, sizeof system_of_test.path, "%s", path);
    errno = system_of_test.result;
    return system_of_test.result ? -1 : 0;
}

/* No symlink that somebody has put there is followed. */
static void root_unmounts_by_itself(void **state)
{
    (void)state;
    system_of_test.user = 0;
    assert_int_equal(unmount_at("/mnt/it", false), 0);
    assert_int_equal(system_of_test.flags, UMOUNT_NOFOLLOW);
    assert_string_equal(system_of_test.path, "/mnt/it");
    assert_int_equal(unmount_at("/mnt/it", true), 0);
    assert_int_equal(system_of_test.flags, UMOUNT_NOFOLLOW | MNT_DETACH);
    system_of_test.result = EBUSY;
    assert_int_equal(unmount_at("/mnt/it", false), -EBUSY);
    system_of_test.result = 0;
}

static void anybody_else_has_fusermount(void **state)
{
    const struct sandbox *box = *state;
    char *before = strdup(getenv("PATH")), path[5000];
    int calls = system_of_test.calls;

    system_of_test.user = 1000;
    run(box,
        "mkdir bin; printf '#!/bin/sh\necho \"$*\" >%%s/told\nexit $(cat %%s/code)\n' $PWD $PWD "
        ">bin/fusermount3; chmod +x bin/fusermount3; echo 0 >code");
    snprintf(path, sizeof path, "%s/bin:%s", box->folder, before);
    setenv("PATH", path, 1);
    assert_int_equal(unmount_at("-it", false), 0);
    assert_string_equal(output(box, "cat told"), "-u -q -- -it");
    assert_int_equal(unmount_at("/mnt/it", true), 0);
    assert_string_equal(output(box, "cat told"), "-u -qz -- /mnt/it");
    run(box, "echo 1 >code");
    assert_int_equal(unmount_at("/mnt/it", false), -EINVAL);
    snprintf(path, sizeof path, "%s/nothing", box->folder);
    setenv("PATH", path, 1);
    assert_int_equal(unmount_at("/mnt/it", false), -ENOENT);
    setenv("PATH", before, 1);
    free(before);
    assert_int_equal(system_of_test.calls, calls);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(root_unmounts_by_itself),
        TEST(anybody_else_has_fusermount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
