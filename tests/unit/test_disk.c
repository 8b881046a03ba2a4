/* test_disk.c - files and folders of the cache: who may enter one, and what is opened. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
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
    snprintf(folder, sizeof folder, "%s/cache//", above);
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

/* A path in the sandbox; valid until the fourth call from here. */
static const char *in(const struct sandbox *box, const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", box->folder, name);
    return path;
}

static void assert_said(const struct sandbox *box, const struct error *e, const char *what,
                        const char *name, const char *why)
{
    char sentence[400];

    snprintf(sentence, sizeof sentence, "%s %s%s", what, in(box, name), why);
    assert_string_equal(e->text, sentence);
}

static void what_fails_is_said(void **state)
{
    const struct sandbox *box = *state;
    struct error e;
    char *text;
    size_t size;

    run(box, "printf text >file; mkdir folder");
    assert_int_equal(disk_make_folders(in(box, "file/x/y"), &e), -ENOTDIR);
    assert_said(box, &e, "cannot make the folder", "file/x", ": Not a directory");
    assert_int_equal(disk_make_folders(in(box, "file/x"), &e), -ENOTDIR);
    assert_said(box, &e, "cannot make the folder", "file/x", ": Not a directory");
    assert_int_equal(disk_make_private_folder(in(box, "file/x/y"), &e), -ENOTDIR);
    assert_int_equal(disk_make_private_folder(in(box, "file/x"), &e), -ENOTDIR);
    assert_said(box, &e, "cannot make the folder", "file/x", ": Not a directory");
    assert_int_equal(disk_read(in(box, "file"), 3, &text, &size, &e), -EFBIG);
    assert_non_null(strstr(e.text, "/file is larger than 3 bytes"));
    assert_int_equal(disk_sync_folder(in(box, "nothing"), &e), -ENOENT);
    assert_said(box, &e, "cannot open the folder", "nothing", ": No such file or directory");
    assert_int_equal(disk_write(in(box, "file"), "", &e), -EEXIST);
    assert_said(box, &e, "cannot make", "file", ": File exists");
    assert_int_equal(disk_replace(in(box, "nothing/x"), "", 0, true, &e), -ENOENT);
    assert_said(box, &e, "cannot write", "nothing/x", ": No such file or directory");
    assert_int_equal(disk_replace(in(box, "folder"), "", 0, true, &e), -EISDIR);
    assert_said(box, &e, "cannot replace", "folder", ": Is a directory");
    assert_int_equal(disk_lock(in(box, "file/x"), NULL, &e), -ENOTDIR);
    assert_string_equal(output(box, "ls; cat file"), "file\nfolder\nlog\ntext");
}

/* proc(5) has no disk below it. */
static void a_folder_that_cannot_be_synced_need_not_be(void **state)
{
    struct error e = {0};

    (void)state;
    assert_int_equal(disk_sync_folder("/proc", &e), 0);
}

/* The time of a file system is finer than a second: an inode may be used again within one. */
static void a_file_that_was_changed_a_moment_later_is_another(void **state)
{
    struct stat st = {.st_ino = 7, .st_size = 5, .st_ctim = {1600000000, 1000000}};
    const struct regular_stamp before = regular_stamp_of(&st);
    struct regular_stamp now = regular_stamp_of(&st);

    (void)state;
    assert_true(regular_stamp_equal(&before, &now));
    st.st_ctim.tv_nsec++;
    now = regular_stamp_of(&st);
    assert_false(regular_stamp_equal(&before, &now));
}

