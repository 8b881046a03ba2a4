/* test_mountpoint.c - what a verb says of a place where nothing is mounted, and what it makes of what is: mounts that are dead,
 * and those of others; and the cache's mode, and the environment that a helper of mount(8) is given. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "fs/cli/cache_mode.h"
#include "fs/cli/environment.h"
#include "fs/cli/mountpoint.h"
#include "fs/cli/verb.h"
#include "fs/supervisor/fuse_mount.h"
#include "fs/supervisor/mount_table.h"
#include "fs/supervisor/unmount.h"
#include "tests/unit/apart.h"
#include "tests/unit/sandbox.h"

#define OURS "fuse.startpointfs"

/* What is mounted on `point`, if there is one: the uppermost is the last. */
static struct {
    const char *point;
    struct {
        const char *type;
        int answer; /* to statfs(2) */
    } mounts[8];
    uint64_t device; /* of all of them */
    int count, result, unmounted, lazily;
} pile;

int __real_mount_table_find(const char *mountpoint, struct mount_row *row);
int __wrap_mount_table_find(const char *mountpoint, struct mount_row *row);
int __real_unmount_at(const char *path, bool lazy);
int __wrap_unmount_at(const char *path, bool lazy);
int __real_statfs64(const char *path, struct statfs *out);
int __wrap_statfs64(const char *path, struct statfs *out);

static bool is_the_pile_s(const char *path)
{
    return pile.point && (strcmp(path, pile.point) == 0 || strcmp(path, "point") == 0);
}

int __wrap_mount_table_find(const char *mountpoint, struct mount_row *row)
{
    if (!is_the_pile_s(mountpoint))
        return __real_mount_table_find(mountpoint, row);
    *row = (struct mount_row){.device = 0};
    if (pile.count == 0)
        return 0;
    row->device = pile.device;
    strcpy(row->type, pile.mounts[pile.count - 1].type);
    return 1;
}

int __wrap_unmount_at(const char *path, bool lazy)
{
    if (!is_the_pile_s(path))
        return __real_unmount_at(path, lazy);
    pile.lazily += lazy;
    pile.unmounted++;
    pile.count -= pile.result == 0;
    return pile.result;
}

int __wrap_statfs64(const char *path, struct statfs *out)
{
    if (!is_the_pile_s(path))
        return __real_statfs64(path, out);
    errno = pile.mounts[pile.count - 1].answer;
    return errno ? -1 : 0;
}

static void lay_upon(const char *type, int answer)
{
    pile.mounts[pile.count].type = type;
    pile.mounts[pile.count++].answer = answer;
}

/* In the folder of the sandbox, so that paths are short. */
static int enter(void **state)
{
    return sandbox_open(state) == 0 && chdir(((struct sandbox *)*state)->folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    memset(&pile, 0, sizeof pile);
    assert_int_equal(chdir("/"), 0);
    return sandbox_close(state);
}

static void a_mount_point_is_a_folder_by_its_whole_path(void **state)
{
    static const struct {
        const char *given, *found; /* in the sandbox */
    } cases[] = {
        {"folder", "folder"}, {"folder//", "folder"}, {"./link/", "folder"}, {"folder/..", ""}};
    const struct sandbox *box = *state;
    char expected[200], *found = NULL;
    struct error e;

    run(box, "mkdir folder; ln -s folder link; touch file");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(expected, sizeof expected, "%s%s%s", box->folder, *cases[i].found ? "/" : "",
                 cases[i].found);
        assert_int_equal(mountpoint_find(cases[i].given, &found, &e), 0);
        assert_string_equal(found, expected);
        free(found);
    }
    assert_int_equal(mountpoint_find("/", &found, &e), 0);
    assert_string_equal(found, "/");
    free(found);
    assert_int_equal(mountpoint_find(FUSE_MOUNT_INHERITED "7", &found, &e), 0);
    assert_string_equal(found, FUSE_MOUNT_INHERITED "7");
    free(found);
    assert_int_equal(mountpoint_find("nothing", &found, &e), -ENOENT);
    assert_string_equal(e.text,
                        "mount point nothing: No such file or directory (make it with mkdir)");
    assert_int_equal(mountpoint_find("file/x", &found, &e), -ENOTDIR);
    assert_string_equal(e.text, "mount point file/x: Not a directory");
    assert_int_equal(mountpoint_find("file", &found, &e), -ENOTDIR);
    assert_string_equal(e.text, "mount point file: not a folder");
    free(found);
}

