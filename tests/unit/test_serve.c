/* test_serve.c - what a worker's requests get: at once, after they have waited, and where there is nothing to be had. */
#include <sys/statvfs.h>

#include "gitcache/base/clock.h"
#include "tests/unit/kernel.h"

#define LARGE      (17 << 20) /* bytes of a file that is not kept in memory */
#define FIRST_LINE 1000000

/* ---- what is read ---- */

static atomic_int read_failure; /* of the next reading of a file; 0: none */
static atomic_uint_fast64_t
    other; /* the size that is known of a file when the next reading has begun; 0: the same */

int __real_readings_get_blob(struct mount *mount, uint32_t index, struct ask *ask,
                             struct blob **out);
int __wrap_readings_get_blob(struct mount *mount, uint32_t index, struct ask *ask,
                             struct blob **out);

int __wrap_readings_get_blob(struct mount *mount, uint32_t index, struct ask *ask,
                             struct blob **out)
{
    int failure = atomic_exchange(&read_failure, 0);
    uint64_t size = atomic_exchange(&other, 0);

    if (size)
        ((struct node *)node_get(mount->nodes, index))->size = size;
    return failure ? failure : __real_readings_get_blob(mount, index, ask, out);
}

/* From the remote, once. */
static void test_what_is_damaged_is_fetched_again(void **state)
{
    const struct fuse_read_in read = {.size = 100};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t file = look_along(&kernel, "repo/1/folder/file"),
             link = look_along(&kernel, "repo/1/link");
    read_failure = -EIO;
    assert_int_equal(ask_for(&kernel, FUSE_READ, file, &read, sizeof read), 0);
    assert_int_equal(kernel.said.header.len, sizeof kernel.said.header + 5);
    assert_memory_equal(kernel.said.bytes, "deep\n", 5);
    read_failure = -EIO;
    assert_int_equal(ask_for(&kernel, FUSE_READLINK, link, NULL, 0), 0);
    assert_memory_equal(kernel.said.bytes, "file", 4);
    read_failure = -ENOSPC;
    assert_int_equal(ask_for(&kernel, FUSE_READ, file, &read, sizeof read), -ENOSPC);
    read_failure = -ENOSPC;
    assert_int_equal(ask_for(&kernel, FUSE_READLINK, link, NULL, 0), -ENOSPC);
    kernel_close(&kernel);
}

/* The kernel would cut the bytes, or put zeroes behind them. */
static void test_a_file_whose_size_turns_out_to_be_another_is_not_read_as_it_was(void **state)
{
    const struct fuse_read_in read = {.size = 100};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t file = look_along(&kernel, "repo/1/folder/file");
    ((struct node *)node_get(kernel.worker.mount.nodes, (uint32_t)file - 1))->size = 4;
    other = 5;
    assert_int_equal(ask_for(&kernel, FUSE_READ, file, &read, sizeof read), -EIO);
    look_along(&kernel, "repo/1/folder/file"); /* which says the size */
    assert_int_equal(kernel.said.entry.attr.size, 5);
    assert_int_equal(ask_for(&kernel, FUSE_READ, file, &read, sizeof read), 0);
    kernel_close(&kernel);
}

/* ---- what waits ---- */

/* From now on git, which a local remote is asked with, waits for as long as there is a file `wait`. */
static char *slow_down(const struct sandbox *box)
{
    char *before = strdup(getenv("PATH")), path[1000];

    run(box, "mkdir bin; printf '#!/bin/sh\nwhile [ -e %%s/wait ]; do sleep 0.1; done\nexec %%s "
             "\"$@\"\n' "
             "$PWD $(command -v git) >bin/git; chmod +x bin/git; touch wait");
    snprintf(path, sizeof path, "%s/bin:%s", box->folder, before);
    setenv("PATH", path, 1);
    return before;
}

static void speed_up(const struct sandbox *box)
{
    run(box, "rm -f wait");
}

/* Once no thread asks git any more. */
static void end_slowly(struct kernel *kernel, char *before)
{
    kernel_close(kernel);
    setenv("PATH", before, 1);
    free(before);
}

static void wait_until_parked(const struct kernel *kernel, size_t count)
{
    int64_t end = clock_now() + 20000;

    while (parked_count(kernel->worker.mount.parked) != count) {
        assert_true(clock_now() < end);
        sched_yield();
    }
}

