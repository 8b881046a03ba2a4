/* test_ask.c - asking for a listing or a version: who asks for the same meanwhile waits with the others, and who gets an answer
 * without anybody being asked. */
#include "fs/tree/ask.h"
#include "fs/tree/lists_reload.h"
#include "fs/tree/searches.h"
#include "tests/unit/mounted.h"

static _Thread_local bool no_memory; /* for the next copy of a text */

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    bool fails = no_memory;

    no_memory = false;
    return fails ? NULL : __real_strdup(text);
}

static void open_it(struct mounted *mounted, void **state, const char *source)
{
    make_repository(*state);
    mounted_open(mounted, state, source);
}

static struct repo *first_repo(struct mounted *mounted)
{
    return repos_at(&mounted->mount.repos, 0);
}

/* Two workers may have died of it: nobody else's trial is over before the test says so. "" is the listing. */
static void begin_trial(struct mounted *mounted, const char *version)
{
    struct crash_record *crashes = &mounted->mount.state->crashes;
    const char *url = repository_url(first_repo(mounted)->repository);

    for (int death = 0; death < 2; death++) {
        crash_record_work(crashes, crash_record_key(url, version));
        crash_record_recover(crashes, false);
    }
    pthread_mutex_lock(&mounted->mount.fetch_trial);
}

static void end_trial(struct mounted *mounted)
{
    pthread_mutex_unlock(&mounted->mount.fetch_trial);
    settle(mounted);
}

static void a_listing_is_asked_for_once_for_all(void **state)
{
    struct mounted mounted;
    struct ask first = {0}, second = {0};

    open_it(&mounted, state, "./repo?tag=1");
    struct repo *repo = first_repo(&mounted);
    begin_trial(&mounted, "");
    assert_int_equal(ask_listing(&mounted.mount, repo, &first), -EAGAIN);
    assert_ptr_equal(first.work, &repo->listing);
    assert_true(atomic_load(&repo->listing.running));
    assert_int_equal(ask_listing(&mounted.mount, repo, &second), -EAGAIN);
    assert_ptr_equal(second.work, first.work);
    end_trial(&mounted);
    assert_false(atomic_load(&repo->listing.running));
    assert_int_equal(mounted.mount.state->listings, 1);
    mounted_close(&mounted);
}

static void a_version_is_asked_for_once_for_all(void **state)
{
    struct mounted mounted;
    struct ask first = {0}, second = {0};

    open_it(&mounted, state, "./repo?tag=1");
    struct repo_version *version = repo_version_get(first_repo(&mounted), "1", NULL);
    begin_trial(&mounted, "1");
    assert_int_equal(ask_version(&mounted.mount, version, &first), -EAGAIN);
    assert_ptr_equal(first.work, &version->work);
    assert_true(atomic_load(&version->work.running));
    assert_int_equal(version->state, VERSION_FETCHING);
    assert_int_equal(ask_version(&mounted.mount, version, &second), -EAGAIN);
    end_trial(&mounted);
    assert_false(atomic_load(&version->work.running));
    assert_int_equal(version->state, VERSION_READY);
    assert_int_equal(mounted.mount.state->fetches, 1);
    mounted_close(&mounted);
}

static void list(struct mounted *mounted, struct repo *repo)
{
    struct ask ask = {0};

    assert_int_equal(ask_listing(&mounted->mount, repo, &ask), -EAGAIN);
    while (atomic_load(&ask.work->running))
        sched_yield();
}

/* What is asked for while a repository's batch is fetched waits for the next one, and is fetched with all that has come. */
static void what_comes_meanwhile_is_fetched_together(void **state)
{
    struct mounted mounted;
    struct ask asks[3] = {{0}};

    open_it(&mounted, state, "./repo?tag=1");
    struct repo *repo = first_repo(&mounted);
    begin_trial(&mounted, "1");
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"1", "2", "release/3"};
        struct repo_version *version = repo_version_get(repo, names[i], NULL);
        assert_int_equal(ask_version(&mounted.mount, version, &asks[i]), -EAGAIN);
        for (bool begun = false; i == 0 && !begun; sched_yield()) {
            pthread_mutex_lock(&repo->lock);
            begun = repo->fetch_running;
            pthread_mutex_unlock(&repo->lock);
        }
        if (i == 1)
            list(&mounted, repo); /* other threads have time for it */
    }
    end_trial(&mounted);
    assert_false(repo->fetch_queued || repo->fetch_running);
    assert_int_equal(mounted.mount.state->fetches, 2);
    for (int i = 0; i < 3; i++)
        assert_false(atomic_load(&asks[i].work->running));
    mounted_close(&mounted);
}

