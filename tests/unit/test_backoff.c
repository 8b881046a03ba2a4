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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_doubles_up_to_a_minute, open_repo, close_repo),
        cmocka_unit_test_setup_teardown(test_a_success_ends_it, open_repo, close_repo),
        cmocka_unit_test_setup_teardown(test_what_goes_on_is_news_once, open_repo, close_repo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
