/* What gc takes and what it leaves, of one repository. */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "gitcache/base/library.h"
#include "gitcache/fetch/repository_fetch.h"
#include "gitcache/store/gc.h"
#include "gitcache/store/gc_reserve.h"
#include "gitcache/store/gc_room.h"
#include "gitcache/store/last_read.h"
#include "gitcache/store/lease.h"
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
    run_once(setup->box,
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

/* So many versions, many0 and so on, each in a pack of its own. */
static void fetch_many(struct setup *setup, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        char name[16];

        snprintf(name, sizeof name, "many%u", i);
        run(setup->box, "cd remote; echo %s >file; git commit -qam x; git tag %s", name, name);
        fetch(setup, name, 0);
    }
}

static struct gc *begin_gc(struct setup *setup)
{
    struct error e = {0};
    struct gc *gc;

    run(setup->box, "rm -f here/objects/pack/*.seen");
    assert_int_equal(gc_begin(&gc, setup->cache, 1, &e), 0);
    return gc;
}

static struct gc_report end_gc(struct gc *gc, const struct gc_options *options)
{
    struct gc_report report;
    struct error e = {0};

    assert_int_equal(gc_run(gc, options, &report, &e), 0);
    gc_end(gc);
    return report;
}

static void collect_but(struct setup *setup, size_t removed, size_t skipped)
{
    const struct gc_options options = {.dry_run = false};
    struct gc_report report = end_gc(begin_gc(setup), &options);

    assert_int_equal(report.removed, removed);
    assert_int_equal(report.skipped, skipped);
}

static void collect(struct setup *setup, size_t removed)
{
    collect_but(setup, removed, 0);
}

/* Frees so many bytes of what was not read in the last ten minutes. */
static void make_room_with(struct setup *setup, uint64_t bytes, const struct gc_options *options,
                           bool spares_mounts, size_t removed)
{
    struct gc_report report;
    struct error e = {0};
    struct gc *gc;

    run(setup->box, "rm -f here/objects/pack/*.seen");
    assert_int_equal(gc_room_begin(&gc, setup->cache, 600, spares_mounts, &e), 0);
    assert_int_equal(gc_room_make(gc, bytes, options, &report, &e), 0);
    assert_int_equal(report.removed, removed);
    gc_end(gc);
}

static bool always(void *data, const char *folder, const char *ref, const struct oid *target)
{
    (void)data, (void)folder, (void)ref, (void)target;
    return true;
}

static const struct gc_options all_returns = {.returns = always};

static void make_room(struct setup *setup, uint64_t bytes, size_t removed)
{
    make_room_with(setup, bytes, &all_returns, true, removed);
}

static void expect_packs(const struct setup *setup, const char *packs)
{
    assert_string_equal(output(setup->box, "ls here/objects/pack | grep -c '[.]pack$' || true"),
                        packs);
}

