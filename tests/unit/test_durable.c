/* What is there is whole, also after a power failure: each file is synced before it gets its name, its name after that, and a
 * version's ref comes last. Also libgit2 calls this fsync and this rename. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fs/sets/set.h"
#include "gitcache/base/disk.h"
#include "tests/unit/mounted.h"

#define EVENTS_MOST 1000

/* "sync PATH" or "name PATH": what a rename gives. */
static char *events[EVENTS_MOST];
static size_t event_count;
static _Atomic int unlinks;
static const char *fails = ""; /* no file gets a name that ends so */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void note(const char *what, const char *path)
{
    pthread_mutex_lock(&lock);
    if (event_count < EVENTS_MOST && asprintf(&events[event_count], "%s %s", what, path) >= 0)
        event_count++;
    pthread_mutex_unlock(&lock);
}

int fsync(int fd)
{
    char link[40], path[PATH_MAX] = "";

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) >= 0)
        note("sync", path);
    return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    size_t length = strlen(to), end_length = strlen(fails);

    note("from", from);
    note("name", to);
    if (end_length && length > end_length && strcmp(to + length - end_length, fails) == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_rename, from, to);
}

int unlink(const char *path)
{
    unlinks++;
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static void forget_events(void)
{
    unlinks = 0;
    while (event_count)
        free(events[--event_count]);
}

/* The first event after `place` that is it and whose path ends so; the test fails if there is none. */
static size_t find(size_t place, const char *what, const char *end)
{
    for (size_t i = place; i < event_count; i++) {
        size_t length = strlen(events[i]), end_length = strlen(end);
        if (strncmp(events[i], what, 4) == 0 && length > end_length &&
            strcmp(events[i] + length - end_length, end) == 0)
            return i;
    }
    for (size_t i = 0; i < event_count; i++)
        print_error("%zu %s\n", i, events[i]);
    fail_msg("no %s ...%s after %zu", what, end, place);
    return 0;
}

/* Where a rename gives a path that ends so: what it was called before was synced earlier. */
static size_t named_after_its_sync(const char *end)
{
    size_t named = find(0, "name", end);
    const char *before = events[named - 1] + strlen("from ");

    assert_true(find(0, "sync", before) < named);
    return named;
}

static void test_a_version(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    forget_events();
    walk(&mounted, "repo/1/file");
    size_t pack = find(0, "name", ".pack"), index = find(0, "name", ".idx"), synced = 0;
    assert_true(pack < index); /* git takes a pack for whole once its index is there */
    for (size_t i = 0; i < pack; i++)
        synced +=
            strncmp(events[i], "sync", 4) == 0 && strstr(events[i], "-incoming/pack/") != NULL;
    assert_int_equal(synced, 2); /* libgit2 has other names for them then */
    size_t packs = find(index, "sync", "/objects/pack");
    size_t ref = named_after_its_sync("/refs/tags/1");
    assert_true(packs < ref);
    find(ref, "sync", "/refs/tags");
    forget_events();
    mounted_close(&mounted);
}

/* That its history is cut there is said before its ref is. */
static void test_a_version_that_is_cut(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=2");
    forget_events();
    walk(&mounted, "repo/2/file");
    size_t cut = named_after_its_sync("/shallow");
    find(find(cut, "sync", "/repo.git"), "name", "/refs/tags/2");
    forget_events();
    mounted_close(&mounted);
}

/* Half a pack is nothing. */
static void test_a_pack_whose_index_cannot_be_named(void **state)
{
    struct mounted mounted;
    uint32_t version;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    fails = ".idx";
    assert_int_equal(look_up(&mounted, walk(&mounted, "repo"), "1", &version), 0);
    assert_int_equal(open_folder(&mounted, version), -EIO);
    fails = "";
    assert_string_equal(output(*state, "find cache -name 'pack-*' | wc -l"), "0");
    forget_events();
    mounted_close(&mounted);
}

static void test_a_file_that_is_replaced(void **state)
{
    struct sandbox *box = *state;
    char path[100], text[20] = "";
    struct error e;

    snprintf(path, sizeof path, "%s/file", box->folder);
    forget_events();
    assert_int_equal(disk_replace(path, "old", 3, true, &e), 0);
    assert_int_equal(disk_replace(path, "newer", 5, true, &e), 0);
    size_t named = named_after_its_sync("/file");
    find(named, "sync", box->folder);
    forget_events();
    /* Who has it open reads on what it was; a half one is never there. */
    int fd = open(path, O_RDONLY);
    assert_int_equal(disk_replace(path, "last", 4, false, &e), 0);
    assert_int_equal(event_count, 2);
    assert_int_equal(read(fd, text, sizeof text), 5);
    assert_string_equal(text, "newer");
    close(fd);
    assert_string_equal(output(box, "ls; cat file"), "file\nlast");
    forget_events();
}

/* A set's name is given to another file, and never to none. */
static void test_a_set(void **state)
{
    char sets[100], path[120];
    struct set set = {.name = strdup("pp"), .type = TYPE_LANGUAGES};
    struct error e;
    struct stat st;

    snprintf(sets, sizeof sets, "%s/sets", ((struct sandbox *)*state)->folder);
    assert_int_equal(set_add(&set, "https://h/x?tag=1", &e), 0);
    assert_int_equal(set_save(&set, sets, false, &e), 0);
    snprintf(path, sizeof path, "%s/pp", sets);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    forget_events();
    assert_int_equal(set_save(&set, sets, true, &e), 0);
    size_t named = named_after_its_sync("/sets/pp");
    find(named, "sync", "/sets");
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(unlinks, 0);
    close(fd);
    set_release(&set);
    forget_events();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_version, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_version_that_is_cut, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_pack_whose_index_cannot_be_named, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_set, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_replaced, sandbox_open, sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
