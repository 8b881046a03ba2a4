/* test_status_json.c - what status.json says of versions that lists name and that cannot be had. */
#include <jansson.h>

#include "fs/tree/lists_reload.h"
#include "fs/worker/status.h"
#include "fs/worker/status_transfers.h"
#include "gitcache/base/clock.h"
#include "tests/unit/mounted.h"

#define MANY 22 /* commits that a list names and that are not there */

static json_t *status_of(struct mounted *mounted)
{
    char *text = status_make(&mounted->mount);
    assert_non_null(text);
    assert_int_equal(strlen(text) % 4096, 0); /* the size seldom changes */
    json_t *status = json_loads(text, 0, NULL);
    assert_non_null(status);
    free(text);
    return status;
}

static int64_t number_of(json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

/* The versions of the only repository, as status.json has them. */
static json_t *versions(struct mounted *mounted)
{
    json_t *status = status_of(mounted);
    json_t *repo = json_array_get(json_object_get(status, "repositories"), 0);
    json_t *found = json_incref(json_object_get(repo, "versions"));

    json_decref(status);
    assert_non_null(found);
    return found;
}

static const char *text_of(json_t *version, const char *key)
{
    return json_string_value(json_object_get(version, key));
}

static void test_each_commit_that_a_list_names_and_that_is_not_there_says_why(void **state)
{
    struct mounted mounted;
    json_t *found, *version;
    size_t i, failed = 0;

    make_repository(*state);
    run(*state, "for i in $(seq %d); do printf '%%040x@./repo\\n' $i; done >many.list", MANY);
    mounted_open(&mounted, state, "./many.list");
    ask_sources_later(&mounted.mount);
    settle(&mounted);
    found = versions(&mounted);
    json_array_foreach (found, i, version) {
        const char *error = text_of(version, "error");
        failed += strcmp(text_of(version, "state"), "failed") == 0 && error && *error;
    }
    assert_int_equal(failed, MANY);
    json_decref(found);
    mounted_close(&mounted);
}

/* Whoever looks ids up that nobody has leaves nothing. */
static void test_commits_that_somebody_made_up_are_not_in_it(void **state)
{
    struct mounted mounted;
    char name[41];
    uint32_t node;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t repo = walk(&mounted, "repo");
    for (int i = 1; i <= 2; i++) {
        snprintf(name, sizeof name, "%040x", i);
        assert_int_equal(look_up(&mounted, repo, name, &node), -ENOENT);
    }
    json_t *found = versions(&mounted);
    for (size_t i = 0; i < json_array_size(found); i++)
        assert_true(strlen(text_of(json_array_get(found, i), "name")) < 40);
    assert_true(json_array_size(found) > 0);
    json_decref(found);
    mounted_close(&mounted);
}

/* How many versions are shown of a repository that has so many tags more. */
static size_t shown_with(void **state, unsigned tags)
{
    struct mounted mounted;

    run(*state,
        "seq -f \"$(cat repo/.git/refs/tags/2) refs/tags/t%%g\" %u | sort -k 2 "
        ">repo/.git/packed-refs; rm -rf cache",
        tags);
    mounted_open(&mounted, state, "./repo?tag=1");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    json_t *found = versions(&mounted);
    size_t count = json_array_size(found);
    json_decref(found);
    mounted_close(&mounted);
    return count;
}

static void test_of_very_many_tags_only_those_that_somebody_wants(void **state)
{
    make_repository(*state);
    assert_in_range(shown_with(state, 9990), 9990, 9993);
    assert_in_range(shown_with(state, 10000), 1, 3);
}

/* All were begun in one moment. */
static void test_of_a_large_transfer_the_first_versions_are_named(void **state)
{
    struct mounted mounted;
    struct repo *repo;

    make_repository(*state);
    run(*state, "for i in $(seq %d); do printf '%%040x@./repo\n' $i; done >many.list", MANY);
    mounted_open(&mounted, state, "./many.list");
    ask_sources_later(&mounted.mount);
    settle(&mounted);
    repo = repos_at(&mounted.mount.repos, 0);
    for (struct repo_version *v = repo->versions; v; v = v->next) {
        atomic_store(&v->work.running, true);
        atomic_store(&v->work.began_at, 1);
    }
    json_t *transfers = status_transfers_json(&mounted.mount);
    assert_int_equal(json_array_size(transfers), 1);
    json_t *transfer = json_array_get(transfers, 0);
    assert_int_equal(number_of(transfer, "count"), MANY);
    assert_int_equal(json_array_size(json_object_get(transfer, "versions")), 20);
    json_decref(transfers);
    for (struct repo_version *v = repo->versions; v; v = v->next)
        atomic_store(&v->work.running, false);
    mounted_close(&mounted);
}

/* As Prometheus wants it: each class counts those below it, too. */
static void test_how_long_fetches_took(void **state)
{
    static const int64_t took[] = {50, 51, 100, 60001}, counts[] = {1, 3, 3, 3, 3, 3, 3, 3};
    struct mounted mounted;
    json_t *bucket;
    size_t i;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    for (i = 0; i < 4; i++)
        state_count_fetch(mounted.mount.state, took[i]);
    json_t *status = status_of(&mounted), *seconds = json_object_get(status, "fetch_seconds");
    assert_int_equal(number_of(seconds, "count"), 4);
    assert_true(json_real_value(json_object_get(seconds, "sum")) == 60.202);
    assert_int_equal(json_array_size(json_object_get(seconds, "buckets")), 8);
    json_array_foreach (json_object_get(seconds, "buckets"), i, bucket)
        assert_int_equal(number_of(bucket, "count"), counts[i]);
    json_decref(status);
    mounted_close(&mounted);
}

/* A tag of another encoding: its name is shown as far as it can be. */
static void test_a_version_whose_name_is_not_utf_8(void **state)
{
    struct mounted mounted;
    json_t *version;
    size_t i, count = 0;

    make_repository(*state);
    run(*state, "cp repo/.git/refs/tags/1 repo/.git/refs/tags/$(printf 'caf\\351')");
    mounted_open(&mounted, state, "./repo?tag=1");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    json_t *found = versions(&mounted);
    json_array_foreach (found, i, version)
        count += strcmp(text_of(version, "name"), "caf?") == 0;
    assert_int_equal(count, 1);
    json_decref(found);
    mounted_close(&mounted);
}

/* Whoever dies later does not die of that. */
static void test_who_has_said_all_is_not_at_it_any_more(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    walk(&mounted, "repo/1/file");
    json_decref(status_of(&mounted));
    struct crash_record *crashes = &mounted.mount.state->crashes;
    const char *url = repository_url(repos_at(&mounted.mount.repos, 0)->repository);
    crash_record_recover(crashes, false);
    assert_int_equal(crash_record_deaths(crashes, crash_record_key_of_cached(url)), 0);
    mounted_close(&mounted);
}

/* A clock may have been set back since. */
static void test_a_mount_is_up_for_nothing_at_least(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    for (int ahead = 0; ahead < 2; ahead++) {
        mounted.mount.state->mounted_at += (ahead ? 2000 : -1000) * 1000ll;
        json_t *status = status_of(&mounted);
        if (ahead)
            assert_int_equal(number_of(status, "uptime_seconds"), 0);
        else
            assert_in_range(number_of(status, "uptime_seconds"), 1000, 1100);
        json_decref(status);
    }
    mounted_close(&mounted);
}

/* Takes both over. What it says is in `json` as it is there. */
static void assert_says(json_t *json, json_t *expected)
{
    const char *key;
    json_t *value;

    assert_non_null(expected);
    json_object_foreach (expected, key, value) {
        char *says = json_dumps(json_object_get(json, key), JSON_COMPACT | JSON_ENCODE_ANY);
        char *is_to = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!says || strcmp(says, is_to) != 0)
            fail_msg("%s: %s, not %s", key, says ? says : "nothing", is_to);
        free(says);
        free(is_to);
    }
    json_decref(expected);
    json_decref(json);
}

