/* test_requests.c - what becomes of each version that is asked for: whether it needs a listing or a search, and what those are told
 * that cannot be had. */
#include "gitcache/fetch/commit_search.h"
#include "gitcache/fetch/list_refs.h"
#include "gitcache/fetch/repository_fetch.h"
#include "gitcache/store/pins.h"
#include "tests/unit/sandbox.h"

#define NOWHERE "0123456789012345678901234567890123456789"

/* A remote with a history of four commits: tag v1, a commit that nothing names, tag v3, and main. */
struct setup {
    struct sandbox *box;
    struct cache *cache;
    struct repository *repository;
    struct remote *remote;
    char ids[4][OID_HEX_SIZE];
    unsigned packs;
    struct error error; /* of the last call */
};

static void open_cache(struct setup *setup)
{
    struct net_settings settings;
    struct error e = {0};
    char path[100];

    net_settings_init(&settings);
    snprintf(path, sizeof path, "%s/cache", setup->box->folder);
    assert_int_equal(cache_open(&setup->cache, path, false, &e), 0);
    snprintf(path, sizeof path, "%s/remote", setup->box->folder);
    assert_int_equal(repository_open(&setup->repository, setup->cache, path, &e), 0);
    assert_int_equal(remote_new(&setup->remote, &settings, &e), 0);
}

static void open_setup(struct setup *setup, void **state)
{
    memset(setup, 0, sizeof *setup);
    setup->box = *state;
    run_once(setup->box, "git init -q remote; cd remote; for i in 0 1 2 3; do"
                         " echo $i >file; git add file; git commit -qm $i; done;"
                         "git tag v1 main~3; git tag v3 main~1");
    for (int i = 0; i < 4; i++)
        strcpy(setup->ids[i], output(setup->box, "git -C remote rev-parse main~%d", 3 - i));
    open_cache(setup);
}

static void close_setup(struct setup *setup)
{
    remote_free(setup->remote);
    repository_close(setup->repository);
    cache_close(setup->cache);
}

static int fetch(struct setup *setup, struct version_request *requests, size_t count)
{
    setup->error = (struct error){0};
    return repository_fetch(setup->repository, setup->remote, requests, count, NULL, &setup->packs,
                            &setup->error);
}

static void assert_is(const struct setup *setup, const struct version_request *request,
                      enum version_kind kind, int number)
{
    char hex[OID_HEX_SIZE];

    if (request->status)
        fail_msg("%s", request->error.text);
    assert_int_equal(request->version.kind, kind);
    assert_string_equal(oid_format(&request->version.commit, hex), setup->ids[number]);
}

static bool is_listed(const struct setup *setup)
{
    const struct listing *listing = repository_listing_get(setup->repository);

    repository_listing_put(setup->repository, listing);
    return listing != NULL;
}

static unsigned commits_below(const struct setup *setup, int number)
{
    return (unsigned)atoi(output(setup->box, "git --git-dir=%s rev-list --count %s",
                                 repository_folder(setup->repository), setup->ids[number]));
}

/* One round trip, where all that is known is the whole id. */
static void a_commit_that_is_named_whole_needs_no_listing(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    struct version_request whole = {.name = setup.ids[1]},
                           pinned = {.name = "v3", .commit = setup.ids[2]};
    assert_int_equal(fetch(&setup, &whole, 1), 0);
    assert_is(&setup, &whole, VERSION_COMMIT, 1);
    assert_int_equal(fetch(&setup, &pinned, 1), 0);
    assert_is(&setup, &pinned, VERSION_COMMIT, 2);
    assert_int_equal(setup.packs, 1);
    assert_false(is_listed(&setup));
    assert_int_equal(commits_below(&setup, 1), 1);
    /* As digits it is in the cache already. */
    char digits[8];
    snprintf(digits, sizeof digits, "%.7s", setup.ids[1]);
    struct version_request again = {.name = digits};
    assert_int_equal(fetch(&setup, &again, 1), 0);
    assert_is(&setup, &again, VERSION_COMMIT, 1);
    assert_int_equal(setup.packs, 0);
    assert_false(is_listed(&setup));
    close_setup(&setup);
}