static void what_is_no_mount_is_said(void **state)
{
    static const struct {
        const char *path;
        int errnum;
        const char *sentence;
    } cases[] = {
        {"folder", ENOENT, "no startpointfs is mounted on folder"},
        {"nothing", ENOENT, "there is no folder nothing"},
        {"file/x", ENOTDIR, "there is no folder file/x"},
    };
    const struct sandbox *box = *state;
    struct error e;

    run(box, "mkdir -p folder odd/" MOUNTPOINT_STATUS "; touch file");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(mountpoint_status(cases[i].path, &e));
        if (e.errnum != cases[i].errnum || strcmp(e.text, cases[i].sentence) != 0)
            fail_msg("%s: %d, %s", cases[i].path, e.errnum, e.text);
    }
    assert_null(mountpoint_status("odd", &e)); /* whose file of that name is none */
    assert_ptr_equal(strstr(e.text, "the mount on odd does not answer: "), e.text);
    assert_int_equal(mountpoint_unmount("folder", false, &e), -EINVAL);
    assert_string_equal(e.text, "nothing is mounted on folder");
    assert_int_equal(mountpoint_unmount("nothing", false, &e), -ENOENT);
    assert_string_equal(e.text, "there is no folder nothing");
}

/* By somebody who is not root, where fuse3 is not installed. */
static void unmount_without_fusermount(void *unused)
{
    struct error e;

    (void)unused;
    setenv("PATH", "/nowhere", 1);
    CHECK(geteuid() != 0 || setuid(65534) == 0);
    CHECK(mountpoint_unmount("/tmp", false, &e) == -EINVAL &&
          strcmp(e.text, "nothing is mounted on /tmp") == 0);
    CHECK(mountpoint_unmount("/nothing", false, &e) == -ENOENT &&
          strcmp(e.text, "there is no folder /nothing") == 0);
    CHECK(mountpoint_unmount("/proc", false, &e) == -ENOENT &&
          strcmp(e.text, "cannot unmount /proc: there is no fusermount3; install fuse3") == 0);
}

static void what_is_no_mount_is_said_without_fusermount3_too(void **state)
{
    run_apart(unmount_without_fusermount, *state);
}

static void a_place_without_a_mount_is_bare(void **state)
{
    const struct sandbox *box = *state;
    struct error e;
    bool is_bare;

    run(box, "mkdir folder; touch folder/a folder/.b");
    assert_int_equal(mountpoint_clear(output(box, "realpath folder"), &is_bare, &e), 0);
    assert_true(is_bare);
    assert_int_equal(mountpoint_clear("/proc", &is_bare, &e), 0); /* somebody else's */
    assert_false(is_bare);
    assert_int_equal(mountpoint_clear(FUSE_MOUNT_INHERITED "7", &is_bare, &e), 0);
    assert_false(is_bare);
    assert_true(mountpoint_device("folder") == 0);
    assert_true(mountpoint_device("/proc/") != 0);
    assert_int_equal(mountpoint_life("folder"), MOUNTPOINT_OTHER);
    assert_int_equal(mountpoint_life("nothing"), MOUNTPOINT_OTHER);
    assert_int_equal(mountpoint_life("/proc"), MOUNTPOINT_OTHER);
    assert_int_equal(mountpoint_entries("folder"), 2);
    assert_int_equal(mountpoint_entries("nothing"), 0);
}

/* A folder of the sandbox on which mounts are laid; it is there until the next. */
static void begin_pile(const struct sandbox *box)
{
    static char point[100];
    struct stat st;

    run(box, "mkdir -p point");
    snprintf(point, sizeof point, "%s/point", output(box, "pwd -P"));
    memset(&pile, 0, sizeof pile);
    assert_int_equal(stat(point, &st), 0);
    pile.device = st.st_dev;
    pile.point = point;
}

/* Also where somebody stands in them. */
static void mounts_that_are_dead_are_cleared_away(void **state)
{
    struct error e;
    bool is_bare;

    begin_pile(*state);
    lay_upon(OURS, ENOTCONN);
    lay_upon("fuse", ECONNABORTED);
    for (int i = 0; i < 3; i++)
        lay_upon(OURS, ENOTCONN);
    assert_int_equal(mountpoint_clear(pile.point, &is_bare, &e), 0);
    assert_true(is_bare);
    assert_int_equal(pile.unmounted, 5);
    assert_int_equal(pile.lazily, 5);

    begin_pile(*state);
    lay_upon(OURS, ENOTCONN);
    pile.result = -EPERM;
    assert_int_equal(mountpoint_clear(pile.point, &is_bare, &e), -EPERM);
    assert_int_equal(pile.unmounted, 1);
}

static void mounts_that_are_not_dead_stay(void **state)
{
    struct error e;
    bool is_bare;

    begin_pile(*state);
    lay_upon(OURS, 0);
    lay_upon(OURS, ENOTCONN);
    lay_upon(OURS, ENOTCONN);
    assert_int_equal(mountpoint_clear(pile.point, &is_bare, &e), -EBUSY);
    assert_ptr_equal(strstr(e.text, "a startpointfs is already mounted on "), e.text);
    assert_int_equal(pile.unmounted, 2);

    begin_pile(*state);
    lay_upon("nfs4", ENOTCONN); /* who is not asked: it might not answer */
    assert_int_equal(mountpoint_clear(pile.point, &is_bare, &e), 0);
    assert_false(is_bare);
    begin_pile(*state);
    lay_upon("fuse.sshfs", EACCES); /* which is its users' alone, or damaged */
    assert_int_equal(mountpoint_clear(pile.point, &is_bare, &e), 0);
    assert_false(is_bare);
    assert_int_equal(pile.unmounted, 0);
}