static void test_what_is_said_of_the_mount(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    run(*state, "echo ./repo?tag=1 >some.list");
    mounted_open(&mounted, state, "./some.list");
    struct state *counts = mounted.mount.state;
    assert_says(status_of(&mounted),
                json_pack("{s:n, s:n, s:n, s:n, s:[]}", "held_by", "last_restart_cause",
                          "reload_refusal", "cache_max", "transfers"));
    strcpy(counts->held_by, "systemd");
    strcpy(counts->last_cause, "killed by signal 9 (KILL)");
    strcpy(counts->reload_refusal, "it says no");
    counts->takeovers = 1;
    counts->restarts = 2;
    counts->reloads = 3;
    counts->reloads_refused = 4;
    counts->cache_freed = 5;
    counts->cache_removed = 6;
    counts->listings = 7;
    counts->fetches = 8;
    counts->fetches_failed = 9;
    counts->bytes_fetched = 10;
    counts->requests[OPERATION_LOOKUP] = 11;
    counts->requests[OPERATION_OTHER] = 12;
    mounted.settings.cache_max = 13;
    assert_says(
        status_of(&mounted),
        json_pack(
            "{s:s, s:i, s:i, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i,"
            " s:i, s:s, s:b, s:i, s:i, s:i, s:o, s:o}",
            "version", VERSION, "pid", getpid(), "supervisor_pid", getppid(), "held_by", "systemd",
            "last_restart_cause", "killed by signal 9 (KILL)", "reload_refusal", "it says no",
            "takeovers", 1, "restarts", 2, "reloads", 3, "reloads_refused", 4, "cache_freed_bytes",
            5, "cache_removed_versions", 6, "listings", 7, "fetches", 8, "fetches_failed", 9,
            "bytes_fetched", 10, "cache_max", 13, "cache", mounted.settings.cache, "offline", 0,
            "waiting", 0, "max_nodes", 100000, "nodes", (int)nodes_taken(mounted.mount.nodes),
            "requests",
            json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "init",
                      0, "lookup", 11, "getattr", 0, "readlink", 0, "read", 0, "readdir", 0,
                      "readdirplus", 0, "open", 0, "opendir", 0, "statfs", 0, "forget", 0, "other",
                      12, "total", 23),
            "sets",
            json_pack("[{s:s, s:n, s:i, s:n}]", "name", "some", "type", "sources", 1, "error")));
    mounted_close(&mounted);
}

