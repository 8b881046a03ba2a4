#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/base/sha1.h"
#include "gitcache/fetch/bring_back.h"
#include "gitcache/fetch/commit_search.h"
#include "gitcache/fetch/list_refs.h"
#include "gitcache/fetch/repository_fetch.h"
#include "gitcache/store/cache_folder.h"
#include "gitcache/store/incoming.h"
#include "gitcache/store/known_pins.h"
#include "gitcache/store/last_read.h"
#include "gitcache/store/mend.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/refs.h"
#include "gitcache/store/shallow.h"
#include "gitcache/store/skeleton.h"
#include "tests/unit/sandbox.h"

/* A remote repository, a cache, and what reads the one into the other. */
struct setup {
    struct sandbox *box;
    char url[128], cache_folder[128];
    struct cache *cache;
    struct repository *repository;
    struct remote *remote;
};

static void open_setup(struct setup *setup, void **state)
{
    struct net_settings settings;
    struct error e = {0};

    setup->box = *state;
    snprintf(setup->url, sizeof setup->url, "%s/remote", setup->box->folder);
    snprintf(setup->cache_folder, sizeof setup->cache_folder, "%s/cache", setup->box->folder);
    net_settings_init(&settings);
    assert_int_equal(cache_open(&setup->cache, setup->cache_folder, false, &e), 0);
    assert_int_equal(repository_open(&setup->repository, setup->cache, setup->url, &e), 0);
    assert_int_equal(remote_new(&setup->remote, &settings, &e), 0);
}

static void close_setup(struct setup *setup)
{
    remote_free(setup->remote);
    repository_close(setup->repository);
    cache_close(setup->cache);
}

static void make_remote(void **state)
{
    run_once(*state, "git init -q remote; cd remote;"
                     "mkdir -p a/b; echo one >a/b/file; echo x >top; git add .; git commit -qm one;"
                     "git tag v1; git tag -am annotated v2; git tag -am twice v3 v2;"
                     "echo two >a/b/file; git commit -qam two; git tag deep/er/v4;"
                     "echo three >top; git commit -qam three; git tag v5");
}

static int fetch(struct setup *setup, const char *name, const char *commit, struct version *out,
                 struct error *e, unsigned *packs)
{
    struct version_request request = {.name = name, .commit = commit};
    int r = repository_fetch(setup->repository, setup->remote, &request, 1, NULL, packs, e);

    *out = request.version;
    return r;
}

static void assert_fetched(struct setup *setup, const char *name, enum version_kind kind,
                           const char *revision)
{
    struct version version = {0}, found = {0};
    struct error e = {0};
    char hex[OID_HEX_SIZE];

    if (fetch(setup, name, NULL, &version, &e, NULL))
        fail_msg("%s: %s", name ? name : "default", e.text);
    assert_int_equal(version.kind, kind);
    assert_string_equal(oid_format(&version.commit, hex),
                        output(setup->box, "git -C remote rev-parse '%s^{commit}'", revision));
    assert_string_equal(oid_format(&version.tree, hex),
                        output(setup->box, "git -C remote rev-parse '%s^{tree}'", revision));
    assert_int_equal(version.time, 1600000000);
    assert_int_equal(versions_find(setup->repository, name, NULL, &found, &e), 0);
    assert_memory_equal(&found.commit, &version.commit, sizeof found.commit);
}

static void assert_git_is_content(struct setup *setup)
{
    run(setup->box,
        "git --git-dir=%s fsck --full --strict 2>&1 | grep -v -e '^notice' -e "
        "'^dangling' >fsck.out || true; cat fsck.out; test ! -s fsck.out",
        repository_folder(setup->repository));
}

static void test_every_kind_of_version(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};
    char id[41], digits[9];

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, "v2", VERSION_TAG, "v1");
    assert_fetched(&setup, "v3", VERSION_TAG, "v1");
    assert_fetched(&setup, "deep/er/v4", VERSION_TAG, "deep/er/v4");
    assert_fetched(&setup, "main", VERSION_BRANCH, "main");
    assert_fetched(&setup, NULL, VERSION_BRANCH, "main");
    strcpy(id, output(setup.box, "git -C remote rev-parse main~1"));
    assert_fetched(&setup, id, VERSION_COMMIT, "main~1");
    snprintf(digits, sizeof digits, "%.8s", output(setup.box, "git -C remote rev-parse main"));
    assert_fetched(&setup, digits, VERSION_COMMIT, "main");
    const char *capitals =
        output(setup.box, "git -C remote rev-parse main | cut -c 1-20 | tr a-f A-F");
    assert_int_not_equal(strcspn(capitals, "ABCDEF"), strlen(capitals));
    assert_int_equal(versions_find(setup.repository, capitals, NULL, &version, &e), 0);
    assert_git_is_content(&setup);
    close_setup(&setup);
}

static void test_nothing_is_fetched_twice(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};
    unsigned packs = 9;

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "v5", NULL, &version, &e, &packs), 0);
    assert_int_equal(packs, 1);
    assert_int_equal(fetch(&setup, "v5", NULL, &version, &e, &packs), 0);
    assert_int_equal(packs, 0);
    assert_string_equal(output(setup.box, "git --git-dir=%s log --format=%%s v5",
                               repository_folder(setup.repository)),
                        "three");
    assert_git_is_content(&setup);
    close_setup(&setup);
}

/* Of two that fetch at once the second may have listed another commit. */
static void test_a_pin_moves_only_if_it_is_a_branch(void **state)
{
    struct setup setup;
    struct version one, two, found;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "v1", NULL, &one, &e, NULL), 0);
    assert_int_equal(fetch(&setup, "v5", NULL, &two, &e, NULL), 0);
    assert_int_equal(pins_write(setup.repository, "refs/tags/v1", &two.commit, &two, &e), -EEXIST);
    assert_int_equal(pins_write(setup.repository, "refs/tags/v1", &one.commit, &one, &e), 0);
    assert_int_equal(pins_find(setup.repository, "refs/tags/v1", &found, &e), 0);
    assert_true(oid_equal(&found.commit, &one.commit));
    one.kind = two.kind = VERSION_BRANCH;
    assert_int_equal(pins_write(setup.repository, "refs/heads/b", &one.commit, &one, &e), 0);
    assert_int_equal(pins_write(setup.repository, "refs/heads/b", &two.commit, &two, &e), 0);
    assert_int_equal(pins_find(setup.repository, "refs/heads/b", &found, &e), 0);
    assert_true(oid_equal(&found.commit, &two.commit));
    close_setup(&setup);
}

struct seen {
    unsigned count;
    char names[10][64];
};

static int note_version(void *data, const char *name, const struct version *version)
{
    struct seen *seen = data;

    assert_int_equal(version->time, 1600000000);
    snprintf(seen->names[seen->count++], 64, "%s", name);
    return 0;
}

/* How many it has; *seen has their names. */
static unsigned see_versions(struct repository *repository, struct seen *seen)
{
    struct error e = {0};

    seen->count = 0;
    assert_int_equal(versions_each(repository, note_version, seen, &e), 0);
    return seen->count;
}

/* What never moves is where the record says, whatever has become of its ref on the disk. */
static void test_the_record_knows_better_than_a_ref(void **state)
{
    struct setup setup;
    struct repository *other;
    struct version one, five, found;
    struct seen seen = {0};
    struct error e = {0};
    char ref[300];

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "v1", NULL, &one, &e, NULL), 0);
    assert_int_equal(fetch(&setup, "v5", NULL, &five, &e, NULL), 0);
    const char *folder = repository_folder(setup.repository);
    run(*state, "cp %s/refs/tags/v5 %s/refs/tags/v1", folder, folder);
    assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
    assert_int_equal(pins_find(other, "refs/tags/v1", &found, &e), 0);
    assert_true(oid_equal(&found.commit, &one.commit));
    repository_close(other);
    run(*state, "rm %s/refs/tags/v1", folder);
    assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
    assert_int_equal(see_versions(other, &seen), 2);
    snprintf(ref, sizeof ref, "%s/refs/tags/v1", folder);
    assert_int_equal(access(ref, F_OK), 0); /* mended */
    repository_close(other);
    /* What was removed on purpose does not come back. */
    assert_int_equal(pins_remove(setup.repository, "refs/tags/v1", &e), 0);
    assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
    assert_int_equal(see_versions(other, &seen), 1);
    assert_int_equal(pins_find(other, "refs/tags/v1", &found, &e), -ENOENT);
    repository_close(other);
    close_setup(&setup);
}

static void test_what_another_process_has_removed_is_not_listed(void **state)
{
    struct setup setup;
    struct repository *other;
    struct version version;
    struct seen seen = {0};
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, "main", VERSION_BRANCH, "main");
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
    assert_int_equal(see_versions(other, &seen), 3);
    assert_int_equal(pins_remove(setup.repository, "refs/tags/v1", &e), 0);
    assert_int_equal(see_versions(other, &seen), 2);
    assert_string_equal(seen.names[0], "main");
    assert_string_equal(seen.names[1], "v5");
    assert_int_equal(versions_find(other, "v1", NULL, &version, &e), -ENOENT);
    /* One that is only damaged is there. */
    run(*state, "echo x >%s/refs/tags/v5", repository_folder(other));
    assert_int_equal(see_versions(other, &seen), 2);
    repository_close(other);
    close_setup(&setup);
}

/* Of two who read all at once, the first takes nothing from the other. */
static void test_two_look_for_what_was_removed(void **state)
{
    struct setup setup;
    struct oid target;
    struct version version;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    uint64_t first = known_pins_scan(setup.repository);
    uint64_t second = known_pins_scan(setup.repository);
    assert_true(known_pins_see(setup.repository, "refs/tags/v1", second));
    assert_true(known_pins_see(setup.repository, "refs/tags/v1", first));
    assert_false(known_pins_see(setup.repository, "refs/tags/v9", first));
    known_pins_forget_unseen(setup.repository, second);
    assert_true(known_pins_find(setup.repository, "refs/tags/v1", &target, &version));
    assert_false(known_pins_find(setup.repository, "refs/tags/v5", &target, &version));
    close_setup(&setup);
}

