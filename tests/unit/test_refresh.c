#include "fs/tree/branch.h"
#include "gitcache/fetch/repository_fetch.h"
#include "gitcache/net/remote.h"
#include "tests/unit/mounted.h"

/* The next allocation of so many bytes, or more, fails (linked with --wrap=calloc). 0: none does. */
static _Atomic size_t refused;
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    size_t least = atomic_load(&refused);

    if (least && count * size >= least && atomic_exchange(&refused, 0))
        return NULL;
    return __real_calloc(count, size);
}

/* So many fetches fail, with this errno; and how often room is asked for, and can be made (linked with --wrap). */
static atomic_int fetches_refused, fetch_errno, rooms_asked, rooms_left;
static atomic_bool is_room_made_up;

int __real_repository_fetch(struct repository *repository, struct remote *remote,
                            struct version_request *requests, size_t count,
                            const struct watch *watch, unsigned *fetched, struct error *e);
int __wrap_repository_fetch(struct repository *repository, struct remote *remote,
                            struct version_request *requests, size_t count,
                            const struct watch *watch, unsigned *fetched, struct error *e);
bool __real_room_make(struct mount *mount, uint64_t bytes, const struct room_spared *spared);
bool __wrap_room_make(struct mount *mount, uint64_t bytes, const struct room_spared *spared);

int __wrap_repository_fetch(struct repository *repository, struct remote *remote,
                            struct version_request *requests, size_t count,
                            const struct watch *watch, unsigned *fetched, struct error *e)
{
    if (fetches_refused == 0)
        return __real_repository_fetch(repository, remote, requests, count, watch, fetched, e);
    fetches_refused--;
    for (size_t i = 0; i < count; i++)
        requests[i].status = error_set(&requests[i].error, fetch_errno, "it is full");
    return error_set(e, fetch_errno, "it is full");
}

bool __wrap_room_make(struct mount *mount, uint64_t bytes, const struct room_spared *spared)
{
    if (!is_room_made_up)
        return __real_room_make(mount, bytes, spared);
    rooms_asked++;
    return rooms_left > 0 && rooms_left-- > 0;
}

/* Three times, each time more. A quota that is used up is a full disk. */
static void test_room_is_made_for_what_is_fetched(void **state)
{
    static const struct {
        int errnum, refused, rooms, asked, r;
    } rows[] = {{ENOSPC, 1, 1, 1, 0}, {EDQUOT, 1, 1, 1, 0},       {ENOSPC, 3, 9, 3, 0},
                {EIO, 1, 9, 0, 0},    {ENOSPC, 4, 9, 3, -ENOSPC}, {EDQUOT, 1, 0, 1, -EDQUOT}};
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    is_room_made_up = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mounted_open(&mounted, state, "./repo?tag=1");
        uint32_t version = walk(&mounted, "repo/1");
        fetch_errno = rows[i].errnum;
        fetches_refused = rows[i].refused;
        rooms_left = rows[i].rooms;
        rooms_asked = 0;
        int r = look_up(&mounted, version, "file", &file);
        if (r != rows[i].r || rooms_asked != rows[i].asked)
            fail_msg("case %zu: %d, %d rooms", i, r, (int)rooms_asked);
        fetches_refused = 0;
        mounted_close(&mounted);
        run(*state, "rm -rf cache");
    }
    is_room_made_up = false;
}

static void test_out_of_memory_is_not_for_ever(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t version = walk(&mounted, "repo/1");
    atomic_store(&refused, 100000); /* what is fetched together */
    assert_int_equal(namespace_lookup(&mounted.mount, version, "file", &ask, &file), -EAGAIN);
    wait_for_work(&mounted, &ask);
    assert_int_equal(atomic_load(&refused), 0);
    assert_int_equal(namespace_lookup(&mounted.mount, version, "file", &ask, &file), -ENOMEM);
    repos_at(&mounted.mount.repos, 0)->versions->retry_at = 0;
    assert_int_equal(look_up(&mounted, version, "file", &file), 0);
    mounted_close(&mounted);
}

static void test_what_the_root_folder_lacks_is_said(void **state)
{
    struct mounted mounted;
    struct source_list sources = {0};
    struct error e = {0};
    char source[50];

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    for (int i = 0; i < 100; i++) {
        snprintf(source, sizeof source, "./repo?tag=1&name=r%d", i);
        assert_int_equal(source_list_add_source(&sources, source, mounted.box->folder, &e), 0);
    }
    assert_int_equal(publish_sources(&mounted.mount, &sources, &e), 0);
    atomic_store(&refused, 100 * sizeof(struct node_link));
    assert_int_equal(publish_sources(&mounted.mount, &sources, &e), -ENOMEM);
    assert_string_equal(e.text, "cannot make the root folder: Cannot allocate memory");
    assert_int_equal(publish_sources(&mounted.mount, &sources, &e), 0);
    source_list_release(&sources);
    mounted_close(&mounted);
}