static void test_what_is_said_of_a_repository(void **state)
{
    struct mounted mounted;
    char commits[2][OID_HEX_SIZE], url[100];

    make_repository(*state);
    snprintf(commits[0], OID_HEX_SIZE, "%s", output(*state, "git -C repo rev-parse 1"));
    snprintf(commits[1], OID_HEX_SIZE, "%s", output(*state, "git -C repo rev-parse 2"));
    snprintf(url, sizeof url, "%s/repo", ((struct sandbox *)*state)->folder);
    mounted_open(&mounted, state, "./repo?tag=1");
    walk(&mounted, "repo/1/file");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    int64_t now = time(NULL);
    json_t *status = status_of(&mounted);
    json_t *json = json_array_get(json_object_get(status, "repositories"), 0);
    assert_in_range(number_of(json, "listed_at"), now - 20, now);
    assert_says(
        json_incref(json),
        json_pack("{s:s, s:s, s:n, s:i, s:i, s:[], s:o}", "name", "repo", "url", url, "error",
                  "nodes", (int)nodes_charged(mounted.mount.nodes, repo->node), "refs", 5, "moved",
                  "versions",
                  json_pack("[{s:s, s:s, s:s, s:n}, {s:s, s:s, s:s, s:n},"
                            " {s:s, s:s, s:s, s:n}]",
                            "name", "1", "commit", commits[0], "state", "ready", "error", "name",
                            "2", "commit", commits[1], "state", "listed", "error", "name",
                            "release/3", "commit", commits[1], "state", "listed", "error")));
    json_decref(status);
    mounted_close(&mounted);
}

/* The only repository, as status.json has it. */
static json_t *repository(struct mounted *mounted)
{
    json_t *status = status_of(mounted);
    json_t *repo = json_incref(json_array_get(json_object_get(status, "repositories"), 0));

    json_decref(status);
    assert_non_null(repo);
    return repo;
}