/* Also where all are read at once; and then the ref is as the record again. */
static void test_a_ref_that_differs_from_the_record_is_mended(void **state)
{
    struct setup setup;
    struct repository *other;
    struct version one, five, found;
    struct seen seen = {0};
    struct error e = {0};
    char hex[OID_HEX_SIZE];

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "v1", NULL, &one, &e, NULL), 0);
    assert_int_equal(fetch(&setup, "v5", NULL, &five, &e, NULL), 0);
    const char *folder = repository_folder(setup.repository);
    run(*state, "cp %s/refs/tags/v5 %s/refs/tags/v1", folder, folder);
    assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
    see_versions(other, &seen);
    assert_int_equal(versions_find(other, "v1", NULL, &found, &e), 0);
    assert_true(oid_equal(&found.commit, &one.commit));
    assert_string_equal(output(*state, "cat %s/refs/tags/v1", folder),
                        oid_format(&one.commit, hex));
    repository_close(other);
    close_setup(&setup);
}

/* Where it says nonsense it is written anew; what cannot be seen from it alone is found by shallow_mend. */
static void test_what_says_where_history_is_cut_is_mended(void **state)
{
    static const char *const damage[] = {
        "echo nonsense >shallow",
        "printf '%040d\\n' 1 >shallow",
        "printf '%040d\\n' 1 >>shallow",
        "truncate -s -5 shallow",
        "rm shallow",
        "sed -i 1d shallow",
    };
    const size_t count = sizeof damage / sizeof *damage;
    struct setup setup;
    struct error e = {0};

    make_remote(state);
    run(*state, "for i in 4 5; do git -C remote commit -q --allow-empty -m $i; done");
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    assert_fetched(&setup, "main", VERSION_BRANCH, "main");
    run(*state,
        "ln -s %s here; git -C remote rev-parse main v5 | sort >cut;"
        "sort here/shallow | cmp - cut",
        repository_folder(setup.repository));
    for (size_t i = 0; i < count; i++) {
        run(*state, "cd here; %s", damage[i]);
        if (i == count - 1)
            assert_int_equal(shallow_mend(setup.repository, &e), 0);
        else
            assert_int_equal(shallow_add(setup.repository, NULL, 0, &e), 0);
        run(*state, "sort here/shallow | cmp - cut");
    }
    close_setup(&setup);
}

/* What somebody wrote into it on purpose stays. */
static void test_a_repository_is_mended(void **state)
{
    static const struct {
        const char *damage, *after;
    } rows[] = {
        {"rm -r refs", "test $(stat -c %a refs/tags) = 755"},
        {"mv refs x; ln -s x refs", "test ! -L refs; test -d refs/tags"},
        {"echo x >objects/info/x; mv objects/info x; cp x/x objects/info", "test -d objects/info"},
        {"sed -i s/bare/bard/ config", "grep 'bare = true' config"},
        {"echo nonsense >config", "grep 'bare = true' config"},
        {"printf '[user]\\n\\tname = x\\n' >>config", "grep 'name = x' config"},
        {"echo ref: refs/heads/another >HEAD", "grep another HEAD"},
        {"echo ref: refs/headt/master >HEAD", "grep refs/heads/master HEAD"},
        {"truncate -s 257M packed-refs", "test ! -e packed-refs"},
        {"truncate -s 255M packed-refs", "test -e packed-refs"},
        {"ln -s HEAD packed-refs", "test ! -L packed-refs"},
    };
    struct setup setup;
    struct error e = {0};

    umask(022);
    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    const char *folder = repository_folder(setup.repository);
    run(*state, "test $(stat -c %%a %s) = 755; cp -a %s sound", folder, folder);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(*state, "rm -r %s; cp -a sound %s; cd %s; %s", folder, folder, folder, rows[i].damage);
        assert_int_equal(skeleton_mend(setup.cache, folder, "x", &e), 0);
        assert_true(skeleton_is_sound(folder));
        run(*state, "cd %s; %s", folder, rows[i].after);
    }
    close_setup(&setup);
}

/* Two processes that pin in turn: neither writes what it has read before the other wrote. */
static void test_the_record_is_that_of_all_processes(void **state)
{
    struct setup setup;
    struct repository *other, *third;
    struct version version;
    struct version_request request = {.name = "v2"};
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_int_equal(pins_find(setup.repository, "refs/tags/v9", &version, &e), -ENOENT);
    assert_int_equal(repository_fetch(other, setup.remote, &request, 1, NULL, NULL, &e), 0);
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    run(*state, "cd %s/refs/tags; rm v1 v2 v5", repository_folder(setup.repository));
    assert_int_equal(repository_open(&third, setup.cache, setup.url, &e), 0);
    assert_int_equal(pins_find(third, "refs/tags/v1", &version, &e), 0);
    assert_int_equal(pins_find(third, "refs/tags/v2", &version, &e), 0);
    assert_int_equal(pins_find(third, "refs/tags/v5", &version, &e), 0);
    repository_close(third);
    repository_close(other);
    close_setup(&setup);
}

/* What is in memory of it then is not what is on the disk. */
static void test_a_record_that_could_not_be_saved_is_read_again(void **state)
{
    const struct rlimit none = {0, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "v1", NULL, &version, &e, NULL), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int r = pins_remove(setup.repository, "refs/tags/v1", &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    assert_int_equal(r, -EFBIG);
    assert_int_equal(fetch(&setup, "v5", NULL, &version, &e, NULL), 0);
    run(*state, "cd %s; grep refs/tags/v1 startpointfs-pins; grep refs/tags/v5 startpointfs-pins",
        repository_folder(setup.repository));
    close_setup(&setup);
}

/* One whose checksum does not fit says nothing, whatever it says. */
static void test_a_damaged_record_is_not_believed(void **state)
{
    struct setup setup;
    struct repository *other;
    struct version one, five, found;
    struct error e = {0};
    char a[OID_HEX_SIZE], b[OID_HEX_SIZE];

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "v1", NULL, &one, &e, NULL), 0);
    assert_int_equal(fetch(&setup, "v5", NULL, &five, &e, NULL), 0);
    run(*state, "sed -i 's/%s/%s/' %s/startpointfs-pins", oid_format(&one.commit, a),
        oid_format(&five.commit, b), repository_folder(setup.repository));
    assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
    assert_int_equal(pins_find(other, "refs/tags/v1", &found, &e), 0);
    assert_true(oid_equal(&found.commit, &one.commit));
    repository_close(other);
    close_setup(&setup);
}

/* What another process has removed is not there for a reader who knows of it. */
static void test_a_version_that_was_removed_is_missed_when_it_is_read(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "v1", NULL, &version, &e, NULL), 0);
    assert_int_equal(last_read_now(setup.repository, &version), 0);
    run(*state, "cd %s; rm refs/tags/v1 startpointfs-pins", repository_folder(setup.repository));
    assert_int_equal(last_read_now(setup.repository, &version), -ENOENT);
    assert_int_equal(versions_find(setup.repository, "v1", NULL, &version, &e), -ENOENT);
    close_setup(&setup);
}

/* gc takes none of them: who reads their files knows them by their commit alone. */
static void test_all_names_of_a_commit_are_read(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, "v2", VERSION_TAG, "v1");
    assert_fetched(&setup, "v3", VERSION_TAG, "v1");
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    assert_int_equal(versions_find(setup.repository, "v2", NULL, &version, &e), 0);
    run(setup.box, "cd %s/refs/tags; touch -d '9 days ago' *", repository_folder(setup.repository));
    assert_int_equal(last_read_now(setup.repository, &version), 0);
    assert_string_equal(
        output(setup.box, "cd %s/refs/tags; find . -mtime +8", repository_folder(setup.repository)),
        "./v5");
    close_setup(&setup);
}

/* One that is thin: its deltas need what only the cache has. */
static void test_a_pack_must_be_whole_in_itself(void **state)
{
    struct setup setup;
    struct version version;
    struct incoming incoming;
    struct error e = {0};
    char path[200];
    static char bytes[100000];

    make_remote(state);
    run(*state,
        "cd remote; seq 3000 >big; git add big; git commit -qm big; git tag b1; echo more >>big;"
        "git commit -qam more; git tag b2;"
        "printf 'b2\\n^b1\\n' | git pack-objects -q --thin --stdout --revs >../thin;"
        "test $(stat -c %%s ../thin) -lt 2000");
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "b1", NULL, &version, &e, NULL), 0);
    snprintf(path, sizeof path, "%s/thin", setup.box->folder);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_int_equal(incoming_open(&incoming, setup.repository, &e), 0);
    assert_int_equal(incoming_begin(&incoming, &e), 0);
    int r = incoming_write(&incoming, bytes, size, &e);
    assert_int_equal(r ? r : incoming_finish(&incoming, &e), -EIO);
    /* And nothing at all is no pack. */
    assert_int_equal(incoming_begin(&incoming, &e), 0);
    assert_int_equal(incoming_finish(&incoming, &e), -EIO);
    assert_non_null(strstr(e.text, "sent no pack"));
    incoming_close(&incoming);
    close_setup(&setup);
}

static void test_several_come_in_one_pack(void **state)
{
    struct version_request requests[] = {
        {.name = "v1"}, {.name = "deep/er/v4"}, {.name = NULL}, {.name = "v2"}, {.name = "no"}};
    struct setup setup;
    struct error e = {0};
    unsigned packs = 0;

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(
        repository_fetch(setup.repository, setup.remote, requests, 5, NULL, &packs, &e), -ENOENT);
    assert_int_equal(packs, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(requests[i].status, 0);
    assert_int_equal(requests[4].status, -ENOENT);
    assert_non_null(strstr(requests[4].error.text, "no tag, branch or commit no"));
    assert_git_is_content(&setup);
    close_setup(&setup);
}

static void test_unknown_names(void **state)
{
    static const char *const names[] = {
        "v9", ".git", "..", "a b", "0123456", "0123456789012345678901234567890123456789"};
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(versions_find(setup.repository, names[i], NULL, &version, &e), -ENOENT);
        if (fetch(&setup, names[i], NULL, &version, &e, NULL) != -ENOENT)
            fail_msg("%s: %s", names[i], e.text);
        assert_int_equal(e.errnum, ENOENT);
    }
    /* A tag that is there, and shall be what is nowhere. */
    assert_int_equal(fetch(&setup, "v5", names[5], &version, &e, NULL), -ENOENT);
    assert_non_null(strstr(e.text, "v5 of "));
    assert_non_null(strstr(e.text, "is not the commit 0123456789012345678901234567890123456789, "
                                   "which the remote does not have"));
    close_setup(&setup);
}

