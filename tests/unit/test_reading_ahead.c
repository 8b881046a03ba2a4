/* test_reading_ahead.c - after two misses in one list the rest of it is fetched: which misses count, and what is fetched. */
#include "fs/tree/readahead.h"
#include "tests/unit/mounted.h"

static struct log *lines;

static void make_tags(void **state)
{
    run_once(*state,
             "git init -q repo; cd repo; git config uploadpack.allowAnySHA1InWant true;"
             "for i in $(seq 0 9); do echo $i >file; git add .; git commit -qm $i; git tag t$i;"
             "done");
}

static void open_it(struct mounted *mounted, void **state, const char *source)
{
    mounted_open(mounted, state, source);
    mounted->mount.readahead = readahead_new();
    assert_non_null(mounted->mount.readahead);
    lines = mounted_log(mounted, LOG_LEVEL_INFO);
}

static void close_it(struct mounted *mounted)
{
    mounted_close(mounted);
    readahead_free(mounted->mount.readahead);
    log_close(lines);
}

/* What each of these is when a reader has looked into them, one after the other. */
static void look_into(struct mounted *mounted, const char *names)
{
    char copy[200], path[100], *rest = copy, *name;
    uint32_t node;

    snprintf(copy, sizeof copy, "%s", names);
    while ((name = strsep(&rest, " "))) {
        snprintf(path, sizeof path, "repo/%s", name);
        look_up(mounted, walk(mounted, path), "file", &node);
        settle(mounted);
    }
}

/* The tags that the cache has. */
static const char *cached(void **state)
{
    return output(*state,
                  "find cache -path '*/refs/tags/*' -printf '%%f\\n' | sort | tr '\\n' ' '");
}

static void which_misses_count(void **state)
{
    static const struct {
        const char *list, *looked_into, *cached;
    } rows[] = {
        {"./repo?tag=t0 ./repo?tag=t1 ./repo?tag=t2 ./repo?tag=t3", "t0", "t0 "},
        {"./repo?tag=t0 ./repo?tag=t1 ./repo?tag=t2 ./repo?tag=t3", "t0 t0", "t0 "},
        {"./repo?tag=t0 ./repo?tag=t1 ./repo?tag=t2 ./repo?tag=t3", "t1 t2", "t0 t1 t2 t3 "},
        {"./repo?tag=t0 ./repo?tag=t1 ./repo?tag=t2 ./repo?tag=t3", "t0 t8 t9", "t0 t8 t9 "},
        {"./repo?tag=t0 ./repo ./repo?tag=t2 ./repo?tag=t3", "t0 main", "t0 t2 t3 "},
        {"./repo?tag=t0 ./repo?tag=main ./repo?tag=t2", "t0 main", "t0 t2 "},
        {"./repo?tag=t0 ./repo?tag=none ./repo?tag=t2", "t0 t2", "t0 t2 "},
    };

    make_tags(state);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mounted mounted;
        run(*state, "rm -rf cache; printf '%%s\\n' %s >some.list", rows[i].list);
        open_it(&mounted, state, "./some.list");
        look_into(&mounted, rows[i].looked_into);
        assert_string_equal(cached(state), rows[i].cached);
        close_it(&mounted);
    }
}

static void two_misses_in_two_lists_are_none(void **state)
{
    struct mounted mounted;

    make_tags(state);
    run(*state, "mkdir lists; printf '%%s\\n' ./repo?tag=t0 ./repo?tag=t1 >lists/a.list;"
                "printf '%%s\\n' ./repo?tag=t4 ./repo?tag=t5 ./repo?tag=t6 >lists/b.list;"
                "sed -i s,[.]/,$PWD/, lists/*");
    open_it(&mounted, state, "lists");
    look_into(&mounted, "t0 t4");
    assert_string_equal(cached(state), "t0 t4 ");
    look_into(&mounted, "t5");
    assert_string_equal(cached(state), "t0 t4 t5 t6 ");
    assert_int_equal(atoi(output(*state, "grep -c 'b: two of its versions were asked for; fetching "
                                         "1 more ahead' said; true")),
                     1);
    close_it(&mounted);
}