/* Lists the remote's refs, as a reader of the folder does after refs_ttl. */
static void list_again(struct mounted *mounted)
{
    struct ask ask = {0};

    assert_int_equal(ask_listing(&mounted->mount, repos_at(&mounted->mount.repos, 0), &ask),
                     -EAGAIN);
    wait_for_work(mounted, &ask);
}

static void test_a_tag_that_has_moved(void **state)
{
    struct mounted mounted;
    char commits[2][OID_HEX_SIZE];

    make_repository(*state);
    snprintf(commits[0], OID_HEX_SIZE, "%s", output(*state, "git -C repo rev-parse 1"));
    snprintf(commits[1], OID_HEX_SIZE, "%s", output(*state, "git -C repo rev-parse 2"));
    mounted_open(&mounted, state, "./repo?tag=1");
    walk(&mounted, "repo/1/file");
    run(*state, "git -C repo tag -f 1 2");
    list_again(&mounted);
    assert_says(repository(&mounted), json_pack("{s:[{s:s, s:s, s:s}]}", "moved", "name", "1",
                                                "pinned", commits[0], "now", commits[1]));
    mounted_close(&mounted);
}

static void test_a_remote_that_is_not_there(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo");
    assert_says(repository(&mounted),
                json_pack("{s:n, s:n, s:i, s:[]}", "error", "listed_at", "refs", 0, "versions"));
    run(*state, "mv repo away");
    list_again(&mounted);
    json_t *repo = repository(&mounted);
    assert_non_null(strstr(text_of(repo, "error"), "/repo"));
    assert_says(repo, json_pack("{s:n, s:i, s:[{s:s, s:n, s:s, s:n}]}", "listed_at", "refs", 0,
                                "versions", "name", "(default branch)", "commit", "state", "failed",
                                "error"));
    mounted_close(&mounted);
}

static void test_a_version_that_is_missing(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=none");
    list_again(&mounted);
    json_t *found = versions(&mounted), *version;
    size_t i, missing = 0;
    json_array_foreach (found, i, version)
        if (strcmp(text_of(version, "name"), "none") == 0) {
            missing++;
            assert_string_equal(text_of(version, "state"), "missing");
            assert_non_null(strstr(text_of(version, "error"), "none is no tag or branch of repo"));
        }
    assert_int_equal(missing, 1);
    assert_int_equal(i, 4);
    json_decref(found);
    mounted_close(&mounted);
}

static void test_a_repository_without_room(void **state)
{
    struct mounted mounted;
    char sentence[500];

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    repos_at(&mounted.mount.repos, 0)->has_no_room = true;
    snprintf(sentence, sizeof sentence, REPO_NO_ROOM, "repo", nodes_share(mounted.mount.nodes));
    assert_says(repository(&mounted), json_pack("{s:s}", "error", sentence));
    mounted_close(&mounted);
}

/* A clock that was wrong when it was listed, or is now. */
static void test_a_listing_from_a_time_that_lies_ahead(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    list_again(&mounted);
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    const struct listing *listing = repository_listing_get(repo->repository);
    ((struct listing *)listing)->listed_at += 1000000;
    assert_says(repository(&mounted), json_pack("{s:i}", "listed_at", 0));
    assert_true(repo_listing_age(repo) > 1000000); /* its remote is asked */
    repository_listing_put(repo->repository, listing);
    mounted_close(&mounted);
}