static void test_no_default_branch(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    run(*state, "cd remote; git branch -m main other; git symbolic-ref HEAD refs/heads/none");
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, NULL, NULL, &version, &e, NULL), -ENOENT);
    assert_non_null(strstr(e.text, "has no default branch"));
    close_setup(&setup);
}

static void test_no_repository_makes_no_folder(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};

    open_setup(&setup, state);
    /* Not ENOENT: a remote that fails says nothing of what it has. */
    assert_int_equal(fetch(&setup, "v1", NULL, &version, &e, NULL), -EHOSTUNREACH);
    assert_non_null(strstr(e.text, "not a git repository"));
    assert_int_equal(access(repository_folder(setup.repository), F_OK), -1);
    close_setup(&setup);
}

static void test_remote_gone(void **state)
{
    struct setup setup;
    struct version version;
    const struct listing *listing;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, NULL, VERSION_BRANCH, "main");
    close_setup(&setup);
    run(*state, "rm -rf remote");
    open_setup(&setup, state);
    assert_int_equal(versions_find(setup.repository, "v1", NULL, &version, &e), 0);
    assert_int_equal(version.kind, VERSION_TAG);
    assert_int_equal(versions_find(setup.repository, NULL, NULL, &version, &e), 0);
    assert_int_equal(version.kind, VERSION_BRANCH);
    assert_int_equal(fetch(&setup, "v1", NULL, &version, &e, NULL), 0);
    listing = repository_listing_get(setup.repository);
    assert_non_null(listing);
    assert_non_null(listing_find(listing, "refs/tags/deep/er/v4"));
    repository_listing_put(setup.repository, listing);
    close_setup(&setup);
    /* What is cached needs no listing either. */
    run(*state, "find cache -name startpointfs-listing -delete");
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "v1", NULL, &version, &e, NULL), 0);
    close_setup(&setup);
}

/* As long as nobody knows what the remote calls its default branch: master, else main. */
static void test_the_default_branch_without_a_listing(void **state)
{
    static const char *const branches[] = {"main", "master"};
    struct setup setup;
    struct version version;
    struct error e = {0};
    char hex[OID_HEX_SIZE];

    make_remote(state);
    run(*state, "git -C remote branch master v1");
    open_setup(&setup, state);
    assert_int_equal(versions_find(setup.repository, NULL, NULL, &version, &e), -ENOENT);
    assert_non_null(strstr(e.text, "the default branch of"));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fetch(&setup, branches[i], NULL, &version, &e, NULL), 0);
        close_setup(&setup);
        run(*state, "find cache -name startpointfs-listing -delete");
        open_setup(&setup, state);
        assert_int_equal(versions_find(setup.repository, NULL, NULL, &version, &e), 0);
        assert_int_equal(version.kind, VERSION_BRANCH);
        assert_string_equal(oid_format(&version.commit, hex),
                            output(setup.box, "git -C remote rev-parse %s", branches[i]));
    }
    close_setup(&setup);
}

/* A remote whose HEAD is at a commit that no branch has. */
static void test_a_default_that_is_no_branch(void **state)
{
    struct setup setup;
    struct version version, found;
    struct error e = {0};

    make_remote(state);
    run(*state, "cd remote; git checkout -q --detach; git commit -q --allow-empty -m apart; git "
                "branch -qm main other");
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, NULL, NULL, &version, &e, NULL), 0);
    assert_int_equal(versions_find(setup.repository, NULL, NULL, &found, &e), 0);
    assert_int_equal(found.kind, VERSION_COMMIT);
    assert_true(oid_equal(&found.commit, &version.commit));
    close_setup(&setup);
}

static void test_damaged_listing_counts_as_none(void **state)
{
    struct setup setup;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    run(setup.box, "truncate -s 50 %s/startpointfs-listing", repository_folder(setup.repository));
    close_setup(&setup);
    open_setup(&setup, state);
    assert_null(repository_listing_get(setup.repository));
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    close_setup(&setup);
}

/* The tags in the listing that the cache has, written by whoever else uses it. */
static void write_listing_of(const struct setup *setup, size_t tags)
{
    run(setup->box,
        "(echo startpointfs listing 1; echo time 1;"
        "seq -f \"$(printf %%040d 1) refs/tags/v%%.0f\" 1000 %zu; echo end) >listing.new; "
        "mv listing.new %s/startpointfs-listing",
        999 + tags, repository_folder(setup->repository));
}

static size_t tags_listed(const struct setup *setup)
{
    const struct listing *listing = repository_listing_get(setup->repository);
    size_t count = listing ? listing->count : 0;

    repository_listing_put(setup->repository, listing);
    return count;
}

static void test_a_listing_is_read_when_it_is_needed_unless_it_is_large(void **state)
{
    struct setup setup;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    write_listing_of(&setup, 2);
    close_setup(&setup);
    open_setup(&setup, state);
    write_listing_of(&setup, 1200);
    assert_int_equal(tags_listed(&setup), 1200);
    write_listing_of(&setup, 3);
    assert_int_equal(tags_listed(&setup), 1200); /* once */
    write_listing_of(&setup, 1200);
    close_setup(&setup);
    open_setup(&setup, state); /* some 70 KiB: a request is not to read them */
    write_listing_of(&setup, 3);
    assert_int_equal(tags_listed(&setup), 1200);
    close_setup(&setup);
}

static struct repository *listed_meanwhile;

int __real_listing_parse(struct listing *out, const char *text, size_t size, struct error *e);
int __wrap_listing_parse(struct listing *out, const char *text, size_t size, struct error *e);
int __wrap_listing_parse(struct listing *out, const char *text, size_t size, struct error *e)
{
    struct listing newer = {.listed_at = 1};

    if (listed_meanwhile)
        assert_int_equal(repository_keep_listing(listed_meanwhile, &newer, NULL), 0);
    return __real_listing_parse(out, text, size, e);
}

static void test_what_a_remote_says_while_the_cache_is_read_is_newer(void **state)
{
    struct setup setup;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    close_setup(&setup);
    open_setup(&setup, state);
    listed_meanwhile = setup.repository;
    assert_int_equal(tags_listed(&setup), 0);
    listed_meanwhile = NULL;
    close_setup(&setup);
}

static void count_sentence(void *data, const char *sentence)
{
    if (strstr(sentence, "its listing cannot be saved"))
        ++*(int *)data;
}

/* Once, but again after it could. */
static void test_a_listing_that_cannot_be_saved_is_said(void **state)
{
    static const struct {
        bool can_be_saved;
        int said;
    } rows[] = {{false, 1}, {false, 1}, {true, 1}, {true, 1}, {false, 2}, {false, 2}};
    struct setup setup;
    int said = 0;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    cache_on_damage(setup.cache, count_sentence, &said);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(setup.box, "cd %s; rm -rf startpointfs-listing; %s",
            repository_folder(setup.repository),
            rows[i].can_be_saved ? ":" : "mkdir startpointfs-listing");
        assert_int_equal(list_refs(setup.repository, setup.remote, NULL, NULL), 0);
        assert_int_equal(said, rows[i].said);
        assert_true(tags_listed(&setup) > 1); /* it is used all the same */
    }
    close_setup(&setup);
}

/* It was written by a clock that was wrong, and would count as new for a year. */
static void test_a_listing_from_a_time_that_lies_ahead_is_old(void **state)
{
    struct setup setup;
    struct listing kept;
    char path[400], *text;
    size_t size;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    snprintf(path, sizeof path, "%s/startpointfs-listing", repository_folder(setup.repository));
    close_setup(&setup);
    assert_int_equal(disk_read(path, 1 << 20, &text, &size, NULL), 0);
    assert_int_equal(listing_parse(&kept, text, size, NULL), 0);
    free(text);
    kept.listed_at += 365 * 86400;
    text = listing_format(&kept, &size);
    listing_release(&kept);
    assert_non_null(text);
    assert_int_equal(disk_replace(path, text, size, false, NULL), 0);
    free(text);
    open_setup(&setup, state);
    const struct listing *listing = repository_listing_get(setup.repository);
    assert_non_null(listing);
    assert_int_equal(listing->listed_at, 0);
    repository_listing_put(setup.repository, listing);
    close_setup(&setup);
}

static int note_moved(void *data, const char *tag, const struct oid *pinned, const struct oid *now)
{
    char(*note)[200] = data, a[OID_HEX_SIZE], b[OID_HEX_SIZE];

    snprintf(*note, sizeof *note, "%s %s %s", tag, oid_format(pinned, a), oid_format(now, b));
    return 0;
}

static void test_moved_tag_keeps_its_first_commit(void **state)
{
    char first[41], second[41], note[200] = "", expected[200];
    struct setup setup;
    struct version version;
    struct error e = {0};
    char hex[OID_HEX_SIZE];

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    strcpy(first, output(setup.box, "git -C remote rev-parse v5"));
    run(setup.box, "cd remote; git commit -q --allow-empty -m four; git tag -f v5 >/dev/null");
    strcpy(second, output(setup.box, "git -C remote rev-parse v5"));
    assert_int_equal(list_refs(setup.repository, setup.remote, NULL, &e), 0);
    assert_int_equal(fetch(&setup, "v5", NULL, &version, &e, NULL), 0);
    assert_string_equal(oid_format(&version.commit, hex), first);
    assert_int_equal(versions_moved(setup.repository, note_moved, &note, &e), 0);
    snprintf(expected, sizeof expected, "v5 %s %s", first, second);
    assert_string_equal(note, expected);

    /* commit= asks for what it says, whatever the name means here */
    assert_int_equal(versions_find(setup.repository, "v5", first, &version, &e), 0);
    assert_int_equal(versions_find(setup.repository, "v5", second, &version, &e), -ENOENT);
    assert_non_null(strstr(e.text, first));
    assert_int_equal(fetch(&setup, "v5", second, &version, &e, NULL), 0);
    assert_int_equal(version.kind, VERSION_COMMIT);
    assert_string_equal(oid_format(&version.commit, hex), second);
    assert_int_equal(versions_find(setup.repository, "v5", NULL, &version, &e), 0);
    assert_string_equal(oid_format(&version.commit, hex), first);
    close_setup(&setup);
}