static void a_failure_is_answered_again_for_a_second(void **state)
{
    struct mounted mounted;
    struct ask first = {0}, second = {0}, third = {0};
    char path[100];

    open_it(&mounted, state, "./repo?tag=1");
    snprintf(path, sizeof path, "%s/said", mounted.box->folder);
    assert_int_equal(log_open(&mounted.mount.log, LOG_LEVEL_INFO, path, true), 0);
    struct log *log = mounted.mount.log;
    struct repo_version *version = repo_version_get(first_repo(&mounted), "none", NULL);
    assert_int_equal(ask_version(&mounted.mount, version, &first), -EAGAIN);
    wait_for_work(&mounted, &first);
    assert_int_equal(repo_backoff(first_repo(&mounted)), 0); /* the remote is well */
    assert_int_equal(ask_version(&mounted.mount, version, &second), -ENOENT);
    assert_null(second.work);
    version->retry_at -= 1000; /* time passes */
    assert_int_equal(ask_version(&mounted.mount, version, &first),
                     -ENOENT); /* who has asked already */
    assert_int_equal(ask_version(&mounted.mount, version, &third), -EAGAIN);
    wait_for_work(&mounted, &third);
    mounted_close(&mounted);
    log_close(log);
    assert_string_equal(output(*state, "grep -c 'info.*repo/none: ' said"), "2"); /* no warning */
}

/* Whatever keeps it from being mended: what its reader has to know is that it is damaged. */
static void what_is_damaged_and_cannot_be_fetched_is_eio(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};

    open_it(&mounted, state, "./repo?tag=1");
    struct repo_version *version = repo_version_get(first_repo(&mounted), "1", NULL);
    mounted.settings.offline = true;
    assert_int_equal(ask_damaged(&mounted.mount, version, &ask), -EIO);
    assert_null(ask.work);
    mounted.settings.offline = false;
    assert_int_equal(ask_damaged(&mounted.mount, version, &ask), -EIO); /* once a request */
    assert_null(ask.work);
    mounted_close(&mounted);
}

static void what_is_damaged_is_looked_at_and_read_meanwhile(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};

    open_it(&mounted, state, "./repo?tag=1");
    walk(&mounted, "repo/1/file");
    struct repo *repo = first_repo(&mounted);
    struct repo_version *version = repo_version_get(repo, "1", NULL);
    assert_int_equal(ask_damaged(&mounted.mount, version, &ask), -EAGAIN);
    pthread_mutex_lock(&repo->lock);
    assert_int_equal(version->state, VERSION_READY); /* what is whole of it is read meanwhile */
    pthread_mutex_unlock(&repo->lock);
    wait_for_work(&mounted, &ask);
    assert_false(version->again); /* the next time it is as any other */
    mounted_close(&mounted);
}

/* An indexer, say, whose name no_fetch_for= has. */
static void nothing_is_fetched_for_who_was_not_asked_to_read(void **state)
{
    struct mounted mounted;
    const struct ask unasked = {.is_judged = true, .is_unasked = true};
    struct ask ask;

    open_it(&mounted, state, "./repo?tag=1");
    struct repo *repo = first_repo(&mounted);
    struct repo_version *version = repo_version_get(repo, "1", NULL);
    ask = unasked;
    assert_int_equal(ask_listing(&mounted.mount, repo, &ask), -EACCES);
    ask_listing_later(&mounted.mount, repo, &ask);
    assert_int_equal(ask_version(&mounted.mount, version, &ask), -EACCES);
    assert_int_equal(ask_damaged(&mounted.mount, version, &ask), -EIO);
    assert_int_equal(searches_ask(&mounted.mount, repo, "1234567", &ask), -EACCES);
    assert_null(ask.work);
    settle(&mounted);
    assert_int_equal(mounted.mount.state->listings, 0);
    assert_int_equal(mounted.mount.state->fetches, 0);
    mounted_close(&mounted);
}