/* The names below refs/, and how many packs there are. */
static void expect(const struct setup *setup, const char *refs, const char *packs)
{
    assert_string_equal(
        output(setup->box, "cd here/refs; echo $(find . -type f -printf '%%P\\n' | sort)"), refs);
    expect_packs(setup, packs);
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

static void keep_why(void *data, const struct error *why)
{
    *(struct error *)data = *why;
}

static void test_a_repository_that_is_being_written_is_left_as_it_is(void **state)
{
    struct error why = {0};
    const struct gc_options options = {.skipped = keep_why, .data = &why};
    struct setup setup;
    char path[300];

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    snprintf(path, sizeof path, "%s/startpointfs-lock", repository_folder(setup.repository));
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    struct gc_report report = end_gc(begin_gc(&setup), &options);
    assert_int_equal(report.removed, 0);
    assert_int_equal(report.skipped, 1);
    assert_int_equal(why.errnum, EBUSY);
    assert_non_null(strstr(why.text, "left as it is: something is being fetched into it"));
    close(lock);
    collect(&setup, 1);
    close_setup(&setup);
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

/* Of what is there twice the emptier packs go, so that few stay. */
static void test_the_emptiest_packs_go_first(void **state)
{
    struct version_request requests[] = {{.name = "1"}, {.name = "2"}};
    struct error e = {0};
    struct setup setup;

    open_setup(&setup, state);
    assert_int_equal(repository_fetch(setup.repository, setup.remote, requests, 2, NULL, NULL, &e),
                     0);
    run(setup.box,
        "ls here/objects/pack >before; cd here; for i in 1 2; do git --git-dir=. rev-list "
        "--objects --no-walk $i | git --git-dir=. pack-objects -q objects/pack/pack; done");
    expect_packs(&setup, "3");
    collect(&setup, 0);
    run(setup.box, "ls here/objects/pack | cmp - before");
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

/* A file of the version that stays is missing. */
static void test_nothing_goes_beside_a_version_that_is_not_whole(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "2", 0);
    run(setup.box, "rm -f here/objects/pack/*.seen; mv here/objects/pack/* .; cd here;"
                   "git --git-dir=. unpack-objects -q <$(ls ~/*.pack);"
                   "rm -f objects/$(git -C ~/remote rev-parse 2:file | sed 's,..,&/,')");
    fetch(&setup, "1", 3);
    collect_but(&setup, 0, 1);
    expect(&setup, "tags/1 tags/2", "1");
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

#define LIST_ODD_PACKS "cd here/objects/pack; ls | sed -n 's/^pack-\\(.[.]\\)/\\1/p' | xargs"

/* A gc was killed that removed it: a pack without its index is none. But git may be writing one just now. */
static void test_what_is_left_of_a_pack_goes(void **state)
{
    const struct gc_options dry = {.dry_run = true};
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 0);
    run(setup.box, "rm -f here/objects/pack/*.seen; cd here/objects/pack;"
                   "for f in a.pack a.rev b.rev c.pack c.keep d.pack; do : >pack-$f; done;"
                   "touch -d '61 minutes ago' pack-[abc].*; touch -d '59 minutes ago' pack-d.*");
    end_gc(begin_gc(&setup), &dry);
    assert_string_equal(output(setup.box, LIST_ODD_PACKS),
                        "a.pack a.rev b.rev c.keep c.pack d.pack");
    collect(&setup, 0);
    assert_string_equal(output(setup.box, LIST_ODD_PACKS), "c.keep c.pack d.pack");
    run(setup.box, "git --git-dir=here cat-file -e refs/tags/1:file");
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

/* 20 of them; but none that is to be kept, that is large, or that goes anyway. */
static void test_many_small_packs_become_one(void **state)
{
    const struct gc_options options = {.dry_run = false}, dry = {.dry_run = true};
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "2", 3);
    run(setup.box, "cd here/objects/pack; for p in *.pack; do : >${p%%.pack}.keep; done");
    fetch(&setup, "1", 0);
    run(setup.box, "cd here/objects/pack; for p in *.pack; do p=${p%%.pack}; test -e $p.keep || "
                   "truncate -s 16M $p.bitmap; done");
    fetch(&setup, "main", 3);
    fetch_many(&setup, 0, 19);
    collect(&setup, 2);
    expect_packs(&setup, "21");
    fetch_many(&setup, 19, 1);
    end_gc(begin_gc(&setup), &dry);
    expect_packs(&setup, "22");
    uint64_t before = pack_bytes(&setup);
    struct gc_report report = end_gc(begin_gc(&setup), &options);
    expect_packs(&setup, "3");
    assert_int_equal(report.bytes, before - pack_bytes(&setup));
    run(setup.box, "cd here; for t in refs/tags/*; do git --git-dir=. cat-file -e $t:file; done");
    close_setup(&setup);
}

/* A mount that has opened a branch before it moved may read on. */
static void test_one_pack_of_many_has_what_may_be_open(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    struct lease *lease = lease_begin(cache_folder(setup.cache), LEASE_KEEPS);
    fetch(&setup, "main", 0);
    run(setup.box, "git -C remote rev-parse main >old; cd remote; git commit -qm 4 --allow-empty");
    fetch(&setup, "main", 0);
    fetch_many(&setup, 0, 18);
    collect(&setup, 0);
    expect_packs(&setup, "1");
    run(setup.box, "git --git-dir=here cat-file -e $(cat old)");
    lease_end(lease);
    close_setup(&setup);
}

/* It would take room first. */
static void test_room_is_not_made_by_packing_anew(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    fetch_many(&setup, 0, 20);
    make_room(&setup, 1, 1);
    expect_packs(&setup, "20");
    close_setup(&setup);
}

/* Who uses the cache may have it open. */
static void test_a_pack_in_use_is_not_packed_anew(void **state)
{
    struct version_request requests[] = {{.name = "1"}, {.name = "2"}};
    struct error e = {0};
    struct setup setup;

    open_setup(&setup, state);
    assert_int_equal(repository_fetch(setup.repository, setup.remote, requests, 2, NULL, NULL, &e),
                     0);
    run(setup.box, "touch -d '3 days ago' here/refs/tags/1; ls here/objects/pack >before");
    struct lease *lease = lease_begin(cache_folder(setup.cache), LEASE_KEEPS);
    collect(&setup, 1);
    run(setup.box, "ls here/objects/pack | cmp - before");
    lease_end(lease);
    collect(&setup, 0);
    run(setup.box, "if ls here/objects/pack | cmp - before; then exit 1; fi");
    close_setup(&setup);
}

/* It stands in the record: so its objects are needed. */
static void test_a_version_whose_ref_was_lost_stays(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 0);
    fetch(&setup, "2", 0);
    run(setup.box, "rm here/refs/tags/1");
    collect(&setup, 0);
    expect(&setup, "tags/1 tags/2", "2");
    close_setup(&setup);
}

static void test_what_is_no_file_any_more_is_made_again(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "2", 3);
    run(setup.box, "rm here/shallow; mkdir here/shallow");
    collect(&setup, 1);
    expect(&setup, "", "0");
    close_setup(&setup);
}