/* A set that another machine made names the commits; here the tag has moved since. */
static void test_commit_wins_over_a_tag_that_moved_before(void **state)
{
    char first[41], hex[OID_HEX_SIZE];
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    strcpy(first, output(setup.box, "git -C remote rev-parse v5"));
    run(setup.box, "cd remote; git commit -q --allow-empty -m four; git tag -f v5 >/dev/null");
    assert_int_equal(fetch(&setup, "v5", first, &version, &e, NULL), 0);
    assert_string_equal(oid_format(&version.commit, hex), first);
    assert_int_equal(version.kind, VERSION_COMMIT);
    assert_int_equal(
        fetch(&setup, "v5", "0123456789012345678901234567890123456789", &version, &e, NULL),
        -ENOENT);
    close_setup(&setup);
}

static void test_branch_follows(void **state)
{
    struct version_request request = {.name = "main", .newest = true};
    char old[41], hex[OID_HEX_SIZE];
    struct setup setup;
    struct version version;
    struct error e = {0};
    unsigned packs;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "main", VERSION_BRANCH, "main");
    strcpy(old, output(setup.box, "git -C remote rev-parse main"));
    run(setup.box, "cd remote; echo 4 >top; git commit -qam four");
    assert_int_equal(fetch(&setup, "main", NULL, &version, &e, &packs), 0);
    assert_string_equal(oid_format(&version.commit, hex), old);
    assert_int_equal(packs, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            repository_fetch(setup.repository, setup.remote, &request, 1, NULL, &packs, &e), 0);
        assert_int_equal(packs, i == 0);
        assert_string_equal(oid_format(&request.version.commit, hex),
                            output(setup.box, "git -C remote rev-parse main"));
    }
    assert_int_equal(versions_find(setup.repository, NULL, NULL, &version, &e), 0);
    assert_memory_equal(&version.commit, &request.version.commit, sizeof version.commit);
    assert_git_is_content(&setup);
    close_setup(&setup);
}

static void test_tag_wins_over_branch(void **state)
{
    struct setup setup;

    make_remote(state);
    run(*state, "cd remote; git branch both main; git tag both v1");
    open_setup(&setup, state);
    assert_int_equal(repository_name_branch(setup.repository, "both"), 0);
    assert_fetched(&setup, "both", VERSION_TAG, "refs/tags/both");
    close_setup(&setup);
}

static void test_new_tag_is_found_at_once(void **state)
{
    struct setup setup;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    run(setup.box, "git -C remote tag pushed-now");
    assert_fetched(&setup, "pushed-now", VERSION_TAG, "pushed-now");
    close_setup(&setup);
}

static void test_abbreviation_in_history(void **state)
{
    char digits[21]; /* in capitals, as somebody may write them */
    struct setup setup;
    struct version version;
    struct error e = {0};
    unsigned packs;

    make_remote(state);
    open_setup(&setup, state);
    /* The first commit has tags, but no branch ends there; the second is no tip at all. */
    run(setup.box, "cd remote; git tag -d deep/er/v4 >/dev/null");
    snprintf(digits, sizeof digits, "%s",
             output(setup.box, "git -C remote rev-parse main~1 | tr a-f A-F"));
    assert_int_not_equal(strcspn(digits, "ABCDEF"), strlen(digits));
    assert_int_equal(fetch(&setup, digits, NULL, &version, &e, &packs), 0);
    assert_int_equal(packs, 2);
    assert_fetched(&setup, digits, VERSION_COMMIT, "main~1");
    assert_git_is_content(&setup);
    assert_int_equal(fetch(&setup, digits, NULL, &version, &e, &packs), 0);
    assert_int_equal(packs, 0);
    close_setup(&setup);
}

static void test_abbreviation_in_a_shallow_remote(void **state)
{
    char digits[8];
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    run(*state, "mv remote whole; git clone -q --depth 2 file://$PWD/whole remote; "
                "git -C remote tag -l | xargs -r git -C remote tag -d");
    open_setup(&setup, state);
    snprintf(digits, sizeof digits, "%s", output(setup.box, "git -C remote rev-parse main~1"));
    assert_fetched(&setup, digits, VERSION_COMMIT, "main~1");
    snprintf(digits, sizeof digits, "%s", output(setup.box, "git -C whole rev-parse main~2"));
    assert_int_equal(fetch(&setup, digits, NULL, &version, &e, NULL), -ENOENT);
    assert_git_is_content(&setup);
    close_setup(&setup);
}

static bool always(void *data)
{
    (void)data;
    return true;
}

static void test_waiting_for_the_lock_can_be_cancelled(void **state)
{
    const struct watch watch = {.cancelled = always};
    struct version_request request = {.name = "v1"};
    struct setup setup;
    struct error e = {0};
    char path[300];
    int fd;

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(list_refs(setup.repository, setup.remote, NULL, &e), 0);
    snprintf(path, sizeof path, "%s/startpointfs-lock", repository_folder(setup.repository));
    fd = open(path, O_RDWR | O_CREAT, 0644);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(
        repository_fetch(setup.repository, setup.remote, &request, 1, &watch, NULL, &e),
        -ECANCELED);
    close(fd);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    close_setup(&setup);
}

static void test_full_disk(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    run(*state, "mkdir cache; mount -t tmpfs -o size=200k none cache 2>/dev/null || touch no-mount;"
                "cd remote; head -c 2000000 /dev/urandom >big; git add big; git commit -qm big; "
                "git tag big");
    if (access(output(*state, "echo $PWD/no-mount"), F_OK) == 0)
        skip();
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "big", NULL, &version, &e, NULL), -ENOSPC);
    assert_non_null(strstr(e.text, "cannot write the pack"));
    assert_int_equal(versions_find(setup.repository, "big", NULL, &version, &e), -ENOENT);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    close_setup(&setup);
    run(*state, "umount cache");
}

static void test_folders_of_urls(void **state)
{
    static const char *const cases[][2] = {
        {"https://h/o/r", "https/h/o/r.git"},
        {"https://h/o/r.git", "https/h/o/r.git.git"},
        {"https://user:secret@h:8080/o/r/", "https/h:8080/o/r.git"},
        {"http://h/../../etc", "http/h/%2E./%2E./etc.git"},
        {"http://h//x", "http/h/x.git"},
        {"http://h/a//x", "http/h/a/%/x.git"},
        {"http://h/a.git/x", "http/h/a%2Egit/x.git"},
        {"http://h/%2E%2E/x", "http/h/%252E%252E/x.git"},
        {"http://h/.git", "http/h/%2Egit.git"},
        {"git@h:o/r", "ssh/git@h/~/o/r.git"},
        {"ssh://git@h/o/r", "ssh/git@h/o/r.git"},
        {"git@h:/o/r", "ssh/git@h/o/r.git"},
        {"ssh://git:secret@h:22/o/r", "ssh/git@h:22/o/r.git"},
        {"git://h/r", "git/h/r.git"},
        {"/srv/r", "file/srv/r.git"},
        {"file:///srv/r", "file/srv/r.git"},
        {"/srv//r/", "file/srv/r.git"},
        {"/srv/r.git", "file/srv/r.git.git"},
        {"/srv/a b", "file/srv/a%20b.git"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = cache_folder_of_url("C", cases[i][0]);

        assert_non_null(folder);
        assert_string_equal(folder + 2, cases[i][1]);
        /* And back, to a URL that has the same. */
        char *url = cache_folder_to_url("C", folder);
        assert_non_null(url);
        char *again = cache_folder_of_url("C", url);
        assert_string_equal(again, folder);
        free(again);
        free(url);
        free(folder);
    }
}

static void test_folders_that_no_url_has(void **state)
{
    static const char *const folders[] = {
        "C/x.git",         "C/https/h.git",       "C/https/h/%G0.git", "C/https/h/%4.git",
        "C/https/h/r.gut", "C/file/.git",         "C/https/h/%41.git", "C/nothing/h/r.git",
        "C/ssh/h/~/.git",  "C/https/h/a/../b.git"};

    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *url = cache_folder_to_url("C", folders[i]);
        if (url)
            print_message("# %s: %s\n", folders[i], url);
        assert_null(url);
    }
}

static void test_long_part_of_a_url(void **state)
{
    char url[400] = "/srv/", *folder, *other;

    (void)state;
    memset(url + 5, 'x', 300);
    folder = cache_folder_of_url("C", url);
    url[304] = 'y';
    other = cache_folder_of_url("C", url);
    assert_true(strlen(folder) < 100);
    assert_string_not_equal(folder, other);
    assert_null(cache_folder_to_url("C", folder));
    free(folder);
    free(other);
    /* However many of its characters take three in a folder's name. */
    for (size_t odd = 1; odd < 300; odd++) {
        snprintf(url, sizeof url, "/srv/%*s", (int)odd + 1, "x");
        assert_non_null(folder = cache_folder_of_url("C", url));
        assert_in_range(strlen(strrchr(folder, '/') + 1), 1, NAME_MAX);
        free(folder);
    }
}