static void test_all_that_a_list_names_is_fetched_before(void **state)
{
    struct mounted mounted;
    struct source_list sources = {0};
    struct version version;
    struct error e;
    char source[50];

    make_repository(*state);
    run(*state, "cd repo; head=$(git rev-parse HEAD); for i in $(seq 300); do "
                "echo create refs/tags/t$i $head; done | git update-ref --stdin");
    mounted_open(&mounted, state, "./repo?tag=1");
    for (int i = 1; i <= 300; i++) {
        snprintf(source, sizeof source, "./repo?tag=t%d", i);
        assert_int_equal(source_list_add_source(&sources, source, mounted.box->folder, &e), 0);
    }
    assert_int_equal(publish_sources(&mounted.mount, &sources, &e), 0);
    ask_sources_later(&mounted.mount);
    settle(&mounted);
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    for (int i = 1; i <= 300; i++) {
        snprintf(source, sizeof source, "t%d", i);
        assert_int_equal(versions_find(repo->repository, source, NULL, &version, &e), 0);
    }
    source_list_release(&sources);
    mounted_close(&mounted);
}

#define FIRST_ADDED 50000 /* nodes that nobody uses */
#define LAST_ADDED  51000

static atomic_bool is_switched;

/* One after the other, so that some come while the branch is being switched. */
static void *add_nodes(void *data)
{
    for (uint32_t node = FIRST_ADDED; node < LAST_ADDED && !atomic_load(&is_switched); node++) {
        if (repo_version_add_node(data, node) != 0)
            return data;
        usleep(1000);
    }
    return NULL;
}

/* Under ThreadSanitizer this failed: the list of nodes was walked while it grew. */
static void test_a_branch_is_switched_while_its_folder_is_opened(void **state)
{
    struct mounted mounted;
    pthread_t thread;
    uint32_t file;
    void *failed;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=main");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    uint32_t branch = walk(&mounted, "repo/main");
    assert_int_equal(look_up(&mounted, branch, "file", &file), 0);
    run(*state, "cd repo; echo 3 >new; git add new; git commit -qm 3");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    atomic_store(&is_switched, false);
    assert_int_equal(pthread_create(&thread, NULL, add_nodes, repo->versions), 0);
    ask_newest_later(&mounted.mount, repo->versions);
    settle(&mounted);
    atomic_store(&is_switched, true);
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_int_equal(look_up(&mounted, branch, "new", &file), 0);
    mounted_close(&mounted);
}

static void test_a_failure_makes_it_back_off(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};

    /* Nothing listens there. */
    mounted_open(&mounted, state, "git://127.0.0.1:1/repo?tag=1");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo/1")), -EHOSTUNREACH);
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    assert_int_equal(repo_backoff(repo), -EHOSTUNREACH);
    assert_int_equal(ask_listing(&mounted.mount, repo, &ask), -EHOSTUNREACH);
    assert_null(ask.work);
    assert_true(repo_succeeded(repo));
    assert_int_equal(repo_backoff(repo), 0);
    mounted_close(&mounted);
}

/* Asks for the listing as if it were long ago that this has failed. */
static void list_again(struct mounted *mounted)
{
    struct repo *repo = repos_at(&mounted->mount.repos, 0);
    struct ask ask = {0};

    pthread_mutex_lock(&repo->lock);
    repo->retry_at = 0;
    pthread_mutex_unlock(&repo->lock);
    assert_int_equal(ask_listing(&mounted->mount, repo, &ask), -EAGAIN);
    wait_for_work(mounted, &ask);
}

static void test_a_failure_is_warned_of_once_and_its_end_told(void **state)
{
    struct mounted mounted;
    char path[100];

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    snprintf(path, sizeof path, "%s/mount.log", mounted.box->folder);
    assert_int_equal(log_open(&mounted.mount.log, LOG_LEVEL_INFO, path, true), 0);
    run(*state, "mv repo gone");
    for (int i = 0; i < 3; i++)
        list_again(&mounted);
    assert_string_equal(output(*state, "grep -c warning mount.log"), "1");
    run(*state, "mv gone repo");
    for (int i = 0; i < 2; i++)
        list_again(&mounted);
    assert_string_equal(output(*state, "grep -c 'answers again' mount.log"), "1");
    struct log *log = mounted.mount.log;
    mounted_close(&mounted);
    log_close(log);
}