static void what_the_listing_shows_is_fetched_by_it(void **state)
{
    struct setup setup;
    char tip[8], past[8];

    open_setup(&setup, state);
    snprintf(tip, sizeof tip, "%.7s", setup.ids[2]);
    snprintf(past, sizeof past, "%.7s", setup.ids[1]);
    struct version_request requests[] = {{.name = "v1", .unlisted = UNLISTED_LEAVE},
                                         {.name = tip, .unlisted = UNLISTED_LEAVE},
                                         {.name = NULL, .unlisted = UNLISTED_LEAVE}};
    assert_int_equal(fetch(&setup, requests, 3), 0);
    assert_is(&setup, &requests[0], VERSION_TAG, 0);
    assert_is(&setup, &requests[1], VERSION_COMMIT, 2);
    assert_is(&setup, &requests[2], VERSION_BRANCH, 3);
    assert_int_equal(setup.packs, 1);
    for (int i = 0; i < 3; i++)
        assert_false(requests[i].needs_search);
    assert_true(is_listed(&setup));
    close_setup(&setup);
}

/* What somebody else may have written says nothing of what is pinned for good. */
static void a_listing_without_a_checksum_pins_nothing(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    struct version_request first = {.name = "v3"}, request = {.name = "v1"};
    assert_int_equal(fetch(&setup, &first, 1), 0);
    run(setup.box,
        "{ echo startpointfs listing 1; echo time $(date +%%s); echo %s refs/tags/v1; echo end; } "
        ">%s/startpointfs-listing",
        setup.ids[2], repository_folder(setup.repository));
    close_setup(&setup);
    open_cache(&setup);
    assert_int_equal(fetch(&setup, &request, 1), 0);
    assert_is(&setup, &request, VERSION_TAG, 0);
    close_setup(&setup);
}

/* Who leaves a search to others is told so, and by whom nothing is known. */
static void a_search_may_be_left(void **state)
{
    struct setup setup;
    char past[8], sentence[200];

    open_setup(&setup, state);
    snprintf(past, sizeof past, "%.7s", setup.ids[1]);
    struct version_request requests[] = {
        {.name = past, .unlisted = UNLISTED_LEAVE},
        {.name = "v1", .unlisted = UNLISTED_LEAVE},
        {.name = NOWHERE, .unlisted = UNLISTED_LEAVE},
        {.name = "v3", .commit = NOWHERE, .unlisted = UNLISTED_LEAVE},
        {.name = "v9", .unlisted = UNLISTED_LEAVE},
    };
    static const bool searched[] = {true, false, true, true, false};
    const char *const digits[] = {past, NULL, NOWHERE, NOWHERE, NULL};

    assert_int_equal(fetch(&setup, requests, 5), -ENOENT);
    assert_string_equal(setup.error.text, requests[0].error.text);
    assert_int_equal(setup.error.errnum, ENOENT);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(requests[i].needs_search, searched[i]);
        if (!digits[i])
            continue;
        snprintf(sentence, sizeof sentence, "%s/remote neither lists nor gives the commit %s",
                 setup.box->folder, digits[i]);
        assert_int_equal(requests[i].status, -ENOENT);
        assert_string_equal(requests[i].error.text, sentence);
    }
    assert_is(&setup, &requests[1], VERSION_TAG, 0);
    assert_int_equal(requests[4].status, -ENOENT);
    assert_non_null(strstr(requests[4].error.text, "remote has no tag, branch or commit v9"));
    close_setup(&setup);
}

static void what_was_found_in_the_history_may_come_with_it(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    struct version_request found = {.name = setup.ids[1], .unlisted = UNLISTED_WITH_HISTORY},
                           lost = {.name = NOWHERE, .unlisted = UNLISTED_WITH_HISTORY};
    assert_int_equal(fetch(&setup, &found, 1), 0);
    assert_is(&setup, &found, VERSION_COMMIT, 1);
    assert_int_equal(setup.packs, 1);
    assert_int_equal(fetch(&setup, &lost, 1), -ENOENT);
    assert_non_null(
        strstr(setup.error.text, " has no commit " NOWHERE " in the history of its branches"));
    close_setup(&setup);
}