static void test_ambiguous_abbreviation(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};

    /* 7 digits are hard to make meet; the rule is the same for the tips of a listing. */
    make_remote(state);
    run(*state,
        "cd remote; git commit-tree -m x HEAD^{tree} >/dev/null;"
        "t=$(git rev-parse HEAD^{tree}); i=0; : >ids;"
        "/usr/bin/python3 - \"$t\" <<'END'\n"
        "import hashlib, sys, subprocess\n"
        "seen = {}\n"
        "for i in range(400000):\n"
        "    body = ('tree %%s\\nauthor a <a> %%d +0000\\ncommitter a <a> %%d +0000\\n\\nx\\n'"
        " %% (sys.argv[1], i, i)).encode()\n"
        "    h = hashlib.sha1(b'commit %%d\\0' %% len(body) + body).hexdigest()[:7]\n"
        "    if h in seen:\n"
        "        for n, b in enumerate((seen[h], body)):\n"
        "            c = subprocess.run(['git', 'hash-object', '-w', '-t', 'commit', "
        "'--stdin'], input=b, capture_output=True, check=True).stdout.decode().strip()\n"
        "            subprocess.run(['git', 'tag', 'same%%d' %% n, c], check=True)\n"
        "        open('digits', 'w').write(h)\n"
        "        break\n"
        "    seen[h] = body\n"
        "END\n"
        "test -s digits");
    open_setup(&setup, state);
    char digits[8];
    snprintf(digits, sizeof digits, "%s", output(setup.box, "cat remote/digits"));
    assert_int_equal(fetch(&setup, digits, NULL, &version, &e, NULL), -ENOENT);
    assert_non_null(strstr(e.text, "write more digits"));
    /* In the history, where no tip has them. */
    run(*state, "cd remote; git tag past $(git commit-tree -m past -p same0 -p same1 HEAD^{tree});"
                "git update-ref refs/kept/0 same0; git update-ref refs/kept/1 same1;"
                "git tag -d same0 same1; cd ..");
    assert_int_equal(list_refs(setup.repository, setup.remote, NULL, &e), 0);
    e = (struct error){0};
    assert_int_equal(fetch(&setup, digits, NULL, &version, &e, NULL), -ENOENT);
    assert_non_null(strstr(e.text, "write more digits"));
    const struct commit_search_bounds bounds = {false, 1 << 20};
    unsigned fetched = 0;
    struct oid commit;
    e = (struct error){0};
    assert_int_equal(
        commit_search(setup.repository, setup.remote, digits, &bounds, NULL, &fetched, &commit, &e),
        -ENOENT);
    assert_non_null(strstr(e.text, "write more digits"));
    run(*state, "cd remote; git tag same0 refs/kept/0; git tag same1 refs/kept/1");
    assert_int_equal(fetch(&setup, "same0", NULL, &version, &e, NULL), 0);
    assert_int_equal(fetch(&setup, "same1", NULL, &version, &e, NULL), 0);
    assert_int_equal(versions_find(setup.repository, digits, NULL, &version, &e), -ENOENT);
    assert_non_null(strstr(e.text, "write more digits"));
    close_setup(&setup);
    /* Also who has met one of them so far does not take it for the only one. */
    open_setup(&setup, state);
    assert_int_equal(versions_find(setup.repository, "same1", NULL, &version, &e), 0);
    assert_int_equal(versions_find(setup.repository, digits, NULL, &version, &e), -ENOENT);
    assert_non_null(strstr(e.text, "write more digits"));
    close_setup(&setup);
}

static void test_read_only_cache(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};
    struct cache *cache;
    struct repository *repository;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    run(setup.box, "find cache | sort >before");
    assert_int_equal(cache_open(&cache, setup.cache_folder, true, &e), 0);
    assert_int_equal(repository_open(&repository, cache, setup.url, &e), 0);
    assert_int_equal(versions_find(repository, "v1", NULL, &version, &e), 0);
    assert_int_equal(list_refs(repository, setup.remote, NULL, &e), 0);
    struct version_request request = {.name = "v5"};
    assert_int_equal(repository_fetch(repository, setup.remote, &request, 1, NULL, NULL, &e),
                     -EROFS);
    assert_non_null(strstr(e.text, "read-only"));
    run(setup.box, "find cache | sort | cmp - before");
    repository_close(repository);
    cache_close(cache);
    close_setup(&setup);
}

/* A cache that may be written makes the repository anew; there, the fetch says what is in the way. */
static void test_file_in_place_of_a_repository(void **state)
{
    struct setup setup;
    struct error e = {0};
    struct cache *cache;
    struct repository *repository;

    make_remote(state);
    open_setup(&setup, state);
    char *folder = cache_folder_of_url(cache_folder(setup.cache), "https://h/in/the/way");
    run(setup.box, "mkdir -p cache/https/h/in/the && echo x >cache/https/h/in/the/way.git");
    assert_int_equal(repository_open(&repository, setup.cache, "https://h/in/the/way", &e), 0);
    repository_close(repository);
    assert_int_equal(cache_open(&cache, setup.cache_folder, true, &e), 0);
    assert_int_equal(repository_open(&repository, cache, "https://h/in/the/way", &e), -EIO);
    assert_non_null(strstr(e.text, folder));
    assert_non_null(strstr(e.text, "is in the way"));
    run(setup.box, "rm -r cache/https/h/in && echo x >cache/https/h/in");
    assert_int_equal(repository_open(&repository, cache, "https://h/in/the/way", &e), 0);
    repository_close(repository);
    cache_close(cache);
    free(folder);
    close_setup(&setup);
}

static void test_versions_of_another_process_are_seen(void **state)
{
    struct setup setup;
    struct repository *other;
    struct version version;
    struct seen seen = {0};
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
    assert_int_equal(versions_find(other, "v1", NULL, &version, &e), -ENOENT);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_int_equal(versions_find(other, "v1", NULL, &version, &e), 0);
    assert_fetched(&setup, "main", VERSION_BRANCH, "main");
    assert_fetched(&setup, "deep/er/v4", VERSION_TAG, "deep/er/v4");
    assert_int_equal(see_versions(other, &seen), 3);
    assert_string_equal(seen.names[0], "main");
    assert_string_equal(seen.names[1], "deep/er/v4");
    assert_string_equal(seen.names[2], "v1");
    repository_close(other);
    close_setup(&setup);
}

/* Of two that are longer or shorter than what is there, neither is it; nor is what would lie below a file. */
static void test_a_name_is_a_whole_one(void **state)
{
    static const char *const others[] = {"v",       "v1/x", "v11",           "deep",
                                         "deep/er", "./v1", "../heads/main", "deep/../v1"};
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, "deep/er/v4", VERSION_TAG, "deep/er/v4");
    assert_fetched(&setup, "main", VERSION_BRANCH, "main");
    for (int packed = 0; packed < 2; packed++) {
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            assert_int_equal(versions_find(setup.repository, others[i], NULL, &version, &e),
                             -ENOENT);
        run(*state, "git --git-dir=%s pack-refs --all", repository_folder(setup.repository));
    }
    assert_int_equal(versions_find(setup.repository, "v1", NULL, &version, &e), 0);
    close_setup(&setup);
}

/* As another git writes it. */
static void test_a_ref_that_the_record_lacks_is_recorded(void **state)
{
    struct setup setup;
    struct repository *other;
    struct seen seen = {0};
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    run(*state, "git --git-dir=%s update-ref refs/tags/copy refs/tags/v1",
        repository_folder(setup.repository));
    assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
    assert_int_equal(see_versions(other, &seen), 2);
    run(*state, "grep refs/tags/copy %s/startpointfs-pins", repository_folder(setup.repository));
    repository_close(other);
    close_setup(&setup);
}

/* Who makes a repository's folder while another is about to. */
static _Thread_local struct repository *faster;

char *__real_mkdtemp(char *template);
char *__wrap_mkdtemp(char *template);
char *__wrap_mkdtemp(char *template)
{
    struct repository *other = faster;
    struct error e = {0};

    faster = NULL;
    if (other)
        close(repository_lock(other, NULL, &e));
    return __real_mkdtemp(template);
}

/* Each builds it beside, and the second finds the first's. */
static void test_two_make_one_repository(void **state)
{
    struct setup setup;
    struct repository *other;
    struct error e = {0};

    open_setup(&setup, state);
    assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
    faster = other;
    int lock = repository_lock(setup.repository, NULL, &e);
    assert_true(lock >= 0);
    assert_null(faster);
    close(lock);
    assert_string_equal(
        output(*state, "ls -A $(dirname %s) | wc -l", repository_folder(setup.repository)), "1");
    repository_close(other);
    close_setup(&setup);
}

static void test_tag_of_a_tree_is_no_version(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    run(*state, "cd remote; git tag tree HEAD^{tree}; git tag -am x blob HEAD:top");
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "tree", NULL, &version, &e, NULL), -ENOENT);
    assert_non_null(strstr(e.text, "not a commit"));
    assert_int_equal(fetch(&setup, "blob", NULL, &version, &e, NULL), -ENOENT);
    close_setup(&setup);
}

static void test_incomplete_remote_pins_nothing(void **state)
{
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    run(*state, "cd remote; rm -f .git/objects/$(git rev-parse v5:top | sed 's,^..,&/,')");
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "v5", NULL, &version, &e, NULL), -EIO);
    assert_int_equal(versions_find(setup.repository, "v5", NULL, &version, &e), -ENOENT);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_string_equal(
        output(setup.box, "ls %s/objects/pack | wc -l; ls %s | grep -c incoming || true",
               repository_folder(setup.repository), repository_folder(setup.repository)),
        "2\n0");
    close_setup(&setup);
}

static void test_what_one_version_lacks_spoils_no_other(void **state)
{
    struct version_request requests[] = {{.name = "v1"}, {.name = "v5"}, {.name = "deep/er/v4"}};
    struct setup setup;
    struct error e = {0};

    make_remote(state);
    run(*state, "cd remote; rm -f .git/objects/$(git rev-parse v5:top | sed 's,^..,&/,')");
    open_setup(&setup, state);
    assert_int_equal(repository_fetch(setup.repository, setup.remote, requests, 3, NULL, NULL, &e),
                     -EIO);
    assert_int_equal(requests[0].status, 0);
    assert_int_equal(requests[1].status, -EIO);
    assert_int_equal(requests[2].status, 0);
    assert_git_is_content(&setup);
    close_setup(&setup);
}

/* What was listed is not there any more; what is there now has the same name. */
static void test_a_remote_that_changed_is_listed_again(void **state)
{
    struct setup setup;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(list_refs(setup.repository, setup.remote, NULL, &e), 0);
    run(*state, "cd remote; git commit -q --amend -m other; git tag -f v5 >/dev/null;"
                "git reflog expire --expire=now --all; git gc -q --prune=now");
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    close_setup(&setup);
}

