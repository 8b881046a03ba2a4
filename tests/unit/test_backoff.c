/* After a failure a repository is left alone for 1 s, doubling to 60 s; what goes on is news once. */
#include "fs/tree/repo.h"
#include "gitcache/base/library.h"
#include "tests/unit/clock_of_test.h"
#include "tests/unit/sandbox.h"

static struct cache *cache;
static struct repo *repo;

static int open_repo(void **state)
{
    char folder[100];
    struct error e;

    if (sandbox_open(state) < 0 || library_open(&e) < 0)
        return -1;
    snprintf(folder, sizeof folder, "%s/cache", ((struct sandbox *)*state)->folder);
    if (cache_open(&cache, folder, false, &e) < 0)
        return -1;
    return repo_new(&repo, cache, "x", "https://h/x", 1, &e);
}

static int close_repo(void **state)
{
    repo_free(repo);
    cache_close(cache);
    library_close();
    return sandbox_close(state);
}

static bool fail_with(int errnum, const char *sentence)
{
    struct error e = {0};

    error_set(&e, errnum, "%s", sentence);
    return repo_failed(repo, &e);
}

/* For how many milliseconds it is left alone from now on, and with which errno. */
static int64_t left_alone(int errnum)
{
    int64_t begun = test_now, pause;

    while (repo_backoff(repo) != 0) {
        assert_int_equal(repo_backoff(repo), -errnum);
        test_now += 100;
    }
    pause = test_now - begun;
    test_now = begun;
    return pause;
}

static void test_it_doubles_up_to_a_minute(void **state)
{
    static const int64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

    (void)state;
    assert_int_equal(repo_backoff(repo), 0);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        fail_with(ECONNREFUSED, "refused");
        assert_int_equal(left_alone(ECONNREFUSED), pauses[i]);
        test_now += pauses[i];
    }
    for (int i = 0; i < 100; i++)
        fail_with(ECONNREFUSED, "refused");
    assert_int_equal(left_alone(ECONNREFUSED), 60000);
}

static void test_a_success_ends_it(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        fail_with(EIO, "damaged");
    assert_true(repo_succeeded(repo));
    assert_false(repo_succeeded(repo));
    assert_int_equal(repo_backoff(repo), 0);
    fail_with(EIO, "damaged");
    assert_int_equal(left_alone(EIO), 1000);
}

static void test_what_goes_on_is_news_once(void **state)
{
    (void)state;
    assert_true(fail_with(EIO, "damaged"));
    assert_false(fail_with(EIO, "damaged"));
    assert_false(fail_with(EIO, "damaged"));
    assert_true(fail_with(EACCES, "refused"));
    assert_int_equal(left_alone(EACCES), 8000);
    repo_succeeded(repo);
    assert_true(fail_with(EACCES, "refused"));
}

/* A source, as a list says it. */
static void say(const char *text)
{
    struct source source;
    struct error e;

    assert_int_equal(source_parse(&source, text, "/", &e), 0);
    assert_int_equal(repo_add_source(repo, &source), 0);
    source_release(&source);
}

#define A "1111111111111111111111111111111111111111"
#define B "2222222222222222222222222222222222222222"

/* What is pinned by all that name it, to the same. */
static void test_a_pin_is_what_all_sources_say(void **state)
{
    static const struct {
        const char *sources[3], *pin;
    } rows[] = {
        {{"https://h/x?tag=1&commit=" A, "https://h/x?tag=2&commit=" B}, A},
        {{"https://h/x?tag=1&commit=" A, "https://h/x?tag=1&commit=" A}, A},
        {{"https://h/x?tag=1&commit=" A, "https://h/x?tag=1&commit=" B}, NULL},
        {{"https://h/x?tag=1&commit=" A, "https://h/x?tag=1"}, NULL},
        {{"https://h/x?tag=1", "https://h/x?tag=1&commit=" A}, NULL},
        {{"https://h/x?tag=1"}, NULL},
        {{"https://h/x?tag=2&commit=" A}, NULL},
        {{A "@https://h/x"}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t j = 0; j < 3 && rows[i].sources[j]; j++)
            say(rows[i].sources[j]);
        const char *pin = repo_version_named(repo, "1")->commit;
        assert_true(!pin == !rows[i].pin);
        if (pin)
            assert_string_equal(pin, rows[i].pin);
        repo_forget_sources(repo);
        assert_int_equal(repo->source_count, 0);
    }
}

static void test_what_is_said_twice_is_one(void **state)
{
    static const char *const texts[] = {"https://h/x", "https://h/x?tag=1", "https://h/x?tag=2",
                                        "https://h/x?tag=1&commit=" A,
                                        "https://h/x?tag=1&commit=" B};

    (void)state;
    for (int times = 0; times < 2; times++)
        for (size_t i = 0; i < 5; i++) {
            say(texts[i]);
            assert_int_equal(repo->source_count, times ? 5 : i + 1);
        }
}

static bool is_even(void *data, uint32_t node)
{
    ++*(unsigned *)data;
    return node % 2 == 0;
}

static void test_a_version_knows_its_nodes(void **state)
{
    struct repo_version *one = repo_version_get(repo, "1", NULL),
                        *two = repo_version_get(repo, "2", NULL);
    unsigned asked = 0;
    size_t count;

    (void)state;
    for (uint32_t node = 10; node < 20; node++)
        for (int times = 0; times < 2; times++)
            assert_int_equal(repo_version_add_node(node < 15 ? one : two, node), 0);
    assert_ptr_equal(repo_version_of_node(repo, 14), one);
    assert_ptr_equal(repo_version_of_node(repo, 15), two);
    assert_null(repo_version_of_node(repo, 20));
    repo_forget_nodes(repo, is_even, &asked);
    assert_int_equal(asked, 10);
    assert_null(repo_version_of_node(repo, 14));
    uint32_t *nodes = repo_version_nodes(one, &count);
    assert_int_equal(count, 2);
    assert_int_equal(nodes[0], 11);
    assert_int_equal(nodes[1], 13);
    free(nodes);
    assert_string_equal(repo_version_label(one), "1");
    assert_string_equal(repo_version_label(repo_version_get(repo, NULL, NULL)), "(default branch)");
}

static void test_that_there_is_no_room_is_news_once(void **state)
{
    (void)state;
    assert_true(repo_has_no_room(repo));
    assert_false(repo_has_no_room(repo));
    assert_int_equal(repo_listing_age(repo), -1); /* none is known */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_doubles_up_to_a_minute, open_repo, close_repo),
        cmocka_unit_test_setup_teardown(test_a_success_ends_it, open_repo, close_repo),
        cmocka_unit_test_setup_teardown(test_what_goes_on_is_news_once, open_repo, close_repo),
        cmocka_unit_test_setup_teardown(test_a_pin_is_what_all_sources_say, open_repo, close_repo),
        cmocka_unit_test_setup_teardown(test_what_is_said_twice_is_one, open_repo, close_repo),
        cmocka_unit_test_setup_teardown(test_a_version_knows_its_nodes, open_repo, close_repo),
        cmocka_unit_test_setup_teardown(test_that_there_is_no_room_is_news_once, open_repo,
                                        close_repo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