/* That source's repository alone; and a reading of one packed ref is none of the others. */
static void test_what_a_source_names_stays(void **state)
{
    const struct gc_options options = {.dry_run = false};
    struct error e = {0};
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    fetch(&setup, "2", 3);
    run(setup.box, "git --git-dir=here pack-refs --all; touch -d '3 days ago' here/packed-refs");
    struct gc *gc = begin_gc(&setup);
    assert_int_equal(gc_keep(gc, repository_url(setup.repository), "2", NULL, &e), 0);
    assert_int_equal(
        gc_keep(gc, "https://h/other", NULL, output(setup.box, "git -C remote rev-parse 1"), &e),
        0);
    assert_int_equal(end_gc(gc, &options).removed, 1);
    run(setup.box, "git --git-dir=here cat-file -e refs/tags/2:file");
    collect(&setup, 1);
    close_setup(&setup);
}

/* Only a gc of what was not read for long may say that it was read just now. */
static void test_a_time_that_lies_ahead_is_set_right_by_gc_alone(void **state)
{
    const struct gc_options dry = {.dry_run = true};
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", -30);
    fetch(&setup, "2", 3);
    end_gc(begin_gc(&setup), &dry);
    make_room(&setup, 1, 1);
    run(setup.box, "test $(stat -c %%Y here/refs/tags/1) -gt $(date +%%s)");
    collect(&setup, 0);
    run(setup.box, "test $(stat -c %%Y here/refs/tags/1) -le $(date +%%s)");
    close_setup(&setup);
}

/* Reads a version when it has been decided that it goes. */
static bool read_meanwhile(void *data, const char *folder, const char *ref,
                           const struct oid *target)
{
    unsigned *asked = data;

    (void)target;
    if (++*asked == 2)
        assert_true(last_read_touch(folder, ref));
    return true;
}

static void test_what_is_read_meanwhile_stays(void **state)
{
    unsigned asked = 0;
    const struct gc_options options = {.returns = read_meanwhile, .data = &asked};
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    make_room_with(&setup, 1, &options, true, 0);
    assert_int_equal(asked, 2);
    expect(&setup, "tags/1", "1");
    close_setup(&setup);
}

static void try_to_read(void *data, const char *repository, const char *name, int64_t last_read)
{
    struct setup *setup = data;

    (void)repository, (void)name, (void)last_read;
    run(setup->box, "if flock -s -n here/startpointfs-reads true; then exit 1; fi; : >tried");
}

static void test_nobody_begins_to_read_while_refs_go(void **state)
{
    struct setup setup;
    const struct gc_options options = {.removed = try_to_read, .data = &setup};

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    assert_int_equal(end_gc(begin_gc(&setup), &options).removed, 1);
    run(setup.box, "test -e tried");
    close_setup(&setup);
}