/* Where the remote of one is gone, the other is the first. */
static void a_miss_that_failed_is_none(void **state)
{
    struct mounted mounted;
    uint32_t node;

    make_tags(state);
    run(*state, "git clone -q repo gone; printf '%%s\\n' ./gone?tag=t9 ./repo?tag=t0 ./repo?tag=t1 "
                "./repo?tag=t2 >some.list");
    open_it(&mounted, state, "./some.list");
    uint32_t version = walk(&mounted, "gone/t9");
    run(*state, "rm -rf gone");
    assert_true(look_up(&mounted, version, "file", &node) < 0);
    look_into(&mounted, "t0");
    assert_string_equal(cached(state), "t0 ");
    look_into(&mounted, "t1");
    assert_string_equal(cached(state), "t0 t1 t2 ");
    close_it(&mounted);
}

/* One that is not there is asked for each time that somebody looks. */
static void the_same_again_is_no_second(void **state)
{
    struct mounted mounted;
    uint32_t node;

    make_tags(state);
    run(*state, "printf '%%s\\n' ./repo?tag=none ./repo?tag=t0 >some.list");
    open_it(&mounted, state, "./some.list");
    uint32_t version = walk(&mounted, ".startpointfs/sets/some/0");
    for (int i = 0; i < 3; i++) {
        assert_true(look_up(&mounted, version, "file", &node) < 0);
        settle(&mounted);
        struct repo *repo = repos_at(&mounted.mount.repos, 0);
        for (struct repo_version *v = repo->versions; v; v = v->next)
            v->retry_at = 0;
    }
    assert_int_equal(mounted.mount.state->fetches_failed, 3);
    assert_string_equal(cached(state), "");
    close_it(&mounted);
}

/* A repository of the list, of which a version is planned. */
static struct repo *plan(struct mounted *mounted, const char *name)
{
    char url[100];

    snprintf(url, sizeof url, "%s/%s", mounted->box->folder, name);
    struct repo *repo = repos_find(&mounted->mount.repos, name, url);
    assert_non_null(repo);
    repo_version_get(repo, "t0", NULL)->ahead = true;
    return repo;
}

/* Takes what is planned, and gives it back: how many versions. */
static unsigned taken(struct mounted *mounted, struct repo *repo)
{
    unsigned count = 0;

    bool some = readahead_take(&mounted->mount, repo);
    assert_int_equal(repo->fetch_queued, some);
    for (struct repo_version *v = repo->versions; v; v = v->next) {
        assert_false(v->ahead);
        assert_int_equal(v->queued, atomic_load(&v->work.running));
        assert_int_equal(v->queued, v->state == VERSION_FETCHING);
        count += v->queued;
        v->queued = false;
        v->state = VERSION_LISTED;
        atomic_store(&v->work.running, false);
    }
    repo->fetch_queued = false;
    return count;
}

static void let_fail(struct mounted *mounted, struct repo *repo)
{
    struct error error = {0};

    error_set(&error, EIO, "damaged");
    repo_failed(repo, &error);
    readahead_ended(&mounted->mount, repo);
    repo->retry_at = 0; /* as after the back-off */
}

/* All are of one host. */
static void after_three_failures_a_host_is_left_alone(void **state)
{
    struct mounted mounted;

    make_tags(state);
    run(*state,
        "git clone -q repo second; printf '%%s\n' './repo?tag=t0' './second?tag=t0' >some.list");
    open_it(&mounted, state, "./some.list");
    struct repo *repo = plan(&mounted, "repo"), *second = plan(&mounted, "second");
    assert_int_equal(taken(&mounted, repo), 1);
    for (int i = 0; i < 2; i++)
        let_fail(&mounted, repo);
    readahead_ended(&mounted.mount, second); /* that was well: it begins anew */
    for (int i = 0; i < 3; i++) {
        plan(&mounted, "second");
        assert_int_equal(taken(&mounted, second), 1);
        let_fail(&mounted, repo);
    }
    plan(&mounted, "second");
    assert_int_equal(taken(&mounted, second), 0);
    repo_version_get(second, "t0", NULL)->ahead = true;
    readahead_ended(&mounted.mount, second);
    assert_int_equal(taken(&mounted, second), 1);
    close_it(&mounted);
}

