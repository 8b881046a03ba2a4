/* Each call of the system that a gc, a repair or a new version makes fails once: that is told, or makes no difference; and the
 * next one does what is left. */
#include <fcntl.h>
#include <fts.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/fetch/repository_fetch.h"
#include "gitcache/store/gc.h"
#include "gitcache/store/gc_reserve.h"
#include "gitcache/store/gc_room.h"
#include "gitcache/store/incoming.h"
#include "gitcache/store/mend.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/shallow.h"
#include "tests/unit/failing_calls.h"
#include "tests/unit/sandbox.h"

struct setup {
    struct sandbox *box;
    struct cache *cache;
    char url[128], folder[256], kept[128];
    char *pack; /* with version 4 */
    size_t pack_size;
    struct oid commit;
};

/* Versions 1, not read for long, and 2 share a pack; 3, read as long ago, has one of its own. */
static void open_setup(struct setup *setup, void **state)
{
    struct version_request requests[] = {{.name = "1"}, {.name = "2"}}, third = {.name = "3"};
    struct net_settings settings;
    struct repository *repository;
    struct remote *remote;
    struct error e = {0};
    char folder[128], path[128];

    setup->box = *state;
    run_once(setup->box,
             "git init -q remote; cd remote; for i in 1 2 3 4; do mkdir -p in; echo $i >file;"
             "echo $i >in/file; git add .; git commit -qm $i; git tag -am $i $i; done;"
             "git rev-list --objects --no-walk 4 | git pack-objects -q --stdout >../pack");
    snprintf(setup->url, sizeof setup->url, "%s/remote", setup->box->folder);
    snprintf(setup->kept, sizeof setup->kept, "%s/kept", setup->box->folder);
    snprintf(folder, sizeof folder, "%s/cache", setup->box->folder);
    snprintf(path, sizeof path, "%s/pack", setup->box->folder);
    assert_int_equal(disk_read(path, 65536, &setup->pack, &setup->pack_size, &e), 0);
    assert_true(
        oid_parse(&setup->commit, output(setup->box, "git -C remote rev-parse 4^{}"), OID_HEX));
    net_settings_init(&settings);
    assert_int_equal(library_open(&e), 0);
    assert_int_equal(cache_open(&setup->cache, folder, false, &e), 0);
    assert_int_equal(repository_open(&repository, setup->cache, setup->url, &e), 0);
    assert_int_equal(remote_new(&remote, &settings, &e), 0);
    assert_int_equal(repository_fetch(repository, remote, requests, 2, NULL, NULL, &e), 0);
    assert_int_equal(repository_fetch(repository, remote, &third, 1, NULL, NULL, &e), 0);
    remote_free(remote);
    snprintf(setup->folder, sizeof setup->folder, "%s", repository_folder(repository));
    repository_close(repository);
    run(setup->box,
        "ln -s %s here; cd here; git --git-dir=. pack-refs --all --no-prune;"
        ": >startpointfs-reads; sed -i /^time/d startpointfs-listing; : "
        ">objects/pack/multi-pack-index",
        setup->folder);
}

static void close_setup(struct setup *setup)
{
    cache_close(setup->cache);
    library_close();
    free(setup->pack);
}

/* Calls visit for each file and folder, parents first. */
static void each_file(const char *folder, void (*visit)(void *data, const FTSENT *entry),
                      void *data)
{
    char *paths[] = {(char *)folder, NULL};
    FTS *stream = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    const FTSENT *entry;

    assert_non_null(stream);
    while ((entry = fts_read(stream)))
        visit(data, entry);
    fts_close(stream);
}

/* All but version 2 was not read for long. */
static void make_file_old(void *data, const FTSENT *entry)
{
    const struct timespec times[] = {{.tv_sec = 1600000000}, {.tv_sec = 1600000000}};

    (void)data;
    if (entry->fts_info == FTS_F && !strstr(entry->fts_path, "/tags/2"))
        assert_int_equal(utimensat(AT_FDCWD, entry->fts_path, times, 0), 0);
}