/* What was listed is gone: nothing is left to ask for, or the others. */
static void test_what_is_gone_since_it_was_listed_is_not_there(void **state)
{
    for (size_t count = 1; count <= 2; count++) {
        struct version_request requests[] = {{.name = "v5"}, {.name = "v1"}};
        struct setup setup;
        struct error e = {0};

        make_remote(state);
        open_setup(&setup, state);
        assert_int_equal(list_refs(setup.repository, setup.remote, NULL, &e), 0);
        run(*state, "cd remote; git reset -q --hard v1; git tag -d v5 deep/er/v4;"
                    "git reflog expire --expire=now --all; git gc -q --prune=now");
        assert_int_equal(
            repository_fetch(setup.repository, setup.remote, requests, count, NULL, NULL, &e),
            -ENOENT);
        assert_int_equal(requests[0].status, -ENOENT);
        assert_non_null(strstr(requests[0].error.text, "has no tag, branch or commit v5"));
        assert_int_equal(requests[1].status, 0);
        close_setup(&setup);
        run(*state, "rm -rf remote cache");
    }
}

/* The entry says that it is a file, or a link; git would refuse to check it out. */
static void test_a_tree_in_the_place_of_a_file_is_refused(void **state)
{
    static const char *const modes[] = {"100644", "100755", "120000"};
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        run(*state,
            "cd remote; sub=$(git rev-parse HEAD:a);"
            "tree=$(/usr/bin/python3 -c \"import sys; sys.stdout.buffer.write(b'%s file\\0'"
            " + bytes.fromhex('$sub'))\""
            " | git hash-object -t tree -w --stdin --literally);"
            "git tag bad%zu $(git commit-tree -m bad $tree)",
            modes[i], i);
        char name[8];
        snprintf(name, sizeof name, "bad%zu", i);
        assert_int_equal(fetch(&setup, name, NULL, &version, &e, NULL), -EIO);
        if (!strstr(e.text, "is not a blob"))
            fail_msg("%s", e.text);
        assert_int_equal(versions_find(setup.repository, name, NULL, &version, &e), -ENOENT);
    }
    close_setup(&setup);
}

#define SPOIL_PACKS                                                                                \
    "chmod u+w objects/pack/*.pack; for p in objects/pack/*.pack; do printf XXXX | dd of=$p bs=1 " \
    "seek=100 conv=notrunc status=none; done"

static void test_damage_is_repaired(void **state)
{
    struct version_request request = {.name = "v1", .again = true};
    char before[41], hex[OID_HEX_SIZE];
    struct setup setup;
    struct error e = {0};
    unsigned packs;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    strcpy(before, output(setup.box, "git -C remote rev-parse v1"));
    run(setup.box, "git -C remote tag -f v1 main >/dev/null; cd %s; " SPOIL_PACKS,
        repository_folder(setup.repository));
    assert_int_equal(
        repository_fetch(setup.repository, setup.remote, &request, 1, NULL, &packs, &e), 0);
    assert_int_equal(packs, 1);
    assert_string_equal(oid_format(&request.version.commit, hex), before);
    assert_git_is_content(&setup);
    assert_int_equal(
        repository_fetch(setup.repository, setup.remote, &request, 1, NULL, &packs, &e), 0);
    assert_int_equal(packs, 0);
    close_setup(&setup);
}

#define UNPACK                                                                             \
    "mv objects/pack/*.pack .; rm -f objects/pack/*; for p in *.pack; do git --git-dir=. " \
    "unpack-objects -q <$p; done; rm *.pack; cd objects; chmod -R u+w .;"                  \
    "f=$(git -C ~/remote rev-parse v1:top | sed 's,..,&/,');"

/* Each is found by itself; and nothing that is damaged is left. */
static void test_every_kind_of_damage_is_repaired(void **state)
{
    static const char *const damage[] = {
        "rm objects/pack/*.pack",
        "rm objects/pack/*.idx",
        "cd objects/pack; chmod u+w *; for i in *.idx; do echo nonsense >$i; done",
        "cd objects/pack; chmod u+w *; for i in *.pack; do truncate -s -1 $i; done",
        "cd objects/pack; chmod u+w *; for i in *.pack; do echo nonsense >$i; done",
        "rm -r objects",
        UNPACK "rm $f",
        UNPACK "echo nonsense >$f",
        UNPACK "truncate -s 5 $f",
        UNPACK "cp $(git -C ~/remote rev-parse v5:top | sed 's,..,&/,') $f",
    };
    struct version_request request = {.name = "v1", .again = true};
    struct setup setup;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    run(*state, "ln -s %s here; cp -a here/. sound", repository_folder(setup.repository));
    close_setup(&setup);
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        run(*state, "rm -rf here/*; cp -a sound/. here/; cd here; %s", damage[i]);
        open_setup(&setup, state);
        if (repository_fetch(setup.repository, setup.remote, &request, 1, NULL, NULL, &e))
            fail_msg("%s: %s", damage[i], e.text);
        assert_git_is_content(&setup);
        run(*state, "cd here; git --git-dir=. show v1:top v5:top >/dev/null;"
                    "for i in objects/pack/*.idx; do test ! -e $i || test -e ${i%%.idx}.pack; done;"
                    "if ls objects/pack/*-damaged*; then exit 1; fi");
        close_setup(&setup);
    }
}

/* Not even what is damaged: some of it may be good. */
static void test_a_repair_that_fails_removes_nothing(void **state)
{
    struct version_request request = {.name = "v1", .again = true};
    struct setup setup;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    run(*state, "ln -s %s here; mv remote gone; cd here; rm shallow; " SPOIL_PACKS,
        repository_folder(setup.repository));
    close_setup(&setup); /* with its connection */
    open_setup(&setup, state);
    assert_true(repository_fetch(setup.repository, setup.remote, &request, 1, NULL, NULL, &e) < 0);
    assert_string_equal(output(*state, "ls here/objects/pack/*.pack | wc -l"), "2");
    run(*state, "mv gone remote");
    assert_int_equal(repository_fetch(setup.repository, setup.remote, &request, 1, NULL, NULL, &e),
                     0);
    assert_git_is_content(&setup);
    close_setup(&setup);
}

/* Where the index of v1 says at which offset a file is. */
static char *offset_in(struct setup *setup, char *index, const char *file)
{
    const unsigned char *total = (unsigned char *)index + 8 + 255 * 4;
    size_t count = (size_t)total[2] << 8 | total[3];
    struct oid oid;

    assert_true(oid_parse(&oid, output(setup->box, "git -C remote rev-parse %s", file), OID_HEX));
    for (size_t i = 0; i < count; i++)
        if (memcmp(index + 1032 + i * OID_SIZE, oid.id, OID_SIZE) == 0)
            return index + 1032 + count * (OID_SIZE + 4) + i * 4;
    fail_msg("no %s", file);
    return NULL;
}

/* Makes it say of two files of v1 that each is where the other is, with a checksum that fits. */
static void swap_files(struct setup *setup)
{
    char *index, path[300], was[4];
    struct error e = {0};
    size_t size;

    snprintf(path, sizeof path, "%s", output(setup->box, "ls $PWD/here/objects/pack/*.idx"));
    assert_int_equal(disk_read(path, 1 << 20, &index, &size, &e), 0);
    char *top = offset_in(setup, index, "v1:top"), *other = offset_in(setup, index, "v1:a/b/file");
    memcpy(was, top, 4);
    memcpy(top, other, 4);
    memcpy(other, was, 4);
    sha1_of(index, size - OID_SIZE, (unsigned char *)index + size - OID_SIZE);
    assert_int_equal(disk_replace(path, index, size, false, &e), 0);
    free(index);
}

/* Its checksums are right: so all objects are looked at, if nothing else explains what a reader met. */
static void test_an_index_that_lies_is_replaced(void **state)
{
    struct version_request request = {.name = "v1", .again = true};
    struct setup setup;
    struct error e = {0};
    unsigned packs;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    run(setup.box, "ln -s %s here", repository_folder(setup.repository));
    swap_files(&setup);
    assert_string_equal(output(setup.box, "git --git-dir=here show v1:top"), "one");
    if (repository_fetch(setup.repository, setup.remote, &request, 1, NULL, &packs, &e))
        fail_msg("%s", e.text);
    assert_int_equal(packs, 1);
    assert_git_is_content(&setup);
    assert_string_equal(
        output(setup.box, "git --git-dir=here show v1:top; ls here/objects/pack/*.pack | wc -l"),
        "x\n1");
    close_setup(&setup);
}

/* A pack with these objects comes from the remote of a repair. */
static void receive_pack(struct setup *setup, struct incoming *incoming, const char *objects)
{
    struct error e = {0};
    char *bytes, path[150];
    size_t size;

    run(setup->box, "cd remote; git rev-parse %s | git pack-objects -q --stdout >../sent", objects);
    snprintf(path, sizeof path, "%s/sent", setup->box->folder);
    assert_int_equal(disk_read(path, 1 << 20, &bytes, &size, &e), 0);
    assert_int_equal(incoming_begin(incoming, &e), 0);
    assert_int_equal(incoming_write(incoming, bytes, size, &e), 0);
    assert_int_equal(incoming_finish(incoming, &e), 0);
    free(bytes);
}

/* What a remote sends is looked at, whatever it says that it is. Until all is there nothing is removed. */
static void test_a_repair_takes_only_what_is_whole(void **state)
{
    struct incoming incoming;
    struct mend *mend;
    struct setup setup;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    run(setup.box, "ln -s %s here; cd here; " SPOIL_PACKS, repository_folder(setup.repository));
    int lock = repository_lock(setup.repository, NULL, &e);
    assert_true(lock >= 0);
    assert_int_equal(mend_begin(&mend, setup.repository, &e), 0);
    assert_int_equal(mend->count, 2);
    size_t v1 = strcmp(mend->wants[0].ref, "refs/tags/v1") == 0 ? 0 : 1;
    assert_true(mend->wants[0].recorded && mend->wants[1].recorded);
    assert_int_equal(incoming_open(&incoming, setup.repository, &e), 0);
    receive_pack(&setup, &incoming, "v1 v1^{tree} v1:top v1:a");
    assert_int_equal(mend_check(mend, &incoming, v1, 1, &e), -EIO);
    assert_non_null(strstr(e.text, "missing"));
    receive_pack(&setup, &incoming, "v1 v1^{tree} v1:top v1:a v1:a/b v1:a/b/file");
    assert_int_equal(mend_check(mend, &incoming, v1, 1, &e), 0);
    assert_int_equal(mend_check(mend, &incoming, 1 - v1, 1, &e), -EIO);
    assert_int_equal(mend_check(mend, &incoming, 0, 2, &e), -EIO);
    assert_int_equal(incoming_publish(&incoming, &e), 0);
    incoming_close(&incoming);
    assert_int_equal(mend_end(mend, false, &e), 0);
    assert_string_equal(output(*state, "ls here/objects/pack/*.pack | wc -l"), "4");
    assert_int_equal(mend_begin(&mend, setup.repository, &e), 0);
    assert_int_equal(mend->count, 1);
    assert_string_equal(mend->wants[0].ref, "refs/tags/v5");
    assert_int_equal(mend_end(mend, false, &e), 0);
    close(lock);
    close_setup(&setup);
}

