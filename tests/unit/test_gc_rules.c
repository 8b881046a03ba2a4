/* What gc takes and what it leaves, of one repository. */
#include "gitcache/base/library.h"
#include "gitcache/fetch/repository_fetch.h"
#include "gitcache/store/gc.h"
#include "gitcache/store/gc_room.h"
#include "tests/unit/sandbox.h"

struct setup {
    struct sandbox *box;
    struct cache *cache;
    struct repository *repository;
    struct remote *remote;
};

static void open_setup(struct setup *setup, void **state)
{
    struct net_settings settings;
    char url[128], folder[128];
    struct error e = {0};

    setup->box = *state;
    run(setup->box,
        "git init -q remote; cd remote; echo 1 >file; git add .; git commit -qm 1; git tag 1;"
        "echo 2 >file; git commit -qam 2; git tag 2; echo 3 >file; git commit -qam 3");
    snprintf(url, sizeof url, "%s/remote", setup->box->folder);
    snprintf(folder, sizeof folder, "%s/cache", setup->box->folder);
    net_settings_init(&settings);
    assert_int_equal(library_open(&e), 0);
    assert_int_equal(cache_open(&setup->cache, folder, false, &e), 0);
    assert_int_equal(repository_open(&setup->repository, setup->cache, url, &e), 0);
    assert_int_equal(remote_new(&setup->remote, &settings, &e), 0);
    run(setup->box, "ln -s %s here", repository_folder(setup->repository));
}

static void close_setup(struct setup *setup)
{
    remote_free(setup->remote);
    repository_close(setup->repository);
    cache_close(setup->cache);
    library_close();
}

/* Fetches a version; it was read, and its pack written, so many days ago. */
static void fetch(struct setup *setup, const char *name, int days)
{
    struct version_request request = {.name = name, .newest = true};
    struct error e = {0};

    if (repository_fetch(setup->repository, setup->remote, &request, 1, NULL, NULL, &e))
        fail_msg("%s: %s", name, e.text);
    run(setup->box,
        "cd here; for p in objects/pack/*.pack; do test -e $p.seen || touch -d '%d days ago' $p "
        "$p.seen; done;"
        "touch -d '%d days ago' refs/*/%s",
        days, days, name);
}

static void collect_but(struct setup *setup, size_t removed, size_t skipped)
{
    const struct gc_options options = {.dry_run = false};
    struct gc_report report;
    struct error e = {0};
    struct gc *gc;

    run(setup->box, "rm -f here/objects/pack/*.seen");
    assert_int_equal(gc_begin(&gc, setup->cache, 1, &e), 0);
    assert_int_equal(gc_run(gc, &options, &report, &e), 0);
    assert_int_equal(report.removed, removed);
    assert_int_equal(report.skipped, skipped);
    gc_end(gc);
}

static void collect(struct setup *setup, size_t removed)
{
    collect_but(setup, removed, 0);
}

static bool always(void *data, const char *folder, const char *ref, const struct oid *target)
{
    (void)data, (void)folder, (void)ref, (void)target;
    return true;
}

/* Frees so many bytes of what was not read in the last ten minutes. */
static void make_room(struct setup *setup, uint64_t bytes, size_t removed)
{
    const struct gc_options options = {.returns = always};
    struct gc_report report;
    struct error e = {0};
    struct gc *gc;

    run(setup->box, "rm -f here/objects/pack/*.seen");
    assert_int_equal(gc_room_begin(&gc, setup->cache, 600, true, &e), 0);
    assert_int_equal(gc_room_make(gc, bytes, &options, &report, &e), 0);
    assert_int_equal(report.removed, removed);
    gc_end(gc);
}

/* The names below refs/, and how many packs there are. */
static void expect(const struct setup *setup, const char *refs, const char *packs)
{
    assert_string_equal(
        output(setup->box, "cd here/refs; echo $(find . -type f -printf '%%P\\n' | sort)"), refs);
    assert_string_equal(output(setup->box, "ls here/objects/pack | grep -c '[.]pack$' || true"),
                        packs);
}

static void test_what_was_not_read_for_long_goes(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    fetch(&setup, "2", 0);
    collect(&setup, 1);
    expect(&setup, "tags/2", "1");
    run(setup.box, "test $(cat here/shallow) = $(git -C remote rev-parse 2)");
    close_setup(&setup);
}

