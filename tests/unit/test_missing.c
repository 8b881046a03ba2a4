/* test_missing.c - versions that a list names and the remote does not have: what is said of them, and how often. */
#include "fs/tree/missing.h"
#include "gitcache/base/listing.h"
#include "tests/unit/mounted.h"

static void what_is_said_names_the_nearest(void **state)
{
    static const struct {
        const char *tags; /* and a branch 3.0, which is none */
        const char *version, *said;
    } rows[] = {
        {"", "1.5", "1.5 is no tag or branch of pp"},
        {"1.0", "1.5", "1.5 is no tag or branch of pp; nearest: 1.0"},
        {"2.0", "1.5", "1.5 is no tag or branch of pp; nearest: 2.0"},
        {"1.10 1.2 1.9", "1.5", "1.5 is no tag or branch of pp; nearest: 1.2, 1.9"},
        {"1.10 1.2 1.9", "1.11", "1.11 is no tag or branch of pp; nearest: 1.10"},
        {"1.10 1.2 1.9", "1.1", "1.1 is no tag or branch of pp; nearest: 1.2"},
        {"1.0 1.2 1.4 1.6 1.8", "1.5", "1.5 is no tag or branch of pp; nearest: 1.4, 1.6"},
    };
    const struct repo repo = {.name = (char *)"pp"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct repo_source source = {.version = (char *)rows[i].version};
        struct listing listing = {0};
        struct oid oid = {{1}};
        char tags[100], name[50], *rest = tags, *tag;
        snprintf(tags, sizeof tags, "%s", rows[i].tags);
        listing_add(&listing, "refs/heads/3.0", &oid, &oid);
        while ((tag = strsep(&rest, " "))) {
            snprintf(name, sizeof name, "refs/tags/%s", tag);
            listing_add(&listing, name, &oid, &oid);
        }
        listing_finish(&listing);
        char *text = missing_text(&repo, &source, &listing);
        assert_string_equal(text, rows[i].said);
        free(text);
        listing_release(&listing);
    }
}

/* Lists the remote's refs, as a reader of the folder does after refs_ttl. */
static void list_again(struct mounted *mounted)
{
    struct ask ask = {0};

    assert_int_equal(ask_listing(&mounted->mount, repos_at(&mounted->mount.repos, 0), &ask),
                     -EAGAIN);
    wait_for_work(mounted, &ask);
}

static void assert_said(void **state, int times)
{
    assert_int_equal(atoi(output(*state, "grep -c 'soon is no tag or branch of repo' said; true")),
                     times);
}

/* It is said once until it was there. What is pinned, and what is a commit, is nowhere in a listing. */
static void it_is_said_once_until_it_was_there(void **state)
{
    struct mounted mounted;
    char path[100];

    make_repository(*state);
    run(*state, "one=$(git -C repo rev-parse 1);"
                "printf '%%s\\n' './repo?tag=1' './repo?tag=main' './repo?tag=soon' "
                "\"./repo?tag=gone&commit=$one\" $one@./repo >some.list");
    mounted_open(&mounted, state, "./some.list");
    snprintf(path, sizeof path, "%s/said", mounted.box->folder);
    assert_int_equal(log_open(&mounted.mount.log, LOG_LEVEL_WARNING, path, 1), 0);
    for (int i = 0; i < 2; i++)
        list_again(&mounted);
    assert_said(state, 1);
    run(*state, "git -C repo tag soon");
    list_again(&mounted);
    run(*state, "git -C repo tag -d soon");
    list_again(&mounted);
    assert_said(state, 2);
    assert_int_equal(atoi(output(*state, "grep -c . said")), 2); /* of no other */
    struct log *log = mounted.mount.log;
    mounted_close(&mounted);
    log_close(log);
}

/* A worker begins with the listing that is kept; its remote is asked only if that lacks something. */
static void a_kept_listing_that_lacks_nothing_is_good(void **state)
{
    static const struct {
        const char *list;
        unsigned listings;
    } rows[] = {{"./repo?tag=1", 0}, {"./repo", 0}, {"./repo?tag=soon", 1}};
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    list_again(&mounted);
    mounted_close(&mounted);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mounted_open(&mounted, state, rows[i].list);
        missing_ask_later(&mounted.mount);
        settle(&mounted);
        assert_int_equal(mounted.mount.state->listings, rows[i].listings);
        mounted_close(&mounted);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_names_the_nearest),
        TEST(it_is_said_once_until_it_was_there),
        TEST(a_kept_listing_that_lacks_nothing_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