/* The remote has it elsewhere by now. It never moves; but if nobody knows for sure where it was, it is taken anew. */
static void test_what_is_nowhere_is_given_up_only_if_it_is_not_recorded(void **state)
{
    struct version_request request = {.name = "v1", .again = true};
    char before[41], hex[OID_HEX_SIZE];
    struct setup setup;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    run(*state, "ln -s %s here; cd here; " SPOIL_PACKS, repository_folder(setup.repository));
    strcpy(before, output(*state, "cat here/refs/tags/v1"));
    run(*state, "rm -rf remote; git init -q remote; cd remote; echo other >top; git add .;"
                "git commit -qm other; git tag v1");
    close_setup(&setup);
    open_setup(&setup, state);
    assert_true(repository_fetch(setup.repository, setup.remote, &request, 1, NULL, NULL, &e) < 0);
    assert_string_equal(output(*state, "cat here/refs/tags/v1"), before);
    close_setup(&setup);
    run(*state, "rm here/startpointfs-pins");
    open_setup(&setup, state);
    assert_int_equal(repository_fetch(setup.repository, setup.remote, &request, 1, NULL, NULL, &e),
                     0);
    assert_string_equal(oid_format(&request.version.commit, hex),
                        output(*state, "git -C remote rev-parse v1"));
    close_setup(&setup);
}

static void test_leftovers_are_cleaned(void **state)
{
    struct setup setup;

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    run(setup.box,
        "mkdir -p %s/startpointfs-incoming/pack; echo x >%s/startpointfs-incoming/pack/"
        "pack_git2_dead; for s in pack idx; do echo x >%s/startpointfs-incoming/pack/pack-dead.$s; "
        "done",
        repository_folder(setup.repository), repository_folder(setup.repository),
        repository_folder(setup.repository));
    run(setup.box,
        "cd %s; touch -d '2 hours ago' shallow.x1 startpointfs-listing.x1; "
        "touch startpointfs-listing.x2; touch refs/tags/v5.lock; cd ..; "
        "mkdir .new-x1 .new-x2; touch -d '2 hours ago' .new-x1",
        repository_folder(setup.repository));
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    run(setup.box,
        "cd %s; test ! -e startpointfs-incoming; test ! -e shallow.x1; test ! -e "
        "startpointfs-listing.x1; test -e startpointfs-listing.x2; test ! -e "
        "objects/pack/pack-dead.pack; rm -r objects",
        repository_folder(setup.repository));
    run(setup.box, "rm -r %s", repository_folder(setup.repository));
    close_setup(&setup);
    open_setup(&setup, state);
    assert_fetched(&setup, "v5", VERSION_TAG, "v5");
    run(setup.box, "cd %s/..; test ! -e .new-x1; test -e .new-x2",
        repository_folder(setup.repository));
    close_setup(&setup);
}

/* What others may be searching in stays. */
static void test_what_a_search_has_left_is_cleaned(void **state)
{
    struct setup setup;
    struct incoming incoming;
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    assert_fetched(&setup, "v1", VERSION_TAG, "v1");
    run(setup.box,
        "cd %s; mkdir startpointfs-search.1 startpointfs-search.2;"
        "touch -d '2 hours ago' startpointfs-search.1",
        repository_folder(setup.repository));
    assert_int_equal(incoming_open_beside(&incoming, setup.repository, &e), 0);
    incoming_close(&incoming);
    assert_string_equal(
        output(setup.box, "cd %s; echo startpointfs-s*", repository_folder(setup.repository)),
        "startpointfs-search.2");
    close_setup(&setup);
}

static void *fetch_all_tags(void *data)
{
    const char *const names[] = {"v1", "v2", "v3", "deep/er/v4", "v5", "main"};
    struct net_settings settings;
    struct remote *remote;
    struct error e = {0};
    size_t failed = 0;

    net_settings_init(&settings);
    if (remote_new(&remote, &settings, &e))
        return (void *)(size_t)99;
    for (size_t i = 0; i < 6; i++) {
        struct version_request request = {.name = names[i]};
        if (repository_fetch(data, remote, &request, 1, NULL, NULL, &e)) {
            fprintf(stderr, "%s: %s\n", names[i], e.text);
            failed++;
        }
    }
    remote_free(remote);
    return (void *)failed;
}

/* Threads that share a repository, and threads that have their own, as two processes would. */
static void test_many_at_once(void **state)
{
    struct repository *others[2];
    struct setup setup;
    pthread_t threads[6];
    struct error e = {0};

    make_remote(state);
    open_setup(&setup, state);
    for (int i = 0; i < 2; i++)
        assert_int_equal(repository_open(&others[i], setup.cache, setup.url, &e), 0);
    for (int i = 0; i < 6; i++)
        pthread_create(&threads[i], NULL, fetch_all_tags, i < 4 ? setup.repository : others[i - 4]);
    for (int i = 0; i < 6; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_git_is_content(&setup);
    repository_close(others[0]);
    repository_close(others[1]);
    close_setup(&setup);
}

/* Somebody who fetches v1 as another process would, and waits for the lock. */
struct waiting {
    struct repository *repository;
    pthread_t thread;
    atomic_uint looks; /* from the lock: nothing else is waited for before it */
    unsigned packs;
    int status;
};

static bool count_look(void *data)
{
    struct waiting *waiting = data;

    waiting->looks++;
    return false;
}

static void *fetch_and_wait(void *data)
{
    struct waiting *waiting = data;
    const struct watch watch = {.cancelled = count_look, .data = waiting};
    struct version_request request = {.name = "v1"};
    struct net_settings settings;
    struct remote *remote;
    struct error e = {0};

    net_settings_init(&settings);
    waiting->status = remote_new(&remote, &settings, &e);
    if (waiting->status < 0)
        return NULL;
    waiting->status =
        repository_fetch(waiting->repository, remote, &request, 1, &watch, &waiting->packs, &e);
    remote_free(remote);
    return NULL;
}

static void test_what_two_ask_for_at_once_is_fetched_once(void **state)
{
    struct waiting waiting[2] = {{.status = 0}};
    struct setup setup;
    struct error e = {0};
    char path[300];

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(list_refs(setup.repository, setup.remote, NULL, &e), 0);
    snprintf(path, sizeof path, "%s/startpointfs-lock", repository_folder(setup.repository));
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(repository_open(&waiting[i].repository, setup.cache, setup.url, &e), 0);
        assert_int_equal(pthread_create(&waiting[i].thread, NULL, fetch_and_wait, &waiting[i]), 0);
        while (!waiting[i].looks)
            usleep(1000);
    }
    close(fd);
    for (int i = 0; i < 2; i++) {
        pthread_join(waiting[i].thread, NULL);
        assert_int_equal(waiting[i].status, 0);
        repository_close(waiting[i].repository);
    }
    assert_int_equal(waiting[0].packs + waiting[1].packs, 1);
    close_setup(&setup);
}

static void test_local_remotes(void **state)
{
    static const char *const places[] = {"bare.git", "bare", "tree", "detached", "packed"};
    struct setup setup;
    struct version version;
    struct error e = {0};

    make_remote(state);
    run(*state, "git clone -q --bare remote bare.git; git -C remote worktree add -q ../tree v1 "
                "-b side >/dev/null 2>&1; git clone -q remote detached; cd detached; git checkout "
                "-q v1; git branch -qD main; cd ..; git clone -q remote packed; cd packed; "
                "git pack-refs --all; git gc -q");
    open_setup(&setup, state);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(setup.url, sizeof setup.url, "%s/%s", setup.box->folder, places[i]);
        repository_close(setup.repository);
        assert_int_equal(repository_open(&setup.repository, setup.cache, setup.url, &e), 0);
        if (fetch(&setup, "v3", NULL, &version, &e, NULL) ||
            fetch(&setup, NULL, NULL, &version, &e, NULL))
            fail_msg("%s: %s", places[i], e.text);
        assert_int_equal(versions_find(setup.repository, NULL, NULL, &version, &e), 0);
    }
    close_setup(&setup);
}

static _Thread_local struct net_settings settings_of_remote; /* of the one that was made last */

int __real_remote_new(struct remote **out, const struct net_settings *settings, struct error *e);
int __wrap_remote_new(struct remote **out, const struct net_settings *settings, struct error *e);
int __wrap_remote_new(struct remote **out, const struct net_settings *settings, struct error *e)
{
    settings_of_remote = *settings;
    return __real_remote_new(out, settings, e);
}

/* Room is wanted now: who does not answer soon is not waited for as long as a fetch does. */
static void test_room_does_not_wait_for_long(void **state)
{
    struct setup setup;
    struct net_settings settings;
    struct bring_back *bring_back;
    struct error e = {0};

    open_setup(&setup, state);
    net_settings_init(&settings);
    for (unsigned timeout = 5; timeout <= 60; timeout += 55) {
        settings.connect_timeout = timeout;
        assert_int_equal(bring_back_new(&bring_back, setup.cache_folder, &settings, NULL, &e), 0);
        bring_back_free(bring_back);
        assert_int_equal(settings_of_remote.connect_timeout, timeout < 10 ? timeout : 10);
        assert_int_equal(settings_of_remote.silence_most, 10);
    }
    close_setup(&setup);
}