static bool is_that_ref(void *data, const char *folder, const char *ref, const struct oid *target)
{
    (void)folder, (void)target;
    return strcmp(ref, data) == 0;
}

/* Also if it was read longer ago than what goes. */
static void test_room_takes_nothing_that_does_not_return(void **state)
{
    char that[] = "refs/tags/2";
    const struct gc_options options = {.returns = is_that_ref, .data = that};
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 5);
    fetch(&setup, "2", 3);
    make_room_with(&setup, UINT64_MAX, &options, true, 1);
    expect(&setup, "tags/1", "1");
    close_setup(&setup);
}

static void count_removed(void *data, const char *repository, const char *name, int64_t last_read)
{
    (void)repository, (void)name, (void)last_read;
    ++*(unsigned *)data;
}

/* It goes from the longest unread to the others in steps, and must not count or tell anything twice. */
static void test_a_dry_run_of_room_counts_each_once(void **state)
{
    unsigned told = 0;
    const struct gc_options options = {
        .dry_run = true, .returns = always, .removed = count_removed, .data = &told};
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 5);
    run(setup.box, "cd $(readlink here)/..; cp -a $(readlink ~/here) second.git;"
                   "touch -d '4 days ago' second.git/refs/tags/1");
    fetch(&setup, "2", 3);
    make_room_with(&setup, UINT64_MAX, &options, true, 3);
    assert_int_equal(told, 3);
    expect(&setup, "tags/1 tags/2", "2");
    close_setup(&setup);
}

/* What a mount has read can be fetched again; what `create` has found cannot be missed. */
static void test_room_spares_what_others_have_read(void **state)
{
    static const struct {
        enum lease_kind kind;
        bool spares_mounts;
        size_t removed;
    } rows[] = {{LEASE_BRINGS, true, 0}, {LEASE_KEEPS, false, 0}, {LEASE_BRINGS, false, 1}};
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lease *lease = lease_begin(cache_folder(setup.cache), rows[i].kind);

        run(setup.box, "touch -d '5 days ago' cache/startpointfs-users/*");
        make_room_with(&setup, 1, &all_returns, rows[i].spares_mounts, rows[i].removed);
        lease_end(lease);
    }
    close_setup(&setup);
}

/* Room for what must be written before anything can be removed: a gc uses it, and puts it back. */
static void test_what_is_reserved_for_gc(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 3);
    gc_end(begin_gc(&setup));
    run(setup.box, "test ! -e cache/startpointfs-reserve");
    gc_reserve_make(setup.cache);
    struct gc *gc = begin_gc(&setup);
    run(setup.box, "test ! -e cache/startpointfs-reserve");
    gc_end(gc);
    run(setup.box,
        "test $(stat -c '%%b * %%B' cache/startpointfs-reserve | xargs expr) -ge 262144");
    run(setup.box, "ln -sf ~/elsewhere cache/startpointfs-reserve");
    gc_reserve_make(setup.cache);
    run(setup.box, "test ! -e elsewhere");
    close_setup(&setup);
}

/* An empty file would say that something is. */
static void test_nothing_can_be_reserved(void **state)
{
    const struct rlimit small = {4096, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    struct setup setup;

    open_setup(&setup, state);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    gc_reserve_make(setup.cache);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    run(setup.box, "test ! -e cache/startpointfs-reserve");
    close_setup(&setup);
}

/* The branch main moves so often; each time its pack was written so many days ago. */
static void move_branch(struct setup *setup, const int *days, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        run(setup->box, "cd remote; echo moved%zu >>file; git commit -qam moved", i);
        fetch(setup, "main", days[i]);
    }
}

/* Each pack's age in days, the oldest first. */
static const char *ages(const struct setup *setup)
{
    return output(setup->box, "for p in here/objects/pack/*.pack; do "
                              "expr '(' $(date +%%s) - $(stat -c %%Y $p) ')' / 86400; "
                              "done | sort -nr | xargs");
}

static void test_what_a_branch_has_left_goes_oldest_first(void **state)
{
    static const int days[] = {5, 9, 3, 7, 8, 0};
    static const char *const left[] = {"8 7 5 3 0", "7 5 3 0", "5 3 0"};
    struct setup setup;

    open_setup(&setup, state);
    move_branch(&setup, days, sizeof days / sizeof *days);
    struct lease *lease = lease_begin(cache_folder(setup.cache), LEASE_BRINGS);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        make_room_with(&setup, 1, &all_returns, false, 0);
        assert_string_equal(ages(&setup), left[i]);
    }
    lease_end(lease);
    close_setup(&setup);
}