/* Who wants the commit that a tag is at by now gets that as a version of its own. */
static void a_pinned_tag_never_moves(void **state)
{
    struct setup setup;

    open_setup(&setup, state);
    struct version_request tag = {.name = "v1"}, newest = {.name = "v1", .newest = true},
                           moved = {.name = "v1", .commit = setup.ids[1]};
    assert_int_equal(fetch(&setup, &tag, 1), 0);
    run(setup.box, "git -C remote tag -f v1 main~2");
    assert_int_equal(fetch(&setup, &newest, 1), 0);
    assert_is(&setup, &newest, VERSION_TAG, 0);
    assert_int_equal(list_refs(setup.repository, setup.remote, NULL, &setup.error), 0);
    assert_int_equal(fetch(&setup, &moved, 1), 0);
    assert_is(&setup, &moved, VERSION_COMMIT, 1);
    assert_int_equal(setup.packs, 1);
    assert_int_equal(fetch(&setup, &tag, 1), 0);
    assert_is(&setup, &tag, VERSION_TAG, 0);
    close_setup(&setup);
}

/* A history's commits are read, and nothing else is kept of it. */
static void digits_are_looked_for_in_the_history(void **state)
{
    struct setup setup;
    char past[8];

    open_setup(&setup, state);
    snprintf(past, sizeof past, "%.7s", setup.ids[1]);
    struct version_request requests[] = {
        {.name = past},
        {.name = "0123456"},
        {.name = "v3", .commit = NOWHERE},
        {.name = "main"},
    };
    assert_int_equal(fetch(&setup, requests, 4), -ENOENT);
    assert_is(&setup, &requests[0], VERSION_COMMIT, 1);
    assert_is(&setup, &requests[3], VERSION_BRANCH, 3);
    assert_int_equal(commits_below(&setup, 1), 1);
    assert_non_null(strstr(requests[1].error.text,
                           " has no commit 0123456 in the history of its branches and tags"));
    assert_non_null(strstr(requests[2].error.text, "v3 of "));
    assert_non_null(strstr(requests[2].error.text,
                           " is not the commit " NOWHERE ", which the remote does not have"));
    close_setup(&setup);
}

/* By itself, for who may not wait for the version. */
static void a_commit_may_be_looked_for_alone(void **state)
{
    static const struct commit_search_bounds roomy = {true, 1 << 20}, tiny = {false, 10};
    struct oid commit = {0};
    char hex[OID_HEX_SIZE];
    struct error e = {0};
    struct setup setup;
    unsigned fetched = 0;

    open_setup(&setup, state);
    assert_int_equal(commit_search(setup.repository, setup.remote, setup.ids[1], &roomy, NULL,
                                   &fetched, &commit, &e),
                     0);
    assert_string_equal(oid_format(&commit, hex), setup.ids[1]);
    assert_int_equal(fetched,
                     1); /* the branches' history, where it is: the tags' is not asked for */
    assert_true(is_listed(&setup));
    assert_int_equal(
        commit_search(setup.repository, setup.remote, NOWHERE, &roomy, NULL, &fetched, &commit, &e),
        -ENOENT);
    assert_int_equal(fetched, 3);
    assert_non_null(
        strstr(e.text, " has no commit " NOWHERE " in the history of its branches and tags"));
    assert_int_equal(commit_search(setup.repository, setup.remote, setup.ids[1], &tiny, NULL,
                                   &fetched, &commit, &e),
                     -EFBIG);
    close_setup(&setup);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_commit_that_is_named_whole_needs_no_listing),
        TEST(what_the_listing_shows_is_fetched_by_it),
        TEST(a_listing_without_a_checksum_pins_nothing),
        TEST(a_search_may_be_left),
        TEST(what_was_found_in_the_history_may_come_with_it),
        TEST(a_pinned_tag_never_moves),
        TEST(digits_are_looked_for_in_the_history),
        TEST(a_commit_may_be_looked_for_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