static void test_who_waits_is_answered(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t version = look_along(&kernel, "repo/4");
    char *before = slow_down(*state);
    uint64_t first = ask_later(&kernel, FUSE_LOOKUP, version, "file", 5),
             second = ask_later(&kernel, FUSE_LOOKUP, version, "none", 5);
    wait_until_parked(&kernel, 2);
    speed_up(*state);
    for (int i = 0; i < 2; i++) { /* in any order */
        hear(&kernel);
        assert_int_equal(kernel.said.header.error, 0);
        bool is_first = kernel.said.header.unique == first;
        assert_true(is_first || kernel.said.header.unique == second);
        assert_int_equal(kernel.said.entry.attr.size, is_first ? 3 : 0);
        assert_true((kernel.said.entry.nodeid != 0) == is_first);
    }
    wait_until_parked(&kernel, 0);
    end_slowly(&kernel, before);
}

/* One of two who wait for the same. */
static void test_who_is_interrupted_waits_no_longer(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t version = look_along(&kernel, "repo/4");
    char *before = slow_down(*state);
    uint64_t first = ask_later(&kernel, FUSE_LOOKUP, version, "file", 5),
             second = ask_later(&kernel, FUSE_LOOKUP, version, "file", 5);
    wait_until_parked(&kernel, 2);
    const struct fuse_interrupt_in interrupt = {.unique = first};
    ask_later(&kernel, FUSE_INTERRUPT, 0, &interrupt, sizeof interrupt);
    assert_int_equal(hear_answer(&kernel, first), -EINTR);
    assert_int_equal(parked_count(kernel.worker.mount.parked), 1);
    speed_up(*state);
    assert_int_equal(hear_answer(&kernel, second), 0);
    end_slowly(&kernel, before);
}

/* A remote that does not answer for two seconds: what it listed before is shown. */
static void test_a_listing_does_not_wait_for_long(void **state)
{
    const struct fuse_read_in read = {.size = 4096};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    kernel.mounted.settings.refs_ttl = 0;
    kernel.hears_answers_only = true;
    uint64_t repo = look_along(&kernel, "repo");
    char *before = slow_down(*state);
    int64_t began = clock_now();
    uint64_t request = ask_later(&kernel, FUSE_READDIR, repo, &read, sizeof read);
    assert_int_equal(hear_answer(&kernel, request), 0);
    assert_true(kernel.said.header.len >
                sizeof kernel.said.header + 4 * sizeof(struct fuse_dirent));
    assert_in_range(clock_now() - began, 1900, 15000);
    speed_up(*state);
    settle(&kernel.mounted);
    end_slowly(&kernel, before);
}

/* ---- what is not there ---- */

/* To the C library ENOENT is the end of a folder. And what is missing in it may be there later. */
static void test_a_version_that_is_not_there(void **state)
{
    const struct fuse_read_in read = {.size = 4096};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t version = look_along(&kernel, "repo/gone");
    run(*state, "cd repo; git tag -d gone; git reflog expire --expire=now --all; git prune");
    assert_int_equal(look(&kernel, version, "file"), -ENOENT);
    assert_int_equal(ask_for(&kernel, FUSE_READDIR, version, &read, sizeof read), -ESTALE);
    assert_int_equal(ask_for(&kernel, FUSE_READDIRPLUS, version, &read, sizeof read), -ESTALE);
    kernel_close(&kernel);
}

/* ---- large files ---- */

/* A file of lines of seven digits, and a symlink of the same bytes. */
static void add_large(const struct sandbox *box)
{
    run(box,
        "cd repo; blob=$(seq %d %d | git hash-object -w --stdin);"
        "tree=$(printf '100644 blob %%s\tfile\n120000 blob %%s\tlink\n' $blob $blob | git mktree);"
        "git tag large $(git commit-tree -m l $tree)",
        FIRST_LINE, FIRST_LINE + LARGE / 8 - 1);
}

static void assert_bytes(const char *bytes, uint64_t offset, size_t size)
{
    char line[30];

    for (size_t at = 0; at < size; at++) {
        uint64_t number = (offset + at) / 8;
        snprintf(line, sizeof line, "%d\n", FIRST_LINE + (int)number);
        assert_int_equal(bytes[at], line[(offset + at) % 8]);
    }
}

/* Of a tag that has just been made: names that are not there are asked for once a second. */
static uint64_t look_along_large(struct kernel *kernel, const char *path)
{
    uint64_t repo = look_along(kernel, "repo");
    int64_t until = clock_now() + 20000;

    while (look(kernel, repo, "large") != 0 || !kernel->said.entry.nodeid)
        assert_true(clock_now() < until);
    return look_along(kernel, path);
}

