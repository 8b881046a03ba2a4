/* Each call of the system that reading a version makes fails once: what is read is right all the same, or it is told why not, with the
 * errno of that call. Only what is damaged may be fetched again: so a full memory must never look like that. */
#include <pthread.h>
#include <sys/mman.h>

#include "gitcache/base/library.h"
#include "gitcache/base/sha1.h"
#include "gitcache/fetch/repository_fetch.h"
#include "gitcache/store/last_read.h"
#include "gitcache/store/raw_object.h"
#include "gitcache/store/raw_tree.h"
#include "tests/unit/failing_calls.h"
#include "tests/unit/sandbox.h"

FAILING(EIO, -1, ssize_t, pread64, (int fd, void *bytes, size_t size, off64_t at),
        (fd, bytes, size, at))
FAILING(ENOSPC, -1, ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off64_t at),
        (fd, bytes, size, at))
FAILING(EAGAIN, EAGAIN, int, pthread_create,
        (pthread_t * thread, const pthread_attr_t *how, void *(*start)(void *), void *data),
        (thread, how, start, data))

struct setup {
    struct sandbox *box;
    struct cache *cache;
    char url[128];
};

/* Versions whose files are deltas to each other; `large` comes in several pieces. */
static void open_setup(struct setup *setup, void **state)
{
    struct version_request requests[] = {{.name = "1"}, {.name = "2"}, {.name = "main"}};
    struct net_settings settings;
    struct repository *repository;
    struct remote *remote;
    struct error e = {0};
    char folder[128];

    setup->box = *state;
    run_once(setup->box,
             "git init -q remote; cd remote; head -c 200000 /dev/urandom | base64 >all; "
             "mkdir in; : >in/empty;"
             "for i in 1 2; do (echo $i; cat all; echo $i) >large; seq $i 300 >in/small;"
             "git add large in; git commit -qm $i; git tag -am $i $i; done; git rm -q "
             "large; git commit -qm 3");
    snprintf(setup->url, sizeof setup->url, "%s/remote", setup->box->folder);
    snprintf(folder, sizeof folder, "%s/cache", setup->box->folder);
    net_settings_init(&settings);
    assert_int_equal(library_open(&e), 0);
    assert_int_equal(cache_open(&setup->cache, folder, false, &e), 0);
    assert_int_equal(repository_open(&repository, setup->cache, setup->url, &e), 0);
    assert_int_equal(remote_new(&remote, &settings, &e), 0);
    assert_int_equal(repository_fetch(repository, remote, requests, 3, NULL, NULL, &e), 0);
    run(setup->box, "ln -s %s here", repository_folder(repository));
    remote_free(remote);
    repository_close(repository);
}

static void close_setup(struct setup *setup)
{
    cache_close(setup->cache);
    library_close();
}