/* As where the disk is full. */
static void half_a_file_is_none(void **state)
{
    const struct sandbox *box = *state;
    struct rlimit before, few;
    struct error e;

    run(box, "printf old >file");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    few = (struct rlimit){4, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    int written = disk_write(in(box, "new"), "12345", &e);
    int replaced = disk_replace(in(box, "file"), "12345", 5, false, &e);
    int fitting = disk_write(in(box, "four"), "1234", &e);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(written, -EFBIG);
    assert_int_equal(replaced, -EFBIG);
    assert_int_equal(fitting, 0);
    assert_said(box, &e, "cannot write", "file", ": File too large");
    assert_string_equal(output(box, "ls; cat file four"), "file\nfour\nlog\nold1234");
}

static void a_file_is_read_whole_or_not_at_all(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 20000};
    const struct sandbox *box = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct error e = {0};
        char *text;
        size_t size;

        run(box, "head -c %zu /dev/zero | tr '\\0' x >file", sizes[i]);
        assert_int_equal(disk_read(in(box, "file"), sizes[i], &text, &size, &e), 0);
        assert_int_equal(size, sizes[i]);
        assert_int_equal(strlen(text), size);
        free(text);
        int fd = open(in(box, "file"), O_RDONLY | O_CLOEXEC);
        assert_int_equal(disk_read_all(fd, sizes[i], &text, &size), 0);
        assert_int_equal(strlen(text), sizes[i]);
        free(text);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        if (sizes[i])
            assert_int_equal(disk_read_all(fd, sizes[i] - 1, &text, &size), -EFBIG);
        close(fd);
    }
}

static void the_size_is_that_of_the_plain_files(void **state)
{
    const struct sandbox *box = *state;

    run(box, "mkdir -p folder/below; printf 12345 >folder/a; printf 123 >folder/b; printf 1 "
             ">folder/below/c;"
             "ln -s a folder/link; mkfifo folder/fifo");
    assert_int_equal(disk_size(in(box, "folder")), 8);
    assert_int_equal(disk_size(in(box, "nothing")), 0);
    /* A link is removed, and not what it leads to. */
    run(box, "ln -s ../log folder/below/out");
    disk_remove(in(box, "folder"));
    disk_remove(in(box, "nothing"));
    assert_string_equal(output(box, "ls"), "log");
}

/* What somebody is still writing is younger than an hour; what lies ahead was written by a wrong clock. */
static void leftovers_are_removed_when_they_are_old(void **state)
{
    const struct sandbox *box = *state;

    run(box, "mkdir p.folder; touch p.folder/file; touch -d '-3590 seconds' p.young; touch -d "
             "'-3605 seconds' p.old q.old p.folder;"
             "touch -d '3500 seconds' p.soon; touch -d '3700 seconds' p.ahead; ln -s log p.link");
    disk_remove_leftovers(box->folder, "p.");
    disk_remove_leftovers(in(box, "nothing"), "p.");
    assert_string_equal(output(box, "ls"), "log\np.link\np.soon\np.young\nq.old");
}

static bool is_cancelled(void *data)
{
    return ++*(int *)data == 3;
}

static void a_lock_is_one_s_at_a_time(void **state)
{
    const struct sandbox *box = *state;
    int asked = 0;
    const struct watch watch = {.cancelled = is_cancelled, .data = &asked};
    struct error e;

    int fd = disk_lock(in(box, "lock"), NULL, &e);
    assert_true(fd >= 0);
    assert_int_equal(disk_lock(in(box, "lock"), &watch, &e), -ECANCELED);
    assert_int_equal(asked, 3);
    assert_said(box, &e, "cancelled while waiting for the lock", "lock", "");
    close(fd);
    fd = disk_lock(in(box, "lock"), &watch, &e);
    assert_true(fd >= 0);
    close(fd);
    /* A folder in its place is nobody's. */
    run(box, "rm lock; mkdir -p lock/x");
    fd = disk_lock(in(box, "lock"), NULL, &e);
    assert_true(fd >= 0);
    close(fd);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_private_folder_is_its_owners_alone),
        TEST(only_plain_files_are_opened),
        TEST(what_fails_is_said),
        TEST(a_folder_that_cannot_be_synced_need_not_be),
        TEST(a_file_that_was_changed_a_moment_later_is_another),
        TEST(half_a_file_is_none),
        TEST(a_file_is_read_whole_or_not_at_all),
        TEST(the_size_is_that_of_the_plain_files),
        TEST(leftovers_are_removed_when_they_are_old),
        TEST(a_lock_is_one_s_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