static uint64_t pack_bytes(const struct setup *setup)
{
    return strtoull(
        output(setup->box, "cat here/objects/pack/*.pack here/objects/pack/*.idx | wc -c"), NULL,
        10);
}

/* What is still needed of a pack is packed anew, and does not count as freed. */
static void test_what_is_freed_of_a_pack_that_two_share(void **state)
{
    struct version_request requests[] = {{.name = "1"}, {.name = "2"}};
    const struct gc_options options = {.dry_run = false}, dry = {.dry_run = true};
    struct gc_report report;
    struct error e = {0};
    struct setup setup;
    struct gc *gc;

    open_setup(&setup, state);
    assert_int_equal(repository_fetch(setup.repository, setup.remote, requests, 2, NULL, NULL, &e),
                     0);
    expect(&setup, "tags/1 tags/2", "1");
    run(setup.box, "touch -d '3 days ago' here/refs/tags/1 here/objects/pack/*");
    uint64_t before = pack_bytes(&setup);
    assert_int_equal(gc_begin(&gc, setup.cache, 1, &e), 0);
    assert_int_equal(gc_run(gc, &dry, &report, &e), 0);
    gc_end(gc);
    assert_in_range(report.bytes, 1, before / 2); /* three of its six objects stay */
    assert_int_equal(gc_begin(&gc, setup.cache, 1, &e), 0);
    assert_int_equal(gc_run(gc, &options, &report, &e), 0);
    gc_end(gc);
    expect(&setup, "tags/2", "1");
    assert_int_equal(report.bytes, before - pack_bytes(&setup));
    close_setup(&setup);
}

/* It may be all that names what cannot be read now, or is no version. */
static void test_nothing_goes_beside_a_ref_that_names_no_commit(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    fetch(&setup, "2", 3);
    run(setup.box, "git -C remote rev-parse 1^{tree} >here/refs/tags/other");
    collect_but(&setup, 0, 1);
    run(setup.box, "echo 1234567890123456789012345678901234567890 >here/refs/tags/other");
    collect_but(&setup, 0, 1);
    run(setup.box, "echo nonsense >here/refs/tags/other");
    collect_but(&setup, 0, 1);
    expect(&setup, "tags/1 tags/2 tags/other", "2");
    close_setup(&setup);
}

static void test_what_somebody_else_named_stays(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    fetch(&setup, "2", 3);
    run(setup.box, "cd here; git --git-dir=. update-ref refs/kept/mine refs/tags/1; touch -d '3 "
                   "days ago' refs/kept/mine");
    collect(&setup, 2);
    expect(&setup, "kept/mine", "1");
    run(setup.box, "git --git-dir=here cat-file -e refs/kept/mine:file");
    close_setup(&setup);
}

static void test_a_pack_that_is_to_be_kept_stays(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    run(setup.box, "cd here/objects/pack; for p in *.pack; do : >${p%%.pack}.keep; done");
    fetch(&setup, "2", 3);
    collect(&setup, 2);
    expect(&setup, "", "1");
    close_setup(&setup);
}

static void test_room_spares_what_was_read_a_moment_ago(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 0);
    fetch(&setup, "2", 3);
    make_room(&setup, UINT64_MAX, 1);
    expect(&setup, "tags/1", "1");
    close_setup(&setup);
}

static void test_room_takes_what_a_branch_has_left(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "main", 5);
    run(setup.box, "cd remote; echo 4 >file; git commit -qam 4");
    fetch(&setup, "main", 3);
    expect(&setup, "heads/main", "2");
    make_room(&setup, 1, 0);
    expect(&setup, "heads/main", "1");
    run(setup.box, "test $(git --git-dir=here show refs/heads/main:file) = 4");
    close_setup(&setup);
}

static void test_room_takes_no_more_than_it_must(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "2", 5);
    fetch(&setup, "1", 3);
    make_room(&setup, 1, 1);
    expect(&setup, "tags/1", "1");
    close_setup(&setup);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_not_read_for_long_goes),
        TEST(test_what_is_freed_of_a_pack_that_two_share),
        TEST(test_nothing_goes_beside_a_ref_that_names_no_commit),
        TEST(test_what_somebody_else_named_stays),
        TEST(test_a_pack_that_is_to_be_kept_stays),
        TEST(test_room_spares_what_was_read_a_moment_ago),
        TEST(test_room_takes_what_a_branch_has_left),
        TEST(test_room_takes_no_more_than_it_must),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
