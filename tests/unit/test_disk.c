/* test_disk.c - files and folders of the cache: who may enter one, and what is opened. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/regular.h"
#include "tests/unit/sandbox.h"

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void a_private_folder_is_its_owners_alone(void **state)
{
    const struct sandbox *box = *state;
    char above[200], folder[250];
    struct error e;

    snprintf(above, sizeof above, "%s/a/b", box->folder);
    snprintf(folder, sizeof folder, "%s/cache/", above);
    umask(022);
    assert_int_equal(disk_make_private_folder(folder, &e), 0);
    assert_int_equal(mode_of(folder), 0700);
    assert_int_equal(mode_of(above), 0755);
    /* One that is there is as its owner wants it. */
    assert_int_equal(chmod(folder, 0750), 0);
    assert_int_equal(disk_make_private_folder(folder, &e), 0);
    assert_int_equal(mode_of(folder), 0750);
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

/* To open a FIFO for writing would wait for its reader, and to open a device may do something. */
static void only_plain_files_are_opened(void **state)
{
    static const struct {
        const char *name, *kind;
    } others[] = {{"fifo", " is a FIFO "},     {"folder", " is a folder "},
                  {"link", " is a link "},     {"nowhere", " is a link "},
                  {"socket", " is a socket "}, {"device", " is a device "}};
    const struct sandbox *box = *state;
    char path[100];
    struct stat st;
    struct error e;

    run(box, "mkfifo fifo; mkdir folder; echo >plain; ln -s plain link; ln -s nothing nowhere");
    snprintf(path, sizeof path, "%s/socket", box->folder);
    make_socket(path);
    snprintf(path, sizeof path, "%s/device", box->folder);
    bool has_device =
        mknod(path, S_IFCHR | 0666, makedev(1, 3)) == 0; /* root can, and not in every container */
    for (size_t i = 0; i < sizeof others / sizeof *others - !has_device; i++) {
        snprintf(path, sizeof path, "%s/%s", box->folder, others[i].name);
        assert_int_equal(regular_open(path, O_RDONLY, &st, &e), -EIO);
        if (!strstr(e.text, others[i].kind) || !strstr(e.text, path))
            fail_msg("%s", e.text);
        assert_false(regular_is(path));
    }
    snprintf(path, sizeof path, "%s/plain", box->folder);
    int fd = regular_open(path, O_RDONLY, &st, &e);
    assert_true(fd >= 0);
    assert_int_equal(st.st_size, 1);
    close(fd);
    assert_true(regular_is(path));
    snprintf(path, sizeof path, "%s/nothing", box->folder);
    assert_int_equal(regular_open(path, O_RDONLY, &st, &e), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_private_folder_is_its_owners_alone, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(only_plain_files_are_opened, sandbox_open, sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
