/* test_searches.c - commits that no listing shows: which histories are searched for them, how often, and how many at once. */
#include "fs/tree/searches.h"
#include "gitcache/fetch/commit_search.h"
#include "tests/unit/mounted.h"

#define SLOTS 16 /* that are looked for at once */

static _Thread_local bool no_memory; /* for the next that this thread asks for */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    bool fails = no_memory;

    no_memory = false;
    return fails ? NULL : __real_calloc(count, size);
}

/* How the next search of a history fails; 0: as it does. */
static atomic_int search_errno;
static atomic_uint histories_searched;

int __real_commit_search(struct repository *repository, struct remote *remote, const char *digits,
                         const struct commit_search_bounds *bounds, const struct watch *watch,
                         unsigned *packs, struct oid *out, struct error *e);
int __wrap_commit_search(struct repository *repository, struct remote *remote, const char *digits,
                         const struct commit_search_bounds *bounds, const struct watch *watch,
                         unsigned *packs, struct oid *out, struct error *e);
int __wrap_commit_search(struct repository *repository, struct remote *remote, const char *digits,
                         const struct commit_search_bounds *bounds, const struct watch *watch,
                         unsigned *packs, struct oid *out, struct error *e)
{
    int errnum = atomic_exchange(&search_errno, 0);

    histories_searched++;
    return errnum ? error_set(e, errnum, "not its history")
                  : __real_commit_search(repository, remote, digits, bounds, watch, packs, out, e);
}

static struct log *lines;
static char hidden[OID_HEX_SIZE]; /* a commit that only history has */

static void open_it(struct mounted *mounted, void **state, const char *source)
{
    mounted_open(mounted, state, source);
    lines = mounted_log(mounted, LOG_LEVEL_DEBUG);
}

static void close_it(struct mounted *mounted)
{
    mounted_close(mounted);
    log_close(lines);
    run(mounted->box, "rm -rf cache said");
}

static void make_history(void **state)
{
    make_repository(*state);
    run(*state, "cd repo; for n in 3 4; do echo $n >file; git commit -qam $n; done; git tag last");
    snprintf(hidden, sizeof hidden, "%s", output(*state, "git -C repo rev-parse last^"));
}

/* By its first digits: 0, or why it is not there. */
static int look_for(struct mounted *mounted, const char *digits, size_t length)
{
    char name[OID_HEX_SIZE];
    uint32_t node;

    snprintf(name, sizeof name, "%.*s", (int)length, digits);
    return look_up(mounted, walk(mounted, "repo"), name, &node);
}

static void a_commit_of_the_history_is_found(void **state)
{
    struct mounted mounted;

    make_history(state);
    open_it(&mounted, state, "./repo?tag=last");
    assert_int_equal(look_for(&mounted, hidden, 8), 0);
    assert_int_equal(said(state, "info.*fetched repo/"), 1);
    assert_true(mounted.mount.state->fetches > 0);
    assert_true(mounted.mount.state->bytes_fetched > 0);
    assert_int_equal(repo_backoff(repos_at(&mounted.mount.repos, 0)), 0);
    close_it(&mounted);
}

static void what_is_missing_is_searched_for_once_a_listing(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};

    make_history(state);
    open_it(&mounted, state, "./repo?tag=last");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    assert_int_equal(look_for(&mounted, "1234567", 7), -ENOENT);
    uint64_t fetches = mounted.mount.state->fetches;
    assert_true(fetches > 0);
    for (int i = 0; i < 2; i++) { /* the same listing once more is the same */
        assert_int_equal(searches_ask(&mounted.mount, repo, "1234567", &ask), -ENOENT);
        assert_int_equal(ask_listing(&mounted.mount, repo, &ask), -EAGAIN);
        wait_for_work(&mounted, &ask);
    }
    run(*state, "git -C repo tag another");
    assert_int_equal(ask_listing(&mounted.mount, repo, &ask), -EAGAIN);
    wait_for_work(&mounted, &ask);
    assert_int_equal(mounted.mount.state->fetches, fetches);
    assert_int_equal(look_for(&mounted, "1234567", 7), -ENOENT);
    assert_true(mounted.mount.state->fetches > fetches);
    close_it(&mounted);
}