/* What was planned and is not worth it any more: readers come first, and lists change. */
static void what_is_planned_is_looked_at_again(void **state)
{
    struct mounted mounted;
    struct source_list other = {0};
    struct error e;

    make_tags(state);
    run(*state,
        "git clone -q repo second; printf '%%s\n' './repo?tag=t0' './second?tag=t0' >some.list");
    open_it(&mounted, state, "./some.list");
    struct repo *repo = plan(&mounted, "repo");
    mounted.settings.offline = true;
    assert_int_equal(taken(&mounted, repo), 0);
    mounted.settings.offline = false;
    plan(&mounted, "repo");
    error_set(&e, EIO, "damaged");
    repo_failed(repo, &e); /* it backs off */
    assert_int_equal(taken(&mounted, repo), 0);
    repo_succeeded(repo);
    struct crash_record *crashes = &mounted.mount.state->crashes;
    uint64_t key = crash_record_key(repository_url(repo->repository), "t0");
    crash_record_condemn(crashes, key);
    plan(&mounted, "repo");
    assert_int_equal(taken(&mounted, repo), 0);
    crash_record_end(crashes, key);
    /* One that no source names. */
    repo_version_get(repo, "t5", NULL)->ahead = true;
    assert_int_equal(taken(&mounted, repo), 0);
    /* While readers wait for the repository nothing is taken, nor forgotten. */
    plan(&mounted, "repo");
    repo->fetch_running = true;
    assert_false(readahead_take(&mounted.mount, repo));
    repo->fetch_running = false;
    repo->fetch_queued = true;
    assert_false(readahead_take(&mounted.mount, repo));
    repo->fetch_queued = false;
    assert_int_equal(taken(&mounted, repo), 1);
    /* What the cache has by now. */
    look_into(&mounted, "t0");
    plan(&mounted, "repo");
    assert_false(readahead_take(&mounted.mount, repo));
    /* What no list names any more. */
    plan(&mounted, "second");
    assert_int_equal(source_list_add_source(&other, "./repo?tag=t0", mounted.box->folder, &e), 0);
    assert_int_equal(publish_sources(&mounted.mount, &other, &e), 0);
    struct repo *second = repos_at(&mounted.mount.repos, 1);
    assert_int_equal(taken(&mounted, second), 0);
    source_list_release(&other);
    close_it(&mounted);
}

/* Who wants another version of the repository waits for no more than these. */
static void sixteen_versions_are_taken_at_once(void **state)
{
    struct mounted mounted;
    char name[20];

    make_tags(state);
    run(*state, "for n in $(seq 20); do echo ./repo?tag=x$n; done >some.list");
    open_it(&mounted, state, "./some.list");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    for (int i = 1; i <= 20; i++) {
        snprintf(name, sizeof name, "x%d", i);
        repo_version_get(repo, name, NULL)->ahead = true;
    }
    assert_true(readahead_take(&mounted.mount, repo));
    unsigned queued = 0, ahead = 0;
    for (struct repo_version *v = repo->versions; v; v = v->next) {
        queued += v->queued;
        ahead += v->ahead;
        v->queued = v->ahead = false;
        atomic_store(&v->work.running, false);
    }
    assert_int_equal(queued, 16);
    assert_int_equal(ahead, 4);
    repo->fetch_queued = false;
    close_it(&mounted);
}

/* The rest of a list is planned once a minute. */
static void a_list_is_fetched_ahead_once_a_minute(void **state)
{
    struct mounted mounted;

    make_tags(state);
    run(*state, "printf './repo?tag=t%%s\n' 0 1 2 3 >some.list");
    open_it(&mounted, state, "./some.list");
    look_into(&mounted, "t0 t1");
    assert_string_equal(cached(state), "t0 t1 t2 t3 ");
    struct list_ahead *ahead = &mounted.mount.lists->first->ahead;
    assert_true(ahead->begun_at > 0);
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    readahead_missed(&mounted.mount, repo_version_get(repo, "t2", NULL));
    settle(&mounted);
    assert_null(ahead->missed); /* not looked at */
    ahead->begun_at -= 60000;
    readahead_missed(&mounted.mount, repo_version_get(repo, "t2", NULL));
    settle(&mounted);
    assert_ptr_equal(ahead->missed, repo_version_get(repo, "t2", NULL));
    close_it(&mounted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(which_misses_count),
        TEST(two_misses_in_two_lists_are_none),
        TEST(the_same_again_is_no_second),
        TEST(a_miss_that_failed_is_none),
        TEST(after_three_failures_a_host_is_left_alone),
        TEST(what_is_planned_is_looked_at_again),
        TEST(sixteen_versions_are_taken_at_once),
        TEST(a_list_is_fetched_ahead_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