static void test_a_faulty_configuration_of_git_is_named_until_it_is_mended(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    run(*state, "cp .gitconfig config; echo '[http' >>config");
    setenv("GIT_CONFIG_GLOBAL", output(*state, "echo $PWD/config"), 1);
    mounted_open(&mounted, state, "./repo?tag=1");
    list_again(&mounted);
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    assert_true(repo_backoff(repo) < 0);
    assert_non_null(strstr(error_kept_text(&repo->error), "git's configuration cannot be read"));
    run(*state, "cp .gitconfig config");
    list_again(&mounted); /* by the same thread */
    assert_int_equal(repo_backoff(repo), 0);
    mounted_close(&mounted);
    unsetenv("GIT_CONFIG_GLOBAL");
}

/* The pack of all and the pack of each are cut; those of the next try are not. */
static void test_a_damaged_answer_gets_one_more_try(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    run(*state, "printf '#!/bin/sh\\nif test $(wc -l <tries) -ge 2; then exec \"$@\"; fi\\n"
                "echo try >>tries; \"$@\" | head -c 100\\n' >hook; sed -i \"s,tries,$PWD/tries,g\" "
                "hook; chmod +x hook;"
                "touch tries; git config --global uploadpack.packObjectsHook $PWD/hook");
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t version = walk(&mounted, "repo/1");
    assert_int_equal(look_up(&mounted, version, "file", &file), 0);
    assert_string_equal(output(*state, "grep -c try tries"), "2");
    mounted_close(&mounted);
}