/* Out of memory is told to every request: a status of 0 means that the version is there. */
static bool comes_back(const struct setup *setup, const char *ref, const char *target)
{
    const char *hex = output(setup->box, "cat id-%s", target);
    struct net_settings settings;
    struct bring_back *bring_back;
    struct error e = {0};
    struct oid oid;

    net_settings_init(&settings);
    assert_true(oid_parse(&oid, hex, strlen(hex)));
    assert_int_equal(bring_back_new(&bring_back, setup->cache_folder, &settings, NULL, &e), 0);
    bool comes =
        bring_back_can(bring_back, repository_folder(setup->repository), setup->url, ref, &oid);
    bring_back_free(bring_back);
    return comes;
}

/* Room is made of what its remote still has, and of nothing else. */
static void test_what_comes_back(void **state)
{
    static const struct {
        const char *ref, *target;
        bool comes;
    } rows[] = {
        {"refs/tags/v1", "v1", true},     {"refs/tags/v1", "v5", false},
        {"refs/tags/v2", "v2", true},     {"refs/tags/v2", "v1", true},
        {"refs/tags/v9", "v1", false},    {"refs/heads/main", "v5", true},
        {"refs/heads/main", "v1", false}, {"refs/heads/side", "v1", true},
        {"refs/heads/gone", "v1", false}, {"refs/startpointfs/x", "v1", true},
    };
    struct setup setup;

    make_remote(state);
    run(*state, "git -C remote branch side v1;"
                "for v in v1 v2 v5; do git -C remote rev-parse $v >id-$v; done");
    open_setup(&setup, state);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (comes_back(&setup, rows[i].ref, rows[i].target) != rows[i].comes)
            fail_msg("%s at %s", rows[i].ref, rows[i].target);
    run(*state, "mv remote gone");
    assert_false(comes_back(&setup, "refs/tags/v1", "v1"));
    assert_false(comes_back(&setup, "refs/startpointfs/x", "v1"));
    close_setup(&setup);
}

/* A host that does not answer is not asked again; but paths are on none. */
static void test_a_path_that_is_gone_says_nothing_of_others(void **state)
{
    struct setup setup;
    struct net_settings settings;
    struct bring_back *bring_back;
    struct error e = {0};
    struct oid oid = {{1}};
    bool comes;

    make_remote(state);
    open_setup(&setup, state);
    net_settings_init(&settings);
    assert_int_equal(bring_back_new(&bring_back, setup.cache_folder, &settings, NULL, &e), 0);
    comes = bring_back_can(bring_back, "gone", "/nowhere/x", "refs/startpointfs/x", &oid);
    assert_false(comes);
    comes = bring_back_can(bring_back, "here", setup.url, "refs/startpointfs/x", &oid);
    assert_true(comes);
    bring_back_free(bring_back);
    close_setup(&setup);
}

/* Somebody waits for the room. */
static void test_a_remote_is_not_asked_for_long_whether_it_has_something(void **state)
{
    static const unsigned timeouts[][2] = {{60, 10}, {5, 5}};
    const struct sandbox *box = *state;
    struct error e = {0};
    struct oid oid = {{1}};

    for (size_t i = 0; i < 2; i++) {
        struct net_settings settings;
        struct bring_back *bring_back;
        char command[200];

        snprintf(command, sizeof command, "printf '%%s ' >%s/said", box->folder);
        setenv("GIT_SSH_COMMAND", command, 1);
        net_settings_init(&settings);
        settings.connect_timeout = timeouts[i][0];
        assert_int_equal(bring_back_new(&bring_back, box->folder, &settings, NULL, &e), 0);
        assert_false(bring_back_can(bring_back, "x", "ssh://h/x", "refs/tags/1", &oid));
        bring_back_free(bring_back);
        unsetenv("GIT_SSH_COMMAND");
        run(box, "grep ' ConnectTimeout=%u ' said", timeouts[i][1]);
    }
}

static void test_out_of_memory_is_no_success(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)state;
    skip(); /* their allocators end the process */
#else
    const size_t count = 1 << 16;
    struct rlimit old, none = {.rlim_cur = 1};
    struct version_request *requests;
    struct error e = {0};
    struct setup setup;

    make_remote(state);
    open_setup(&setup, state);
    requests = calloc(count, sizeof *requests);
    assert_non_null(requests);
    for (size_t i = 0; i < count; i++)
        requests[i].name = "v1";
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    none.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    int r = repository_fetch(setup.repository, setup.remote, requests, count, NULL, NULL, &e);
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
    assert_int_equal(r, -ENOMEM);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(requests[i].status, -ENOMEM);
        assert_int_equal(requests[i].error.errnum, ENOMEM);
    }
    free(requests);
    close_setup(&setup);
#endif
}

static void spoil(struct setup *setup, const char *ref, const char *content)
{
    run(setup->box, "printf '%s' >'%s/%s'", content, repository_folder(setup->repository), ref);
}

/* "Not there" and "cannot be read" are two answers: only the first may start a transfer. */
static void test_a_damaged_ref_is_not_a_missing_one(void **state)
{
    const char *const contents[] = {"", "nonsense", "1234567890123456789012345678901234567890"};
    struct repository *other;
    struct version version;
    struct error e = {0};
    struct setup setup;

    make_remote(state);
    open_setup(&setup, state);
    assert_int_equal(fetch(&setup, "v1", NULL, &version, &e, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        spoil(&setup, "refs/tags/v1", contents[i]);
        assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
        /* The record of pins stands in, as long as there is one. */
        if (i == 0)
            assert_int_equal(versions_find(other, "v1", NULL, &version, &e), 0);
        repository_close(other);
        run(setup.box, "rm -f %s/startpointfs-pins", repository_folder(setup.repository));
        assert_int_equal(repository_open(&other, setup.cache, setup.url, &e), 0);
        assert_int_equal(pins_find(other, "refs/tags/v1", &version, &e), -EIO);
        assert_non_null(strstr(e.text, "refs/tags/v1"));
        assert_int_equal(versions_find(other, "v1", NULL, &version, &e), -EIO);
        assert_int_equal(pins_find(other, "refs/tags/v2", &version, &e), -ENOENT);
        assert_int_equal(versions_find(other, "v2", NULL, &version, &e), -ENOENT);
        repository_close(other);
    }
    close_setup(&setup);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_a_search_has_left_is_cleaned),
        TEST(test_room_does_not_wait_for_long),
        TEST(test_what_comes_back),
        TEST(test_a_path_that_is_gone_says_nothing_of_others),
        TEST(test_a_remote_is_not_asked_for_long_whether_it_has_something),
        TEST(test_out_of_memory_is_no_success),
        TEST(test_a_damaged_ref_is_not_a_missing_one),
        TEST(test_every_kind_of_version),
        TEST(test_nothing_is_fetched_twice),
        TEST(test_a_pin_moves_only_if_it_is_a_branch),
        TEST(test_the_record_knows_better_than_a_ref),
        TEST(test_a_ref_that_differs_from_the_record_is_mended),
        TEST(test_what_another_process_has_removed_is_not_listed),
        TEST(test_two_look_for_what_was_removed),
        TEST(test_what_says_where_history_is_cut_is_mended),
        TEST(test_a_repository_is_mended),
        TEST(test_the_record_is_that_of_all_processes),
        TEST(test_a_record_that_could_not_be_saved_is_read_again),
        TEST(test_a_damaged_record_is_not_believed),
        TEST(test_a_version_that_was_removed_is_missed_when_it_is_read),
        TEST(test_all_names_of_a_commit_are_read),
        TEST(test_a_pack_must_be_whole_in_itself),
        TEST(test_several_come_in_one_pack),
        TEST(test_unknown_names),
        TEST(test_no_default_branch),
        TEST(test_no_repository_makes_no_folder),
        TEST(test_remote_gone),
        TEST(test_the_default_branch_without_a_listing),
        TEST(test_a_default_that_is_no_branch),
        TEST(test_damaged_listing_counts_as_none),
        TEST(test_a_listing_that_cannot_be_saved_is_said),
        TEST(test_a_listing_from_a_time_that_lies_ahead_is_old),
        TEST(test_a_listing_is_read_when_it_is_needed_unless_it_is_large),
        TEST(test_what_a_remote_says_while_the_cache_is_read_is_newer),
        TEST(test_moved_tag_keeps_its_first_commit),
        TEST(test_commit_wins_over_a_tag_that_moved_before),
        TEST(test_branch_follows),
        TEST(test_tag_wins_over_branch),
        TEST(test_new_tag_is_found_at_once),
        TEST(test_abbreviation_in_history),
        TEST(test_abbreviation_in_a_shallow_remote),
        TEST(test_waiting_for_the_lock_can_be_cancelled),
        TEST(test_full_disk),
        TEST(test_folders_of_urls),
        TEST(test_folders_that_no_url_has),
        TEST(test_long_part_of_a_url),
        TEST(test_ambiguous_abbreviation),
        TEST(test_read_only_cache),
        TEST(test_file_in_place_of_a_repository),
        TEST(test_versions_of_another_process_are_seen),
        TEST(test_a_name_is_a_whole_one),
        TEST(test_a_ref_that_the_record_lacks_is_recorded),
        TEST(test_two_make_one_repository),
        TEST(test_tag_of_a_tree_is_no_version),
        TEST(test_incomplete_remote_pins_nothing),
        TEST(test_what_one_version_lacks_spoils_no_other),
        TEST(test_a_remote_that_changed_is_listed_again),
        TEST(test_what_is_gone_since_it_was_listed_is_not_there),
        TEST(test_a_tree_in_the_place_of_a_file_is_refused),
        TEST(test_damage_is_repaired),
        TEST(test_every_kind_of_damage_is_repaired),
        TEST(test_a_repair_that_fails_removes_nothing),
        TEST(test_an_index_that_lies_is_replaced),
        TEST(test_a_repair_takes_only_what_is_whole),
        TEST(test_what_is_nowhere_is_given_up_only_if_it_is_not_recorded),
        TEST(test_leftovers_are_cleaned),
        TEST(test_many_at_once),
        TEST(test_what_two_ask_for_at_once_is_fetched_once),
        TEST(test_local_remotes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