/* As with prefetch, when a mount begins and when its lists change. */
static void what_sources_name_is_fetched_before_anybody_reads(void **state)
{
    struct mounted mounted;
    struct version version;

    make_repository(*state);
    run(*state, "git clone -q repo second; printf '%%s\\n' './repo?tag=1' './repo?tag=none' "
                "'./second?tag=2' >some.list");
    mounted_open(&mounted, state, "./some.list");
    for (int i = 0; i < 2; i++) { /* what is there is not fetched again */
        ask_sources_later(&mounted.mount);
        settle(&mounted);
        assert_int_equal(mounted.mount.state->fetches, 2);
    }
    struct repo *repo = first_repo(&mounted), *second = repos_at(&mounted.mount.repos, 1);
    assert_int_equal(versions_find(repo->repository, "1", NULL, &version, NULL), 0);
    assert_int_equal(versions_find(repo->repository, "2", NULL, &version, NULL), -ENOENT);
    assert_int_equal(versions_find(second->repository, "2", NULL, &version, NULL), 0);
    mounted_close(&mounted);
}

/* As the worker before has left it: nobody has to read it first. */
static void what_is_damaged_is_fetched_before_anybody_reads(void **state)
{
    struct mounted mounted;
    struct version version;

    open_it(&mounted, state, "./repo?tag=1");
    walk(&mounted, "repo/1/file");
    mounted_close(&mounted);
    damage_packs(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repository *repository = first_repo(&mounted)->repository;
    assert_int_equal(versions_find(repository, "1", NULL, &version, NULL), -EIO);
    ask_sources_later(&mounted.mount);
    settle(&mounted);
    assert_int_equal(mounted.mount.state->fetches, 1);
    assert_int_equal(versions_find(repository, "1", NULL, &version, NULL), 0);
    mounted_close(&mounted);
}

static void a_source_without_memory_is_not_fetched_ahead(void **state)
{
    struct mounted mounted;

    open_it(&mounted, state, "./repo?tag=1");
    for (int i = 0; i < 2; i++) { /* once */
        no_memory = i == 0;
        ask_sources_later(&mounted.mount);
        assert_false(no_memory);
        settle(&mounted);
        assert_int_equal(mounted.mount.state->fetches, i);
    }
    mounted_close(&mounted);
}

/* With prefetch, what a changed list names is fetched; without, when somebody reads it. */
static void a_changed_list_is_fetched_with_prefetch(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    run(*state, "echo ./repo?tag=1 >some.list");
    mounted_open(&mounted, state, "./some.list");
    for (int prefetch = 0; prefetch < 2; prefetch++) {
        mounted.settings.prefetch = prefetch;
        run(*state, "echo ./repo?tag=%s >some.list", prefetch ? "2" : "release/3");
        assert_int_equal(lists_reload(&mounted.mount), 0);
        settle(&mounted);
        assert_int_equal(mounted.mount.state->fetches, prefetch);
    }
    mounted_close(&mounted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(a_listing_is_asked_for_once_for_all),
        TEST(a_version_is_asked_for_once_for_all),
        TEST(what_comes_meanwhile_is_fetched_together),
        TEST(a_failure_is_answered_again_for_a_second),
        TEST(what_is_damaged_and_cannot_be_fetched_is_eio),
        TEST(what_is_damaged_is_looked_at_and_read_meanwhile),
        TEST(nothing_is_fetched_for_who_was_not_asked_to_read),
        TEST(what_sources_name_is_fetched_before_anybody_reads),
        TEST(what_is_damaged_is_fetched_before_anybody_reads),
        TEST(a_source_without_memory_is_not_fetched_ahead),
        TEST(a_changed_list_is_fetched_with_prefetch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