/* Where they are found, and what is wrong with them. */
static void test_what_is_said_of_lists(void **state)
{
    struct mounted mounted;
    char folder[100];

    make_repository(*state);
    snprintf(folder, sizeof folder, "%s/lists", ((struct sandbox *)*state)->folder);
    run(*state, "mkdir lists; echo ../repo?tag=1 >lists/some.list");
    mounted_open(&mounted, state, "./lists");
    assert_says(status_of(&mounted),
                json_pack("{s:[{s:s, s:n}], s:[{s:s, s:n, s:i, s:n}], s:b}", "list_folders", "path",
                          folder, "error", "sets", "name", "some", "type", "sources", 1, "error",
                          "offline", 0));
    run(*state, "echo 'x?no=key' >>lists/some.list");
    mounted.settings.offline = true;
    lists_reload(&mounted.mount);
    json_t *status = status_of(&mounted);
    json_t *set = json_array_get(json_object_get(status, "sets"), 0);
    assert_non_null(strstr(text_of(set, "error"), "some.list:2"));
    assert_int_equal(number_of(set, "sources"), 1);
    assert_true(json_is_true(json_object_get(status, "offline")));
    json_decref(status);
    run(*state, "mv lists away");
    lists_reload(&mounted.mount);
    status = status_of(&mounted);
    assert_non_null(strstr(
        text_of(json_array_get(json_object_get(status, "list_folders"), 0), "error"), folder));
    json_decref(status);
    mounted_close(&mounted);
}

/* A listing and versions that come, each with when it began and when it last was heard of. */
static void test_what_is_under_way(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    walk(&mounted, "repo/1/file");
    settle(&mounted);
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    struct work *work[] = {&repo->listing, &repo->versions->work};
    int64_t now = clock_now();
    for (int i = 0; i < 2; i++) {
        work[i]->running = true;
        work[i]->began_at = 0; /* it waits in a queue */
    }
    assert_says(status_of(&mounted), json_pack("{s:[]}", "transfers"));
    for (int i = 0; i < 2; i++) {
        work[i]->bytes = 1000u + (unsigned)i;
        work[i]->began_at = now - 50000;
        work[i]->progress_at = now - 20000;
    }
    work[1]->waiting = 3;
    json_t *transfers = status_transfers_json(&mounted.mount);
    assert_int_equal(json_array_size(transfers), 2);
    for (size_t i = 0; i < 2; i++) {
        json_t *one = json_array_get(transfers, i);
        assert_in_range((int64_t)json_real_value(json_object_get(one, "seconds")), 50, 69);
        assert_in_range((int64_t)json_real_value(json_object_get(one, "silent_seconds")), 20, 39);
    }
    assert_says(json_incref(json_array_get(transfers, 0)),
                json_pack("{s:s, s:s, s:[], s:i, s:i, s:i}", "repository", "repo", "what",
                          "listing", "versions", "count", 0, "bytes", 1000, "waiting", 0));
    assert_says(json_incref(json_array_get(transfers, 1)),
                json_pack("{s:s, s:s, s:[s], s:i, s:i, s:i}", "repository", "repo", "what",
                          "versions", "versions", "1", "count", 1, "bytes", 1001, "waiting", 3));
    json_decref(transfers);
    work[1]->waiting = 0;
    for (int i = 0; i < 2; i++)
        work[i]->running = false;
    mounted_close(&mounted);
}

static void test_text_that_is_not_utf_8_is_shown_all_the_same(void **state)
{
    json_t *json = status_transfers_text("a\x80\xff"
                                         "b"),
           *good = status_transfers_text("\u00e4");

    (void)state;
    assert_string_equal(json_string_value(json), "a??b");
    assert_string_equal(json_string_value(good), "\u00e4");
    json_decref(json);
    json_decref(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_each_commit_that_a_list_names_and_that_is_not_there_says_why, sandbox_open,
            sandbox_close),
        cmocka_unit_test_setup_teardown(test_commits_that_somebody_made_up_are_not_in_it,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_of_very_many_tags_only_those_that_somebody_wants,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_of_a_large_transfer_the_first_versions_are_named,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_how_long_fetches_took, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_version_whose_name_is_not_utf_8, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_who_has_said_all_is_not_at_it_any_more, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_mount_is_up_for_nothing_at_least, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_said_of_the_mount, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_said_of_a_repository, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_tag_that_has_moved, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_remote_that_is_not_there, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_version_that_is_missing, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_repository_without_room, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_listing_from_a_time_that_lies_ahead, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_said_of_lists, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_under_way, sandbox_open, sandbox_close),
        cmocka_unit_test(test_text_that_is_not_utf_8_is_shown_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