/* What another worker fetched is damaged by now. */
static void test_a_version_that_is_damaged_in_the_cache_is_fetched_once_more(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    walk(&mounted, "repo/1/file");
    mounted_close(&mounted);
    damage_packs(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t version = walk(&mounted, "repo/1");
    assert_int_equal(look_up(&mounted, version, "file", &file), 0);
    assert_int_equal(atomic_load(&mounted.mount.state->fetches), 1);
    mounted_close(&mounted);
}

static void test_each_move_of_a_tag_is_told_once(void **state)
{
    struct mounted mounted;
    char path[100];
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t version = walk(&mounted, "repo/1");
    assert_int_equal(look_up(&mounted, version, "file", &file), 0);
    snprintf(path, sizeof path, "%s/mount.log", mounted.box->folder);
    assert_int_equal(log_open(&mounted.mount.log, LOG_LEVEL_WARNING, path, true), 0);
    struct log *log = mounted.mount.log;
    for (int move = 1; move <= 2; move++) {
        run(*state, "cd repo; git commit -q --allow-empty -m %d; git tag -f 1", move);
        for (int i = 0; i < 2; i++)
            list_again(&mounted);
        assert_int_equal(atoi(output(*state, "grep -c 'repo/1: the tag has moved' mount.log")),
                         move);
    }
    mounted_close(&mounted);
    log_close(log);
}

static void test_fetches_and_listings_are_counted(void **state)
{
    struct mounted mounted;
    uint64_t classes = 0;
    uint32_t file;

    make_repository(*state);
    run(*state, "printf '%%s\\n' ./repo?tag=1 ./repo?tag=none >some.list");
    mounted_open(&mounted, state, "./some.list");
    const struct state *counts = mounted.mount.state;
    walk(&mounted, ".startpointfs/sets/some/0/file");
    assert_int_equal(counts->fetches, 1);
    assert_int_equal(counts->fetches_failed, 0);
    assert_true(counts->bytes_fetched > 100);
    uint32_t none = walk(&mounted, ".startpointfs/sets/some/1");
    assert_int_equal(look_up(&mounted, none, "file", &file), -ENOENT);
    assert_int_equal(counts->fetches, 1);
    assert_int_equal(counts->fetches_failed, 1);
    for (int i = 0; i < FETCH_TIMES; i++)
        classes += counts->fetch_times[i];
    assert_int_equal(classes, 2);
    uint64_t listings = counts->listings;
    list_again(&mounted);
    assert_int_equal(counts->listings, listings + 1);
    mounted_close(&mounted);
}

/* As when there is no memory for its job: it is not for ever under way. */
static void test_what_cannot_be_queued_is_asked_for_again(void **state)
{
    struct mounted mounted;
    struct ask listing = {0}, fetch = {0};

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    struct repo_version *version = repo_version_get(repo, "1", NULL);
    atomic_store(&refused, 1);
    assert_int_equal(ask_listing(&mounted.mount, repo, &listing), -ENOMEM);
    assert_null(listing.work);
    assert_false(atomic_load(&repo->listing.running));
    atomic_store(&refused, 1);
    assert_int_equal(ask_version(&mounted.mount, version, &fetch), -ENOMEM);
    assert_false(atomic_load(&version->work.running) || version->queued || repo->fetch_queued);
    atomic_store(&refused, 1);
    ask_sources_later(&mounted.mount);
    assert_int_equal(atomic_load(&refused), 0);
    assert_int_equal(ask_listing(&mounted.mount, repo, &listing), -EAGAIN);
    assert_int_equal(ask_version(&mounted.mount, version, &fetch), -EAGAIN);
    wait_for_work(&mounted, &fetch);
    assert_int_equal(version->state, VERSION_READY);
    mounted_close(&mounted);
}

/* A thread for which there was no memory to have a connection. */
static void test_without_a_connection_jobs_fail(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    struct repo_version *version = repo_version_get(repo, "1", NULL);
    work_begin(&repo->listing);
    assert_true(refresh_run(&mounted.mount, repo, ASK_LISTING, NULL));
    assert_false(atomic_load(&repo->listing.running));
    assert_int_equal(repo_backoff(repo), -ENOMEM);
    repo_succeeded(repo);
    version->queued = true;
    work_begin(&version->work);
    assert_true(refresh_run(&mounted.mount, repo, ASK_VERSIONS, NULL));
    assert_false(atomic_load(&version->work.running) || version->queued);
    assert_int_equal(version->state, VERSION_FAILED);
    assert_int_equal(version->error.errnum, ENOMEM);
    assert_int_equal(repo_backoff(repo), -ENOMEM);
    assert_int_equal(mounted.mount.state->fetches, 0);
    assert_int_equal(mounted.mount.state->listings, 0);
    mounted_close(&mounted);
}

/* Who reads the mount has to know, so as to give up rights that the network does not need. */
static void count_begin(void *data)
{
    ++*(unsigned *)data;
}

static void test_each_job_is_told_before_it_begins(void **state)
{
    struct mounted mounted;
    unsigned begun = 0;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    settle(&mounted);
    mounted.mount.observer = (struct mount_observer){.fetch_begins = count_begin, .data = &begun};
    refresh_run(&mounted.mount, repo, ASK_LISTING, NULL);
    assert_int_equal(begun, 1);
    refresh_run(&mounted.mount, repo, ASK_VERSIONS, NULL);
    assert_int_equal(begun, 2);
    mounted_close(&mounted);
}

/* The one in the middle may have killed workers: what is fetched with it would be blamed, too. */
static void test_what_workers_may_have_died_of_is_fetched_alone(void **state)
{
    static const char *const names[] = {"1", "2", "release/3"};
    struct mounted mounted;
    struct remote *remote;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    struct crash_record *crashes = &mounted.mount.state->crashes;
    for (int death = 0; death < 2; death++) {
        crash_record_work(crashes, crash_record_key(repository_url(repo->repository), names[1]));
        crash_record_recover(crashes, false);
    }
    for (int i = 0; i < 3; i++) {
        struct repo_version *version = repo_version_get(repo, names[i], NULL);
        version->queued = true;
        work_begin(&version->work);
    }
    assert_int_equal(remote_new(&remote, &mounted.settings.remote, NULL), 0);
    refresh_run(&mounted.mount, repo, ASK_VERSIONS, remote);
    assert_int_equal(mounted.mount.state->fetches, 1);
    settle(&mounted);
    assert_int_equal(mounted.mount.state->fetches, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(repo_version_get(repo, names[i], NULL)->state, VERSION_READY);
    remote_free(remote);
    mounted_close(&mounted);
}

static void test_what_three_workers_died_of_is_not_fetched(void **state)
{
    struct mounted mounted;
    char path[100];
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    crash_record_condemn(&mounted.mount.state->crashes,
                         crash_record_key(repository_url(repo->repository), "1"));
    crash_record_condemn(&mounted.mount.state->crashes,
                         crash_record_key(repository_url(repo->repository), ""));
    snprintf(path, sizeof path, "%s/mount.log", mounted.box->folder);
    assert_int_equal(log_open(&mounted.mount.log, LOG_LEVEL_WARNING, path, true), 0);
    struct log *log = mounted.mount.log;
    uint32_t version = walk(&mounted, "repo/1");
    assert_int_equal(look_up(&mounted, version, "file", &file), -EIO);
    assert_int_equal(mounted.mount.state->fetches, 0);
    assert_string_equal(output(*state, "grep -c 'repo/1: 3 workers died of' mount.log"), "1");
    struct ask ask = {0};
    assert_int_equal(ask_listing(&mounted.mount, repo, &ask), -EAGAIN);
    wait_for_work(&mounted, &ask);
    assert_int_equal(mounted.mount.state->listings, 0);
    assert_int_equal(repo_backoff(repo), -EIO);
    mounted_close(&mounted);
    log_close(log);
}

/* However often a remote moves its tags. */
static void test_moves_that_were_told_are_bounded(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t version = walk(&mounted, "repo/1");
    assert_int_equal(look_up(&mounted, version, "file", &file), 0);
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    repo->moved_told = calloc(1000, sizeof *repo->moved_told);
    repo->moved_count = 1000;
    run(*state, "cd repo; git commit -q --allow-empty -m more; git tag -f 1");
    list_again(&mounted);
    assert_int_equal(repo->moved_count, 1);
    list_again(&mounted);
    assert_int_equal(repo->moved_count, 1);
    mounted_close(&mounted);
}

/* A list that names no version means the default branch, whichever that is. */
static void test_the_default_branch_is_followed(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    run(*state, "printf '%%s\\n' ./repo ./repo?tag=1 >some.list");
    mounted_open(&mounted, state, "./some.list");
    uint32_t branch = walk(&mounted, ".startpointfs/sets/some/0");
    uint32_t tag = walk(&mounted, ".startpointfs/sets/some/1");
    mounted.settings.refs_ttl = 0;
    /* What is not there yet is for who looks into it, and a tag stays what it is. */
    branch_follow(&mounted.mount, branch, &(struct ask){0});
    assert_int_equal(look_up(&mounted, tag, "file", &file), 0);
    uint64_t listings = mounted.mount.state->listings;
    branch_follow(&mounted.mount, tag, &(struct ask){0});
    settle(&mounted);
    assert_int_equal(mounted.mount.state->listings, listings);
    assert_int_equal(look_up(&mounted, branch, "file", &file), 0);
    run(*state, "cd repo; echo 3 >new; git add new; git commit -qm 3");
    branch_follow(&mounted.mount, branch, &(struct ask){0});
    settle(&mounted);
    assert_int_equal(look_up(&mounted, branch, "new", &file), 0);
    assert_int_equal(look_up(&mounted, tag, "new", &file), -ENOENT);
    mounted_close(&mounted);
}

/* It was in the cache when it was looked into: nobody has fetched it. */
static void test_a_branch_of_the_cache_is_followed(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=main");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    walk(&mounted, "repo/main/file");
    mounted_close(&mounted);
    mounted_open(&mounted, state, "./repo?tag=main");
    uint32_t branch = walk(&mounted, "repo/main");
    assert_int_equal(look_up(&mounted, branch, "file", &file), 0);
    assert_int_equal(mounted.mount.state->fetches, 0);
    run(*state, "cd repo; echo 3 >new; git add new; git commit -qm 3");
    list_again(&mounted);
    assert_int_equal(look_up(&mounted, branch, "new", &file), 0);
    /* What cannot be had now is what it was. */
    struct repo_version *version = namespace_version(&mounted.mount, branch);
    run(*state, "mv repo gone");
    ask_newest_later(&mounted.mount, version);
    settle(&mounted);
    assert_int_equal(version->state, VERSION_READY);
    assert_false(version->newest);
    assert_true(repo_backoff(version->repo) < 0);
    assert_int_equal(look_up(&mounted, branch, "new", &file), 0);
    mounted_close(&mounted);
}

/* Whether a number of a list may move is known once the remote has been listed. */
static void test_a_listing_tells_sets_what_is_a_branch(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    run(*state, "printf '%%s\\n' './repo?tag=main' './repo?tag=1' >some.list");
    mounted_open(&mounted, state, "./some.list");
    const struct nodes *nodes = mounted.mount.nodes;
    assert_false(node_get(nodes, walk(&mounted, ".startpointfs/sets/some/0"))->flags & NODE_BRANCH);
    list_again(&mounted);
    assert_true(node_get(nodes, walk(&mounted, ".startpointfs/sets/some/0"))->flags & NODE_BRANCH);
    assert_false(node_get(nodes, walk(&mounted, ".startpointfs/sets/some/1"))->flags & NODE_BRANCH);
    mounted_close(&mounted);
}

/* After its version was opened: whoever comes to it has it fetched, and sees nothing of it. */
static void test_a_folder_and_a_file_that_are_damaged_are_fetched_once_more(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file"), folder = walk(&mounted, "repo/1/folder");
    ((struct node *)node_get(mounted.mount.nodes, file))->size =
        77; /* as what was damaged told it */
    damage_packs(*state);
    assert_int_equal(open_folder(&mounted, folder), 0);
    assert_string_equal(listed(&mounted, folder), "file");
    assert_int_equal(atomic_load(&mounted.mount.state->fetches), 2);
    assert_int_equal(node_get(mounted.mount.nodes, file)->size, 2);
    /* A file's reader asks for it so. */
    damage_packs(*state);
    assert_int_equal(namespace_refetch(&mounted.mount, file, &ask), -EAGAIN);
    wait_for_work(&mounted, &ask);
    assert_int_equal(atomic_load(&mounted.mount.state->fetches), 3);
    assert_int_equal(namespace_refetch(&mounted.mount, file, &ask), -EIO); /* once a request */
    assert_int_equal(namespace_refetch(&mounted.mount, NODE_ROOT_INDEX, &(struct ask){0}), -EIO);
    mounted_close(&mounted);
}

/* No reading can be queued: who waits is told, and a branch that is not switched is in the log. */
static void test_readings_for_which_there_is_no_memory_are_not_for_ever(void **state)
{
    struct mounted mounted;
    struct version version;
    char path[100];
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=main");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    uint32_t branch = walk(&mounted, "repo/main"), tag = walk(&mounted, "repo/1");
    assert_int_equal(look_up(&mounted, branch, "file", &file), 0);
    struct repo_version *of = namespace_version(&mounted.mount, branch);
    assert_int_equal(versions_find(of->repo->repository, "main", NULL, &version, NULL), 0);
    snprintf(path, sizeof path, "%s/mount.log", mounted.box->folder);
    assert_int_equal(log_open(&mounted.mount.log, LOG_LEVEL_ERROR, path, true), 0);
    struct log *log = mounted.mount.log;
    atomic_store(&refused, 1); /* its job: what it was read with before is used again */
    readings_switch_later(&mounted.mount, branch, of, &version);
    assert_string_equal(output(*state, "grep -c 'repo/main: not switched: ' mount.log"), "1");
    struct ask ask = {0};
    atomic_store(&refused, 1);
    assert_int_equal(readings_open_version(&mounted.mount, tag, of, &version, &ask), -ENOMEM);
    assert_null(ask.work);
    assert_int_equal(readings_join(&mounted.mount, tag, &ask), 0); /* nobody reads it */
    assert_int_equal(readings_open_version(&mounted.mount, tag, of, &version, &ask), -EAGAIN);
    wait_for_work(&mounted, &ask);
    assert_int_equal(readings_open_version(&mounted.mount, tag, of, &version, &ask), 0);
    mounted_close(&mounted);
    log_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_room_is_made_for_what_is_fetched, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(
            test_a_folder_and_a_file_that_are_damaged_are_fetched_once_more, sandbox_open,
            sandbox_close),
        cmocka_unit_test_setup_teardown(test_readings_for_which_there_is_no_memory_are_not_for_ever,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_queued_is_asked_for_again, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_without_a_connection_jobs_fail, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_each_job_is_told_before_it_begins, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_workers_may_have_died_of_is_fetched_alone,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_three_workers_died_of_is_not_fetched,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_moves_that_were_told_are_bounded, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_the_default_branch_is_followed, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_branch_of_the_cache_is_followed, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_listing_tells_sets_what_is_a_branch, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_out_of_memory_is_not_for_ever, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_the_root_folder_lacks_is_said, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_all_that_a_list_names_is_fetched_before, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_branch_is_switched_while_its_folder_is_opened,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_each_move_of_a_tag_is_told_once, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_fetches_and_listings_are_counted, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_failure_makes_it_back_off, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_failure_is_warned_of_once_and_its_end_told,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(
            test_a_faulty_configuration_of_git_is_named_until_it_is_mended, sandbox_open,
            sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_damaged_answer_gets_one_more_try, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(
            test_a_version_that_is_damaged_in_the_cache_is_fetched_once_more, sandbox_open,
            sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