static void test_a_large_file(void **state)
{
    static const struct {
        uint64_t offset, size, expected;
    } cases[] = {{0, 4096, 4096},  {LARGE - 100, 4096, 100}, {LARGE - 1, 1, 1},
                 {LARGE, 4096, 0}, {LARGE + 1, 1, 0},        {5 << 20, 60000, 60000}};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    add_large(*state);
    uint64_t file = look_along_large(&kernel, "repo/large/file");
    assert_int_equal(kernel.said.entry.attr.size, LARGE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct fuse_read_in read = {.offset = cases[i].offset,
                                          .size = (uint32_t)cases[i].size};
        assert_int_equal(ask_for(&kernel, FUSE_READ, file, &read, sizeof read), 0);
        assert_int_equal(kernel.said.header.len - sizeof kernel.said.header, cases[i].expected);
        assert_bytes(kernel.said.bytes, cases[i].offset, cases[i].expected);
    }
    kernel_close(&kernel);
}

/* It leads nowhere. */
static void test_a_large_symlink(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    add_large(*state);
    uint64_t link = look_along_large(&kernel, "repo/large/link");
    assert_int_equal(ask_for(&kernel, FUSE_READLINK, link, NULL, 0), 0);
    assert_int_equal(kernel.said.header.len - sizeof kernel.said.header, PATH_MAX);
    assert_bytes(kernel.said.bytes, 0, PATH_MAX);
    kernel_close(&kernel);
}

/* ---- what is opened ---- */

static void assert_opened(struct kernel *kernel, uint32_t opcode, uint64_t node, int expected,
                          uint32_t flags)
{
    const struct fuse_open_in open = {.flags = O_RDONLY};

    assert_int_equal(ask_for(kernel, opcode, node, &open, sizeof open), expected);
    if (expected == 0)
        assert_int_equal(((const struct fuse_open_out *)kernel->said.bytes)->open_flags, flags);
}

static void test_a_kernel_that_opens_by_itself_is_told_once(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    assert_opened(&kernel, FUSE_OPEN, look_along(&kernel, "repo/1/file"), -ENOSYS, 0);
    assert_opened(&kernel, FUSE_OPENDIR, look_along(&kernel, "repo/1"), -ENOSYS, 0);
    kernel_close(&kernel);
}

/* It keeps what it has all the same. */
static void test_a_kernel_that_must_be_told_of_each_opening(void **state)
{
    struct kernel kernel;

    kernel_prepare(&kernel, state, EPOCHS_KNOWN, 1);
    struct first_request *first = (struct first_request *)kernel.mounted.mount.state->init;
    first->init.flags &= ~(uint32_t)(FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT);
    kernel_begin(&kernel);
    assert_opened(&kernel, FUSE_OPEN, look_along(&kernel, "repo/1/file"), 0, FOPEN_KEEP_CACHE);
    assert_opened(&kernel, FUSE_OPENDIR, look_along(&kernel, "repo/1"), 0,
                  FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR);
    kernel_close(&kernel);
}

/* ---- what is said of folders that change ---- */

static int64_t time_of(struct kernel *kernel, uint64_t node)
{
    const struct fuse_getattr_in nothing = {0};
    const struct fuse_attr *attr = &kernel->said.attr.attr;

    assert_int_equal(ask_for(kernel, FUSE_GETATTR, node, &nothing, sizeof nothing), 0);
    return (int64_t)attr->mtime * 1000000000 + attr->mtimensec;
}

/* While its listing is old, a repository's time is another each second: the kernel drops the listing that it keeps. */
static void test_times_of_folders_that_change(void **state)
{
    const int64_t changed_at = 1500000000123456789;
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t repo = look_along(&kernel, "repo"), prefix = look_along(&kernel, "repo/release"),
             control = look_along(&kernel, ".startpointfs");
    repos_at(&kernel.worker.mount.repos, 0)->changed_at = changed_at;
    kernel.worker.mount.changed_at = changed_at + 1;
    kernel.mounted.settings.refs_ttl = 1000;
    assert_true(time_of(&kernel, repo) == changed_at);
    assert_true(time_of(&kernel, prefix) == changed_at);
    assert_true(time_of(&kernel, FUSE_ROOT_ID) == changed_at + 1);
    assert_true(time_of(&kernel, control) == changed_at + 1);
    kernel.mounted.settings.refs_ttl = 0;
    assert_in_range(time_of(&kernel, repo) - changed_at, 1, 1000000);
    int64_t first = time_of(&kernel, prefix), end = clock_now() + 20000;
    while (time_of(&kernel, prefix) == first)
        assert_true(clock_now() < end);
    assert_in_range(time_of(&kernel, prefix) - first, 1, 100);
    kernel_close(&kernel);
}

