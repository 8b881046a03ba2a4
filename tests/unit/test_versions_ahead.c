#include "fs/tree/repos.h"
#include "fs/tree/versions_ahead.h"
#include "gitcache/store/repository_state.h"
#include "tests/unit/mounted.h"

#define VERSIONS 40

/* A list of many tags; the cache has those before `cached`. Leaves a mount that has looked into none. */
static uint32_t begin(struct mounted *mounted, void **state, unsigned cached)
{
    char path[40];

    run(*state,
        "git init -q repo; cd repo; echo x >file; git add .; git commit -qm 1; cd ..;"
        "head=$(git -C repo rev-parse HEAD); for n in $(seq 0 %d); do echo create refs/tags/$n "
        "$head >&3;"
        "echo $PWD/repo?tag=$n >>pp.list; done 3>tags; git -C repo update-ref --stdin <tags",
        VERSIONS - 1);
    mounted_open(mounted, state, "./pp.list");
    for (unsigned i = 0; i < cached; i++) {
        snprintf(path, sizeof path, "repo/%u/file", i);
        walk(mounted, path);
    }
    settle(mounted);
    mounted_close(mounted);
    mounted_open(mounted, state, "./pp.list");
    return walk(mounted, ".startpointfs/sets/pp");
}

static uint32_t version(struct mounted *mounted, uint32_t set, unsigned number)
{
    char name[12];
    uint32_t node;

    snprintf(name, sizeof name, "%u", number);
    assert_int_equal(look_up(mounted, set, name, &node), 0);
    return node;
}

static unsigned count_open(struct mounted *mounted, uint32_t set)
{
    unsigned count = 0;
    uint32_t checkout;

    settle(mounted);
    for (unsigned i = 0; i < VERSIONS; i++)
        count += node_checkout(mounted->mount.nodes, version(mounted, set, i), &checkout) == 0;
    return count;
}

static void look_into(struct mounted *mounted, uint32_t set, unsigned number)
{
    assert_int_equal(open_folder(mounted, version(mounted, set, number)), 0);
}

static void test_the_next_ones_are_open(void **state)
{
    struct mounted mounted;
    uint32_t set = begin(&mounted, state, VERSIONS);

    look_into(&mounted, set, 3);
    assert_int_equal(count_open(&mounted, set), 1);
    look_into(&mounted, set, 8);
    assert_int_equal(count_open(&mounted, set), 2);
    look_into(&mounted, set, 9);
    assert_int_equal(count_open(&mounted, set), 3 + 16);
    for (unsigned i = 10; i < 18; i++) /* while there are more than eight */
        look_into(&mounted, set, i);
    assert_int_equal(count_open(&mounted, set), 3 + 16);
    look_into(&mounted, set, 18);
    assert_int_equal(count_open(&mounted, set), 3 + 16 + 9);
    for (unsigned i = 19; i < VERSIONS; i++)
        look_into(&mounted, set, i);
    assert_int_equal(count_open(&mounted, set), 1 + VERSIONS - 8);
    mounted_close(&mounted);
}

static void test_what_is_not_cached_is_not_fetched(void **state)
{
    struct mounted mounted;
    uint32_t set = begin(&mounted, state, 5);
    char path[100];

    snprintf(path, sizeof path, "%s/said", mounted.box->folder);
    assert_int_equal(log_open(&mounted.mount.log, LOG_LEVEL_WARNING, path, 1), 0);
    struct log *log = mounted.mount.log;
    look_into(&mounted, set, 0);
    look_into(&mounted, set, 1);
    look_into(&mounted, set, 2);
    assert_int_equal(count_open(&mounted, set), 5);
    /* That it was not there is no failure for who comes to it. */
    assert_int_equal(mounted.mount.state->fetches, 0);
    look_into(&mounted, set, 5);
    assert_int_equal(mounted.mount.state->fetches, 1);
    mounted_close(&mounted);
    log_close(log);
    assert_string_equal(output(*state, "cat said"), "");
}

/* What there is of them is looked up where they are read, with the disk's patience, and not where the request is. */
static void test_who_looks_waits_for_none_of_them(void **state)
{
    struct mounted mounted;
    uint32_t set = begin(&mounted, state, VERSIONS);
    uint32_t next = version(&mounted, set, 9);
    struct repo *repo = repos_of_node(&mounted.mount.repos, next);

    look_into(&mounted, set, 8);
    assert_int_equal(count_open(&mounted, set), 1);
    alarm(20); /* it would wait for ever */
    pthread_mutex_lock(&repo->repository->record_lock);
    versions_ahead_note(&mounted.mount, next);
    pthread_mutex_unlock(&repo->repository->record_lock);
    alarm(0);
    assert_int_equal(count_open(&mounted, set), 1 + 16);
    mounted_close(&mounted);
}

/* Who comes to one that is just being read ahead waits for that. */
static void test_a_reader_joins(void **state)
{
    struct mounted mounted;
    uint32_t set = begin(&mounted, state, VERSIONS);
    uint32_t next = version(&mounted, set, 9), later = version(&mounted, set, 12);
    struct repo *repo = repos_of_node(&mounted.mount.repos, next);
    struct ask ask = {0};

    look_into(&mounted, set, 8);
    alarm(20);
    pthread_mutex_lock(&repo->repository->record_lock);
    versions_ahead_note(&mounted.mount, next);
    assert_int_equal(namespace_open_folder(&mounted.mount, later, &ask), -EAGAIN);
    assert_non_null(ask.work);
    pthread_mutex_unlock(&repo->repository->record_lock);
    alarm(0);
    assert_int_equal(open_folder(&mounted, later), 0);
    mounted_close(&mounted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_next_ones_are_open, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_not_cached_is_not_fetched, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_who_looks_waits_for_none_of_them, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_reader_joins, sandbox_open, sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
