/* test_reading_ahead.c - after two misses in one list the rest of it is fetched: which misses count, and what is fetched. */
#include "fs/tree/readahead.h"
#include "tests/unit/mounted.h"

static struct log *lines;

static void make_tags(void **state)
{
    run(*state, "git init -q repo; cd repo; git config uploadpack.allowAnySHA1InWant true;"
                "for i in $(seq 0 9); do echo $i >file; git add .; git commit -qm $i; git tag t$i;"
                "done");
}

static void open_it(struct mounted *mounted, void **state, const char *source)
{
    char path[100];

    mounted_open(mounted, state, source);
    mounted->mount.readahead = readahead_new();
    assert_non_null(mounted->mount.readahead);
    snprintf(path, sizeof path, "%s/said", mounted->box->folder);
    assert_int_equal(log_open(&lines, LOG_LEVEL_INFO, path, 1), 0);
    mounted->mount.log = lines;
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(which_misses_count),
        TEST(two_misses_in_two_lists_are_none),
        TEST(the_same_again_is_no_second),
        TEST(a_miss_that_failed_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