static void test_the_time_of_a_text_is_when_it_was_made(void **state)
{
    struct kernel kernel;
    int64_t before = clock_wall() * 1000000;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t file = look_along(&kernel, ".startpointfs/status.json");
    assert_in_range(time_of(&kernel, file), before, clock_wall() * 1000000);
    kernel_close(&kernel);
}

/* ---- numbers ---- */

static void test_df_shows_the_disk_of_the_cache(void **state)
{
    struct kernel kernel;
    struct statvfs st;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    assert_int_equal(statvfs(kernel.mounted.settings.cache, &st), 0);
    assert_int_equal(ask_for(&kernel, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0), 0);
    assert_int_equal(kernel.said.statfs.st.blocks, st.f_blocks);
    assert_int_equal(kernel.said.statfs.st.bsize, st.f_bsize);
    run(*state, "rm -rf cache"); /* there is something to be said still */
    assert_int_equal(ask_for(&kernel, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0), 0);
    assert_int_equal(kernel.said.statfs.st.blocks, 0);
    assert_int_equal(kernel.said.statfs.st.bsize, 4096);
    assert_int_equal(kernel.said.statfs.st.frsize, 4096);
    kernel_close(&kernel);
}

static void test_each_kind_of_request_is_counted(void **state)
{
    const struct {
        uint32_t opcode;
        enum operation operation;
        const char *path;
    } cases[] = {{FUSE_GETATTR, OPERATION_GETATTR, "repo/1/file"},
                 {FUSE_READLINK, OPERATION_READLINK, "repo/1/link"},
                 {FUSE_READ, OPERATION_READ, "repo/1/file"},
                 {FUSE_READDIR, OPERATION_READDIR, "repo/1"},
                 {FUSE_READDIRPLUS, OPERATION_READDIRPLUS, "repo/1"},
                 {FUSE_OPEN, OPERATION_OPEN, "repo/1/file"},
                 {FUSE_OPENDIR, OPERATION_OPENDIR, "repo/1"}};
    const struct fuse_read_in arguments = {.size = 4096}; /* the longest there are */
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    const _Atomic uint64_t *requests = kernel.worker.mount.state->requests;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t node = look_along(&kernel, cases[i].path), others = 0, others_after = 0;
        for (int o = 0; o < OPERATION_COUNT; o++)
            others += requests[o];
        uint64_t before = requests[cases[i].operation];
        ask_for(&kernel, cases[i].opcode, node, &arguments,
                cases[i].opcode == FUSE_READLINK ? 0 : sizeof arguments);
        for (int o = 0; o < OPERATION_COUNT; o++)
            others_after += requests[o];
        assert_int_equal(requests[cases[i].operation], before + 1);
        assert_int_equal(others_after, others + 1);
    }
    char name[NODE_NAME_MAX + 2] = {0};
    memset(name, 'x', NODE_NAME_MAX + 1);
    uint64_t before = requests[OPERATION_LOOKUP];
    assert_int_equal(look(&kernel, FUSE_ROOT_ID, name), -ENAMETOOLONG);
    assert_int_equal(requests[OPERATION_LOOKUP], before + 1);
    kernel_close(&kernel);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_damaged_is_fetched_again),
        TEST(test_a_file_whose_size_turns_out_to_be_another_is_not_read_as_it_was),
        TEST(test_who_waits_is_answered),
        TEST(test_who_is_interrupted_waits_no_longer),
        TEST(test_a_listing_does_not_wait_for_long),
        TEST(test_a_version_that_is_not_there),
        TEST(test_a_large_file),
        TEST(test_a_large_symlink),
        TEST(test_a_kernel_that_opens_by_itself_is_told_once),
        TEST(test_a_kernel_that_must_be_told_of_each_opening),
        TEST(test_times_of_folders_that_change),
        TEST(test_the_time_of_a_text_is_when_it_was_made),
        TEST(test_df_shows_the_disk_of_the_cache),
        TEST(test_each_kind_of_request_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