/* A slot is another's only once it is done: all of the first are answered, and who finds none free waits. */
static void so_many_are_looked_for_at_once(void **state)
{
    struct mounted mounted;
    struct ask asks[SLOTS + 1] = {{0}};
    char digits[SLOTS + 1][10], spelled[20];

    make_history(state);
    open_it(&mounted, state, "./repo?tag=last");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    struct crash_record *crashes = &mounted.mount.state->crashes;
    walk(&mounted, "repo/last");
    for (int death = 0; death < 2; death++) { /* the first is on trial, and does not end now */
        crash_record_work(crashes, crash_record_key(repository_url(repo->repository), "abc0000"));
        crash_record_recover(crashes, false);
    }
    pthread_mutex_lock(&mounted.mount.fetch_trial);
    for (int i = 0; i <= SLOTS; i++) {
        snprintf(digits[i], sizeof digits[i], "abc%04d", i);
        assert_int_equal(searches_ask(&mounted.mount, repo, digits[i], &asks[i]), -EAGAIN);
        for (int j = 0; j < i && i < SLOTS; j++)
            assert_ptr_not_equal(asks[i].work, asks[j].work);
        assert_true(atomic_load(&asks[i].work->running));
        while (i == 0 && atomic_load(&asks[i].work->began_at) == 0)
            sched_yield();
    }
    for (int i = 0; i < SLOTS; i += 3) { /* one that is under way, and such that wait */
        struct ask same = {0};
        snprintf(spelled, sizeof spelled, "ABC%04d", i);
        assert_int_equal(searches_ask(&mounted.mount, repo, spelled, &same), -EAGAIN);
        assert_ptr_equal(same.work, asks[i].work);
        assert_true(i > 0 || atomic_load(&same.work->began_at) > 0); /* and goes on */
    }
    assert_int_equal(asks[SLOTS].version, 0); /* it has only waited */
    pthread_mutex_unlock(&mounted.mount.fetch_trial);
    settle(&mounted);
    for (int i = 0; i < SLOTS; i++) {
        assert_false(atomic_load(&asks[i].work->running));
        assert_int_equal(searches_ask(&mounted.mount, repo, digits[i], &asks[i]), -ENOENT);
    }
    assert_int_equal(searches_ask(&mounted.mount, repo, digits[SLOTS], &asks[SLOTS]), -EAGAIN);
    wait_for_work(&mounted, &asks[SLOTS]);
    assert_int_equal(searches_ask(&mounted.mount, repo, digits[SLOTS], &asks[SLOTS]), -ENOENT);
    /* Eight in a row have been searched for; of the others it is not known that they are missing. */
    assert_int_equal(said(state, "too many lookups of commits"), SLOTS + 1 - 8);
    struct ask later = {0};
    assert_int_equal(searches_ask(&mounted.mount, repo, digits[0], &later), -ENOENT);
    assert_int_equal(searches_ask(&mounted.mount, repo, digits[SLOTS], &later), -EAGAIN);
    wait_for_work(&mounted, &later);
    /* The place of the one that was done first is another's: of the second, as the first's has been used again. */
    struct ask next = {0};
    assert_int_equal(searches_ask(&mounted.mount, repo, "abd0000", &next), -EAGAIN);
    assert_ptr_equal(next.work, asks[1].work);
    wait_for_work(&mounted, &next);
    close_it(&mounted);
}

/* While it backs off, and offline, nobody is asked. */
static void a_remote_that_is_gone_is_not_searched(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};

    make_history(state);
    open_it(&mounted, state, "./repo?tag=last");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    mounted.settings.offline = true;
    assert_int_equal(searches_ask(&mounted.mount, repo, "1234567", &ask), -EHOSTUNREACH);
    mounted.settings.offline = false;
    run(*state, "mv repo gone");
    assert_int_equal(searches_ask(&mounted.mount, repo, "1234567", &ask), -EAGAIN);
    wait_for_work(&mounted, &ask);
    int r = repo_backoff(repo);
    assert_true(r < 0);
    assert_int_equal(said(state, "warning.*repo: "), 1);
    assert_int_equal(searches_ask(&mounted.mount, repo, "7654321", &(struct ask){0}), r);
    repo_succeeded(repo);
    assert_int_equal(searches_ask(&mounted.mount, repo, "1234567", &ask), r); /* it was for him */
    run(*state, "mv gone repo");
    struct ask other = {0};
    assert_int_equal(searches_ask(&mounted.mount, repo, "1234567", &other), -EAGAIN);
    wait_for_work(&mounted, &other);
    assert_int_equal(searches_ask(&mounted.mount, repo, "1234567", &other), -ENOENT);
    close_it(&mounted);
}