static void test_room_spares_what_a_branch_left_a_moment_ago(void **state)
{
    static const int days[] = {0, 0};
    struct setup setup;

    open_setup(&setup, state);
    move_branch(&setup, days, 2);
    make_room(&setup, UINT64_MAX, 0);
    assert_string_equal(ages(&setup), "0 0");
    close_setup(&setup);
}

static void copy_repository(const struct setup *setup, const char *name)
{
    run(setup->box,
        "rm -f here/objects/pack/*.seen; cd $(readlink here)/..; cp -a $(readlink ~/here) %s.git;"
        "ln -s $PWD/%s.git ~/%s",
        name, name, name);
}

/* Whichever is looked at first: what there was in the other does not count. */
static void test_what_a_branch_has_left_goes_in_each_repository(void **state)
{
    static const int days[] = {5, 0};
    struct setup setup;

    open_setup(&setup, state);
    move_branch(&setup, days, 2);
    copy_repository(&setup, "second");
    make_room(&setup, UINT64_MAX, 0);
    expect_packs(&setup, "1");
    run(setup.box, "test $(ls second/objects/pack/*.pack | wc -l) = 1");
    close_setup(&setup);
}

static void test_room_passes_over_what_cannot_be_read(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    fetch(&setup, "1", 5);
    copy_repository(&setup, "second");
    run(setup.box, "rm -r second/refs; ln -s refs second/refs");
    make_room(&setup, UINT64_MAX, 1);
    expect(&setup, "", "0");
    close_setup(&setup);
}

/* The first alone, then as many as seem to be needed by what those before have freed; but never more than a
 * quarter of all at once. */
static void test_in_which_steps_room_is_made(void **state)
{
    static const unsigned sizes[] = {10, 20000, 20000, 20000, 10, 10, 10, 20000, 20000};
    static const struct {
        uint64_t bytes;
        size_t removed;
    } rows[] = {{1, 1}, {2000, 2}, {25000, 4}, {66300, 5}, {69000, 7}, {UINT64_MAX, 9}};
    const struct gc_options dry = {.dry_run = true, .returns = always};
    struct setup setup;

    open_setup(&setup, state);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[16];

        snprintf(name, sizeof name, "size%zu", i);
        run(setup.box, "cd remote; head -c %u /dev/urandom >file; git commit -qam x; git tag %s",
            sizes[i], name);
        fetch(&setup, name, 50 - (int)i);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        make_room_with(&setup, rows[i].bytes, &dry, true, rows[i].removed);
    close_setup(&setup);
}

static void test_a_cache_that_is_gone_is_an_error(void **state)
{
    struct gc_report report;
    struct error e = {0};
    struct setup setup;
    struct gc *gc;

    open_setup(&setup, state);
    assert_int_equal(gc_room_begin(&gc, setup.cache, 600, true, &e), 0);
    run(setup.box, "mv cache gone");
    assert_int_equal(gc_room_make(gc, 1, &all_returns, &report, &e), -ENOENT);
    assert_int_equal(e.errnum, ENOENT);
    assert_int_equal(gc_run(gc, &all_returns, &report, &e), -ENOENT);
    run(setup.box, "mv gone cache");
    gc_end(gc);
    close_setup(&setup);
}

/* So many bytes for the cache; false where nothing can be mounted. */
static bool mount_cache(void **state, const char *size)
{
    run(*state, "mkdir cache; mount -t tmpfs -o size=%s none cache 2>/dev/null || touch no-mount",
        size);
    return strcmp(output(*state, "ls no-mount 2>/dev/null || true"), "") == 0;
}

/* Leaves so many kB. */
static void fill_cache(struct setup *setup, unsigned left)
{
    run(setup->box,
        "fallocate -l $(expr $(df -k --output=avail cache | tail -n 1) - %u)KiB "
        "cache/filler",
        left);
}