/* The exit status; what it prints is in the file "printed". */
static int umount(bool lazy, bool quiet)
{
    char *operands[] = {(char *)"point"};
    struct arguments arguments = {
        .settings.quiet = quiet, .lazy = lazy, .operands = operands, .count = 1};
    int before = dup(1), to = open("printed", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    fflush(stdout);
    assert_true(before >= 0 && to >= 0 && dup2(to, 1) == 1);
    int code = verb_umount(&arguments);
    fflush(stdout);
    assert_int_equal(dup2(before, 1), 1);
    close(before);
    close(to);
    return code;
}

static void umount_detaches_what_is_dead_and_nothing_else(void **state)
{
    static const struct {
        const char *type;
        int answer;
        bool lazy, quiet;
        int lazily;
        const char *printed; /* how it begins */
    } rows[] = {
        {OURS, ENOTCONN, false, false, 1, ""},
        {OURS, ECONNABORTED, false, false, 1, ""},
        /* Somebody else's, whether it is in use or not. */
        {"ext4", ENOTCONN, false, false, 0, ""},
        {"fuse.sshfs", EACCES, false, false, 0, ""},
        {OURS, 0, false, false, 0, ""},
        {OURS, 0, true, false, 1, "point is detached: "},
        {OURS, 0, true, true, 1, ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin_pile(*state);
        lay_upon(rows[i].type, rows[i].answer);
        assert_int_equal(umount(rows[i].lazy, rows[i].quiet), EXIT_OK);
        assert_int_equal(pile.unmounted, 1);
        assert_int_equal(pile.lazily, rows[i].lazily);
        assert_string_equal(output(*state, "head -c %zu printed", strlen(rows[i].printed)),
                            rows[i].printed);
        assert_int_equal(strlen(output(*state, "cat printed")) > 0, strlen(rows[i].printed) > 0);
    }
}

static void the_cache_s_mode_is_as_it_is_asked_for(void **state)
{
    static const struct {
        enum cache_mode asked;
        mode_t before, after; /* 0: it is not there */
    } cases[] = {
        {CACHE_MODE_AS_IT_IS, 0, 0}, {CACHE_MODE_AS_IT_IS, 0711, 0711},
        {CACHE_MODE_OWNER, 0, 0700}, {CACHE_MODE_OWNER, 0755, 0700},
        {CACHE_MODE_ALL, 0, 0755},   {CACHE_MODE_ALL, 0700, 0755},
    };
    struct settings settings = {.cache = (char *)"cache"};
    struct error e;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stat st = {0};

        settings.cache_mode = cases[i].asked;
        if (cases[i].before)
            run(*state, "mkdir cache; chmod %o cache", cases[i].before);
        assert_int_equal(cache_mode_apply(&settings, &e), 0);
        assert_int_equal(stat("cache", &st) == 0 ? st.st_mode & 07777 : 0, cases[i].after);
        run(*state, "rm -rf cache");
    }
    run(*state, "touch file");
    settings.cache = (char *)"file/cache";
    assert_int_equal(cache_mode_apply(&settings, &e), -ENOTDIR);
}

/* mount(8) and systemd may give none. */
static void home_and_path_are_found(void **state)
{
    char *home = strdup(getenv("HOME")), *path = strdup(getenv("PATH"));

    (void)state;
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            unsetenv("HOME"), unsetenv("PATH");
        else
            setenv("HOME", "", 1), setenv("PATH", "", 1);
        environment_complete();
        assert_int_equal(*getenv("HOME"), '/');
        assert_string_not_equal(getenv("HOME"), home);
        assert_string_equal(getenv("PATH"),
                            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    }
    setenv("HOME", home, 1);
    setenv("PATH", path, 1);
    environment_complete();
    assert_string_equal(getenv("HOME"), home);
    assert_string_equal(getenv("PATH"), path);
    free(home);
    free(path);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_mount_point_is_a_folder_by_its_whole_path),
        TEST(what_is_no_mount_is_said),
        TEST(what_is_no_mount_is_said_without_fusermount3_too),
        TEST(a_place_without_a_mount_is_bare),
        TEST(mounts_that_are_dead_are_cleared_away),
        TEST(mounts_that_are_not_dead_stay),
        TEST(umount_detaches_what_is_dead_and_nothing_else),
        TEST(the_cache_s_mode_is_as_it_is_asked_for),
        TEST(home_and_path_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