/* One that gives no history without files, and one whose history is too long: that is no failure of the remote. */
static void what_is_not_searched_for_is_missing(void **state)
{
    static const int errors[] = {EOPNOTSUPP, EFBIG};
    static const char *const digits[] = {"1234567", "7654321"};
    struct mounted mounted;

    make_history(state);
    open_it(&mounted, state, "./repo?tag=last");
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        histories_searched = 0;
        search_errno = errors[i];
        assert_int_equal(look_for(&mounted, digits[i], 7), -ENOENT);
        assert_int_equal(histories_searched, 1);
        assert_int_equal(look_for(&mounted, digits[i], 7), -ENOENT); /* remembered */
        assert_int_equal(histories_searched, 1);
        assert_int_equal(repo_backoff(repos_at(&mounted.mount.repos, 0)), 0);
        assert_int_equal(said(state, "is not searched for in the history: not its history"), i + 1);
    }
    close_it(&mounted);
}

/* Its server gives by id only what a ref names, and the list says which commit it means. */
static void what_a_list_names_and_nobody_has_is_missing(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_history(state);
    run(*state, "printf '%%s\\n' 1234567@./repo >some.list");
    open_it(&mounted, state, "./some.list");
    uint32_t version = walk(&mounted, ".startpointfs/sets/some/0");
    for (int i = 0; i < 2; i++) {
        uint64_t fetches = mounted.mount.state->fetches;
        assert_int_equal(look_up(&mounted, version, "file", &file), -ENOENT);
        assert_int_equal(mounted.mount.state->fetches > fetches, i == 0); /* remembered */
        repos_at(&mounted.mount.repos, 0)->versions->retry_at = 0;
    }
    assert_int_equal(said(state, "the search is repeated when the listing changes"), 1);
    close_it(&mounted);
}

/* A thread for which there was no memory to have a connection: who waits for the search is told. */
static void without_a_connection_a_search_fails(void **state)
{
    struct mounted mounted;
    struct ask held = {0}, ask = {0};

    make_history(state);
    open_it(&mounted, state, "./repo?tag=last");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    struct crash_record *crashes = &mounted.mount.state->crashes;
    walk(&mounted, "repo/last");
    for (int death = 0; death < 2; death++) {
        crash_record_work(crashes, crash_record_key(repository_url(repo->repository), "abc0000"));
        crash_record_recover(crashes, false);
    }
    pthread_mutex_lock(&mounted.mount.fetch_trial);
    assert_int_equal(searches_ask(&mounted.mount, repo, "abc0000", &held), -EAGAIN);
    while (atomic_load(&held.work->began_at) == 0)
        sched_yield();
    assert_int_equal(searches_ask(&mounted.mount, repo, "abc0001", &ask), -EAGAIN);
    searches_run(&mounted.mount, repo, NULL);
    assert_int_equal(searches_ask(&mounted.mount, repo, "abc0001", &ask), -ENOMEM);
    pthread_mutex_unlock(&mounted.mount.fetch_trial);
    settle(&mounted);
    close_it(&mounted);
}

/* What nobody can look for fails, also where a list names it, and is looked for again later. */
static void without_memory_nobody_waits_for_a_search(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_history(state);
    run(*state, "printf '%%s\\n' %.8s@./repo >some.list", hidden);
    open_it(&mounted, state, "./some.list");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    assert_int_equal(look_for(&mounted, "1234567", 7), -ENOENT);
    uint32_t number = walk(&mounted, ".startpointfs/sets/some/0");
    struct repo_version *version = repo->versions;
    while (strncmp(version->name, hidden, 8) != 0)
        version = version->next;
    work_begin(&version->work); /* as if it had been fetched in vain */
    version->state = VERSION_FETCHING;
    version->searching = no_memory = true;
    searches_run(&mounted.mount, repo, NULL);
    assert_false(no_memory);
    assert_false(version->searching);
    assert_false(atomic_load(&version->work.running));
    assert_int_equal(version->state, VERSION_FAILED);
    assert_int_equal(look_up(&mounted, number, "file", &file), -ENOMEM);
    assert_int_equal(said(state, "cannot be searched for: Cannot allocate memory"), 1);
    version->retry_at = 0;
    assert_int_equal(look_up(&mounted, number, "file", &file), 0);
    close_it(&mounted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(a_commit_of_the_history_is_found),
        TEST(what_is_missing_is_searched_for_once_a_listing),
        TEST(so_many_are_looked_for_at_once),
        TEST(a_remote_that_is_gone_is_not_searched),
        TEST(without_a_connection_a_search_fails),
        TEST(what_is_not_searched_for_is_missing),
        TEST(what_a_list_names_and_nobody_has_is_missing),
        TEST(without_memory_nobody_waits_for_a_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