/* A pack of which something stays cannot be written anew; what goes as a whole goes all the same. */
static void test_what_cannot_be_packed_anew_stays(void **state)
{
    struct version_request requests[] = {{.name = "1"}, {.name = "large"}};
    struct error e = {0};
    struct setup setup;

    if (!mount_cache(state, "4m"))
        skip();
    open_setup(&setup, state);
    run(setup.box, "cd remote; head -c 500000 /dev/urandom >file; git commit -qam large;"
                   "git tag large");
    assert_int_equal(repository_fetch(setup.repository, setup.remote, requests, 2, NULL, NULL, &e),
                     0);
    run(setup.box, "touch -d '5 days ago' here/refs/tags/1; rm -f here/objects/pack/*.seen");
    fetch(&setup, "2", 3);
    fill_cache(&setup, 300);
    make_room(&setup, UINT64_MAX, 2);
    expect(&setup, "tags/large", "1");
    run(setup.box, "rm cache/filler; git --git-dir=here cat-file -e refs/tags/large:file");
    close_setup(&setup);
    run(*state, "umount cache");
}

/* What gc keeps for itself is enough for it; without that it says so at once, and touches nothing. */
static void test_room_on_a_full_disk(void **state)
{
    const struct gc_options dry = {.dry_run = true, .returns = always};
    struct gc_report report;
    struct error e = {0};
    struct setup setup;
    struct gc *gc;

    if (!mount_cache(state, "4m"))
        skip();
    open_setup(&setup, state);
    fetch(&setup, "1", 5);
    run(setup.box, "rm -f here/objects/pack/*.seen");
    fill_cache(&setup, 20);
    make_room_with(&setup, UINT64_MAX, &dry, true, 1);
    assert_int_equal(gc_room_begin(&gc, setup.cache, 600, true, &e), 0);
    assert_int_equal(gc_room_make(gc, 1, &all_returns, &report, &e), -ENOSPC);
    assert_non_null(strstr(e.text, "no room"));
    gc_end(gc);
    expect(&setup, "tags/1", "1");
    run(setup.box, "rm cache/filler");
    gc_reserve_make(setup.cache);
    fill_cache(&setup, 20);
    make_room(&setup, UINT64_MAX, 1);
    expect(&setup, "", "0");
    close_setup(&setup);
    run(*state, "umount cache");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_not_read_for_long_goes),
        TEST(test_a_repository_that_is_being_written_is_left_as_it_is),
        TEST(test_what_is_freed_of_a_pack_that_two_share),
        TEST(test_the_emptiest_packs_go_first),
        TEST(test_nothing_goes_beside_a_ref_that_names_no_commit),
        TEST(test_nothing_goes_beside_a_version_that_is_not_whole),
        TEST(test_what_somebody_else_named_stays),
        TEST(test_a_pack_that_is_to_be_kept_stays),
        TEST(test_what_is_left_of_a_pack_goes),
        TEST(test_room_spares_what_was_read_a_moment_ago),
        TEST(test_room_takes_what_a_branch_has_left),
        TEST(test_room_takes_no_more_than_it_must),
        TEST(test_many_small_packs_become_one),
        TEST(test_one_pack_of_many_has_what_may_be_open),
        TEST(test_room_is_not_made_by_packing_anew),
        TEST(test_a_pack_in_use_is_not_packed_anew),
        TEST(test_a_version_whose_ref_was_lost_stays),
        TEST(test_what_is_no_file_any_more_is_made_again),
        TEST(test_what_a_source_names_stays),
        TEST(test_a_time_that_lies_ahead_is_set_right_by_gc_alone),
        TEST(test_what_is_read_meanwhile_stays),
        TEST(test_nobody_begins_to_read_while_refs_go),
        TEST(test_room_takes_nothing_that_does_not_return),
        TEST(test_a_dry_run_of_room_counts_each_once),
        TEST(test_room_spares_what_others_have_read),
        TEST(test_what_is_reserved_for_gc),
        TEST(test_nothing_can_be_reserved),
        TEST(test_what_a_branch_has_left_goes_oldest_first),
        TEST(test_room_spares_what_a_branch_left_a_moment_ago),
        TEST(test_what_a_branch_has_left_goes_in_each_repository),
        TEST(test_room_passes_over_what_cannot_be_read),
        TEST(test_in_which_steps_room_is_made),
        TEST(test_a_cache_that_is_gone_is_an_error),
        TEST(test_what_cannot_be_packed_anew_stays),
        TEST(test_room_on_a_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