/* What was read, as text. */
struct reading {
    struct repository *repository;
    struct error *e;
    char text[8192];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void note(struct reading *reading, const char *format,
                                                       ...)
{
    va_list args;

    va_start(args, format);
    reading->used += (size_t)vsnprintf(reading->text + reading->used,
                                       sizeof reading->text - reading->used, format, args);
    va_end(args);
    assert_true(reading->used < sizeof reading->text);
}

static void note_sum(struct reading *reading, const char *what, const void *bytes, size_t size)
{
    char hex[OID_HEX_SIZE];
    struct oid sum;

    sha1_of(bytes, size, sum.id);
    note(reading, "%s %zu %s\n", what, size, oid_format(&sum, hex));
}

/* As a small file is read, and as a large one. */
static int read_file(struct reading *reading, const struct oid *id, uint64_t size)
{
    struct bytes bytes;
    int r = raw_object_blob(reading->repository, id, &bytes, reading->e);

    if (r < 0)
        return r;
    assert_int_equal(bytes.size, size);
    assert_int_equal(bytes.data[size], 0);
    note_sum(reading, "blob", bytes.data, bytes.size);
    free(bytes.data);
    int fd = memfd_create("file", MFD_CLOEXEC);
    assert_true(fd >= 0);
    r = raw_object_to_file(reading->repository, id, size, fd, "/tmp", NULL, reading->e);
    if (r == 0 && size > 0) {
        void *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

        assert_true(mapped != MAP_FAILED);
        assert_int_equal(lseek(fd, 0, SEEK_END), size);
        note_sum(reading, "file", mapped, size);
        munmap(mapped, size);
    }
    close(fd);
    return r;
}

static int read_tree(struct reading *reading, const struct oid *id)
{
    struct oid ids[8];
    uint64_t sizes[8];
    struct raw_entry entry;
    git_odb_object *object;
    size_t count = 0;
    int r = raw_object_read(reading->repository, id, GIT_OBJECT_TREE, &object, reading->e);

    if (r < 0)
        return r;
    const char *data = git_odb_object_data(object);
    struct raw_tree tree = {data, data + git_odb_object_size(object)};
    while (r == 0 && raw_tree_next(&tree, &entry) > 0) {
        note(reading, "%o %s\n", entry.mode, entry.name);
        if (raw_tree_mode_is_tree(entry.mode))
            r = read_tree(reading, &entry.oid);
        else
            ids[count++] = entry.oid;
    }
    git_odb_object_free(object);
    if (r == 0)
        r = raw_object_sizes(reading->repository, ids, count, sizes, reading->e);
    for (size_t i = 0; i < count && r == 0; i++)
        r = read_file(reading, &ids[i], sizes[i]);
    return r;
}

static int read_version(struct reading *reading, const char *name)
{
    struct version version;
    struct oid tree;
    int r = versions_find(reading->repository, name, NULL, &version, reading->e);

    if (r == 0 && (r = last_read_now(reading->repository, &version)) < 0)
        error_set(reading->e, -r, "it cannot be marked as read");
    if (r == 0)
        r = raw_object_tree_of(reading->repository, &version.commit, &tree, reading->e);
    if (r < 0)
        return r;
    note(reading, "version %s %lld\n", name, (long long)version.time);
    assert_true(oid_equal(&tree, &version.tree));
    return read_tree(reading, &tree);
}

static int note_version(void *data, const char *name, const struct version *version)
{
    note(data, "has %s %lld\n", name, (long long)version->time);
    return 0;
}

static int note_moved(void *data, const char *tag, const struct oid *pinned, const struct oid *now)
{
    (void)pinned, (void)now;
    note(data, "moved %s\n", tag);
    return 0;
}

static int name_branches(struct reading *reading)
{
    char **branches;
    size_t count;
    int r = repository_name_branch(reading->repository, "one");

    if (r == 0)
        r = repository_name_branch(reading->repository, "two");
    if (r == 0)
        r = repository_name_branch(reading->repository, "one");
    if (r == 0)
        r = repository_copy_branches(reading->repository, &branches, &count);
    if (r < 0)
        return error_no_memory(reading->e);
    for (size_t i = 0; i < count; i++)
        note(reading, "branch %s\n", branches[i]);
    repository_free_branches(branches, count);
    return 0;
}

static int read_all(struct setup *setup, struct reading *reading)
{
    int r = repository_open(&reading->repository, setup->cache, setup->url, reading->e);

    if (r < 0)
        return r;
    r = name_branches(reading);
    if (r == 0)
        r = read_version(reading, "1");
    if (r == 0)
        r = read_version(reading, "main");
    if (r == 0)
        r = versions_each(reading->repository, note_version, reading, reading->e);
    if (r == 0)
        r = versions_moved(reading->repository, note_moved, reading, reading->e);
    repository_close_packs(
        reading->repository); /* nobody holds them any more: else it waits for ever */
    repository_close(reading->repository);
    return r;
}

/* So many of the failures, at least, are told, and so many, at least, make no difference. */
static void fail_each(struct setup *setup, unsigned told_least, unsigned passed_least)
{
    struct error e = {0};
    struct reading right = {.e = &e};
    unsigned told = 0, passed = 0;
    bool is_done = false;

    assert_int_equal(read_all(setup, &right), 0);
    for (int at = 0; !is_done; at++) {
        struct reading reading = {.e = &e};

        e = (struct error){0};
        calls_left = at;
        int r = read_all(setup, &reading);
        is_done = calls_left >= 0;
        calls_left = -1;
        if (r == 0)
            assert_string_equal(reading.text, right.text);
        else if (-r != e.errnum || e.errnum != failed_with || !e.text[0])
            fail_msg("%s %d: %d, %d: %s", failed, at, r, e.errnum, e.text);
        *(r < 0 ? &told : &passed) += 1;
    }
    print_message("# %u told, %u passed\n", told, passed);
    assert_in_range(told, told_least, 10000);
    assert_in_range(passed, passed_least, 10000);
}

static void test_packed(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    run(setup.box, "git --git-dir=here repack -adfq; git --git-dir=here verify-pack -v "
                   "here/objects/pack/*.idx >packed;"
                   "test $(grep -c ' blob .* [0-9a-f]\\{40\\}$' packed) -ge 2");
    fail_each(&setup, 50, 10);
    close_setup(&setup);
}

static void test_loose(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    run(setup.box, "cd here; mv objects/pack/*.pack .; rm -f objects/pack/*; git --git-dir=. "
                   "unpack-objects -q <$(echo *.pack)");
    fail_each(&setup, 50, 10);
    close_setup(&setup);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open_in_memory, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_packed),
        TEST(test_loose),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