static void link_file(void *data, const FTSENT *entry)
{
    const struct setup *setup = data;
    char path[512];

    snprintf(path, sizeof path, "%s%s", setup->folder, entry->fts_path + strlen(setup->kept));
    if (entry->fts_info == FTS_D)
        assert_int_equal(__real_mkdir(path, 0755), 0);
    else if (entry->fts_info == FTS_F)
        assert_int_equal(link(entry->fts_path, path), 0);
    make_file_old(NULL, entry);
}

/* By links: nothing is written into a file that is there. */
static void restore(struct setup *setup)
{
    disk_remove(setup->folder);
    each_file(setup->kept, link_file, setup);
}

/* Where the repository is, which files it has, and what is in the small ones. */
struct picture {
    const char *folder;
    char *lines[64];
    size_t count;
};

static void add_file(void *data, const FTSENT *entry)
{
    struct picture *picture = data;
    char *text = NULL;
    size_t size;

    if (entry->fts_info != FTS_F)
        return;
    if (!strstr(entry->fts_path, "/objects/"))
        assert_int_equal(disk_read(entry->fts_path, 65536, &text, &size, NULL), 0);
    assert_true(asprintf(&picture->lines[picture->count++], "%s: %s",
                         entry->fts_path + strlen(picture->folder), text ? text : "") > 0);
    free(text);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *picture_of(const struct setup *setup)
{
    struct picture picture = {.folder = setup->folder};
    char *whole = strdup("");

    each_file(setup->folder, add_file, &picture);
    qsort(picture.lines, picture.count, sizeof *picture.lines, compare_lines);
    for (size_t i = 0; i < picture.count; i++) {
        char *longer;

        assert_true(asprintf(&longer, "%s%s\n", whole, picture.lines[i]) > 0);
        free(whole);
        free(picture.lines[i]);
        whole = longer;
    }
    return whole;
}

/* Makes each call fail, in turn. At most so many of them may make a difference that is not told. */
static void fail_each(struct setup *setup, int (*act)(struct setup *setup, struct error *e),
                      unsigned silent_most)
{
    unsigned told = 0, silent = 0;
    struct error e = {0};
    bool is_done = false;

    run(setup->box, "cp -a %s kept", setup->folder);
    restore(setup);
    char *before = picture_of(setup);
    assert_int_equal(act(setup, &e), 0);
    char *after = picture_of(setup);
    assert_string_not_equal(before, after);
    restore(setup);
    for (int at = 0; !is_done; at++) {
        e = (struct error){0};
        calls_left = at;
        int r = act(setup, &e);
        is_done = calls_left >= 0;
        calls_left = -1;
        char *now = picture_of(setup);
        if (r < 0) {
            assert_int_equal(e.errnum, -r);
            assert_string_not_equal(e.text, "");
            told++;
        } else if (strcmp(now, after) != 0) {
            silent++;
        }
        bool is_changed = strcmp(now, before) != 0;
        if (is_changed && strcmp(now, after) != 0) {
            each_file(setup->folder, make_file_old, NULL);
            if (act(setup, &e) < 0)
                fail_msg("%s %d: %s", failed, at, e.text);
            free(now);
            now = picture_of(setup);
            if (strcmp(now, after) != 0)
                fail_msg("%s %d: something is left:\n%.1500s\n---\n%.1500s", failed, at, now,
                         after);
        }
        free(now);
        if (is_changed || r == 0)
            restore(setup);
    }
    assert_in_range(silent, 0, silent_most);
    assert_true(told > 100);
    free(before);
    free(after);
}

static void keep_why(void *data, const struct error *why)
{
    *(struct error *)data = *why;
}

static int collect(struct setup *setup, struct error *e)
{
    struct error why = {0};
    const struct gc_options options = {.skipped = keep_why, .data = &why};
    struct gc_report report = {0};
    struct gc *gc;
    int r = gc_begin(&gc, setup->cache, 1, e);

    if (r < 0)
        return r;
    r = gc_keep(gc, setup->url, "2", NULL, e);
    if (r == 0)
        r = gc_run(gc, &options, &report, e);
    gc_end(gc);
    if (r < 0 || !report.skipped)
        return r;
    assert_int_not_equal(why.errnum, 0);
    *e = why;
    return -why.errnum;
}

/* Twice more stays: who cannot see whether a pack is to be kept, lets it be. */
static void test_gc(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fail_each(&setup, collect, 2);
    close_setup(&setup);
}

static bool always(void *data, const char *folder, const char *ref, const struct oid *target)
{
    (void)data, (void)folder, (void)ref, (void)target;
    return true;
}

/* Whose times or packs cannot be read, has nothing that may go. */
static void test_how_much_room_could_be_made(void **state)
{
    const struct gc_options options = {.dry_run = true, .returns = always};
    struct setup setup;
    bool is_done = false;
    unsigned told = 0;

    open_setup(&setup, state);
    run(setup.box, "find here/ -type f | xargs touch -d '3 days ago'");
    for (int at = 0; !is_done; at++) {
        struct gc_report report = {0};
        struct error e = {0};
        struct gc *gc = NULL;

        calls_left = at;
        int r = gc_room_begin(&gc, setup.cache, 600, true, &e);
        if (r == 0)
            r = gc_keep(gc, setup.url, "2", NULL, &e);
        if (r == 0)
            r = gc_room_make(gc, UINT64_MAX, &options, &report, &e);
        is_done = calls_left >= 0;
        calls_left = -1;
        gc_end(gc);
        assert_int_equal(e.errnum, -r);
        assert_in_range(report.removed, 0, 2);
        if (is_done)
            assert_int_equal(report.removed, 2);
        told += r < 0;
    }
    assert_true(told > 40);
    close_setup(&setup);
}

/* Whatever fails: what was kept for a full disk is there again. */
static void test_what_is_reserved_outlives_a_gc_that_cannot_begin(void **state)
{
    struct setup setup;
    bool is_done = false;
    unsigned told = 0;

    open_setup(&setup, state);
    for (int at = 0; !is_done; at++) {
        struct error e = {0};
        struct gc *gc;

        gc_reserve_make(setup.cache);
        calls_left = at;
        int r = gc_begin(&gc, setup.cache, 1, &e);
        is_done = calls_left >= 0;
        calls_left = -1;
        if (r == 0)
            gc_end(gc);
        assert_int_equal(e.errnum, -r);
        told += r < 0;
        run(setup.box,
            "test -s cache/startpointfs-reserve; test -z \"$(ls cache/startpointfs-users)\"");
    }
    assert_in_range(told, 4, 50);
    close_setup(&setup);
}

/* Does something with the repository, whose lock it has. */
static int with_repository(struct setup *setup,
                           int (*act)(struct setup *, struct repository *, struct error *),
                           struct error *e)
{
    struct repository *repository;
    int r = repository_open(&repository, setup->cache, setup->url, e);

    if (r < 0)
        return r;
    int lock = repository_lock(repository, NULL, e);
    r = lock < 0 ? lock : act(setup, repository, e);
    if (lock >= 0)
        close(lock);
    repository_close(repository);
    return r;
}

static int mend_by(struct setup *setup, struct repository *repository, struct error *e)
{
    struct mend *mend;
    int r = mend_begin(&mend, repository, e);

    (void)setup;
    if (r < 0)
        return r;
    assert_int_equal(mend->count, 0); /* else a remote would be asked */
    return mend_end(mend, true, e);
}

static int mend(struct setup *setup, struct error *e)
{
    return with_repository(setup, mend_by, e);
}

/* All from what is there: an index from its pack, refs and their record from each other. */
static void test_repair(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    run(setup.box, "cd here; rm packed-refs refs/tags/1; echo nonsense >refs/tags/3;"
                   "rm -r refs/heads; echo >config; cd objects/pack; set -- *.idx; chmod +w $1;"
                   "printf XXXX | dd of=$1 bs=1 seek=1100 conv=notrunc; rm $2");
    fail_each(&setup, mend, 0);
    close_setup(&setup);
}

static int fetch_by(struct setup *setup, struct repository *repository, struct error *e)
{
    struct version_request request = {.name = "1"};
    struct net_settings settings;
    struct remote *remote;

    (void)setup;
    net_settings_init(&settings);
    assert_int_equal(remote_new(&remote, &settings, e), 0);
    int r = repository_fetch(repository, remote, &request, 1, NULL, NULL, e);
    remote_free(remote);
    return r;
}

/* Not that the version is damaged, which is no news. */
static void test_a_full_disk_keeps_from_repairing(void **state)
{
    struct setup setup;
    bool is_done = false;
    int told = 0;

    open_setup(&setup, state);
    run(setup.box, "cd here; cd objects/pack; rm *.idx");
    run(setup.box, "cp -a %s kept", setup.folder);
    only = "rename";
    for (int at = 0; !is_done; at++) {
        struct repository *repository;
        struct error e = {0};

        restore(&setup);
        assert_int_equal(repository_open(&repository, setup.cache, setup.url, &e), 0);
        calls_left = at;
        int r = fetch_by(&setup, repository, &e);
        is_done = calls_left >= 0;
        calls_left = -1;
        repository_close(repository);
        assert_true(r == 0 || (r == -ENOSPC && e.errnum == ENOSPC && !is_done));
        told += r < 0;
    }
    only = NULL;
    assert_in_range(told, 1, 10);
    close_setup(&setup);
}

static int receive(struct incoming *incoming, const struct setup *setup, struct error *e)
{
    struct version version;
    int r = incoming_begin(incoming, e);

    if (r == 0)
        r = incoming_write(incoming, setup->pack, setup->pack_size, e);
    if (r == 0)
        r = incoming_finish(incoming, e);
    if (r == 0)
        r = incoming_check(incoming, &setup->commit, &version, e);
    if (r == 0)
        r = incoming_publish(incoming, e);
    if (r == 0)
        r = shallow_add(incoming->repository, &version.commit, 1, e);
    version.kind = VERSION_TAG;
    if (r == 0)
        r = pins_write(incoming->repository, "refs/tags/4", &version.commit, &version, e);
    return r;
}

static int take_in_by(struct setup *setup, struct repository *repository, struct error *e)
{
    struct incoming incoming;
    int r = incoming_open(&incoming, repository, e);

    if (r == 0) {
        r = receive(&incoming, setup, e);
        incoming_close(&incoming);
    }
    return r;
}

static int take_in(struct setup *setup, struct error *e)
{
    return with_repository(setup, take_in_by, e);
}

static void test_a_new_version(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fail_each(&setup, take_in, 0);
    close_setup(&setup);
}

/* It stays, or nobody knows where it is; but what cannot be read may be damaged, and is taken anew. */
static void test_a_pin_that_shall_not_move(void **state)
{
    struct setup setup;
    struct repository *repository;
    struct version two, found;
    struct error e = {0};
    bool is_done = false;

    open_setup(&setup, state);
    run(setup.box, "cp -a %s kept", setup.folder);
    assert_int_equal(repository_open(&repository, setup.cache, setup.url, &e), 0);
    assert_int_equal(versions_find(repository, "2", NULL, &two, &e), 0);
    repository_close(repository);
    for (int at = 0; !is_done; at++) {
        restore(&setup);
        e = (struct error){0};
        assert_int_equal(repository_open(&repository, setup.cache, setup.url, &e), 0);
        failed_with = 0;
        calls_left = at;
        int r = pins_write(repository, "refs/tags/1", &two.commit, &two, &e);
        is_done = calls_left >= 0;
        calls_left = -1;
        repository_close(repository);
        assert_int_equal(repository_open(&repository, setup.cache, setup.url, &e), 0);
        if (failed_with != EIO) {
            assert_true(r < 0);
            assert_int_equal(versions_find(repository, "1", NULL, &found, &e), 0);
            assert_false(oid_equal(&found.commit, &two.commit));
        }
        repository_close(repository);
        assert_true(!is_done || r == -EEXIST);
    }
    close_setup(&setup);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open_in_memory, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_gc),
        TEST(test_how_much_room_could_be_made),
        TEST(test_what_is_reserved_outlives_a_gc_that_cannot_begin),
        TEST(test_repair),
        TEST(test_a_full_disk_keeps_from_repairing),
        TEST(test_a_new_version),
        TEST(test_a_pin_that_shall_not_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
