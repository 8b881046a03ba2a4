/* test_gather.c - what becomes of each source of a list: fetched, there already, moved or failed; from local repositories. */
#include "sandbox.h"

#include "fs/sets/gather.h"

static int make_repositories(void **state)
{
    if (sandbox_open(state) != 0)
        return -1;
    run(*state, "for name in one two; do git init -q $name; cd $name; git config "
                "uploadpack.allowAnySHA1InWant true;"
                "for tag in 1 2; do echo $name $tag >file; git add .; git commit -qm $tag; git tag "
                "$tag; done; cd ..; done");
    return 0;
}

struct way {
    struct gather_options options;
    bool offline;
};

/* What became of these sources of the sandbox, whose names blanks part: + fetched, = was there, m has moved, or the errno;
 * and the first sentence of one that failed. */
static const char *gather(const struct sandbox *box, const char *sources, struct way way,
                          char sentence[1000])
{
    static char outcome[1000];
    char names[300], *rest = names;
    struct source_list list = {0};
    struct settings settings;
    struct gather gathering;
    struct error e = {0};
    size_t failed = 0;

    assert_int_equal(settings_init(&settings), 0);
    settings.offline = way.offline;
    free(settings.cache);
    assert_true(asprintf(&settings.cache, "%s/cache", box->folder) > 0);
    snprintf(names, sizeof names, "%s", sources);
    for (char *name; (name = strsep(&rest, " "));)
        assert_int_equal(source_list_add_source(&list, name, box->folder, &e), 0);
    if (gather_run(&gathering, &settings, &list, &way.options, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(gathering.count, list.count);
    *outcome = *sentence = '\0';
    for (size_t i = 0; i < gathering.count; i++) {
        const struct gather_item *item = &gathering.items[i];

        assert_ptr_equal(item->source, &list.items[i]);
        if (item->status && !failed++)
            strcpy(sentence, item->error.text);
        strcat(outcome, item->status ? strerrorname_np(-item->status) : item->fetched ? "+" : "=");
        strcat(outcome, item->moved ? "m " : " ");
    }
    assert_int_equal(gathering.failed, failed);
    gather_release(&gathering);
    source_list_release(&list);
    settings_release(&settings);
    return outcome;
}

static void each_is_fetched_once(void **state)
{
    static const char sources[] = "./two?tag=1 ./one?tag=2 ./two ./one?tag=1 ./one?tag=9";
    char sentence[1000];

    assert_string_equal(gather(*state, sources, (struct way){0}, sentence), "+ + + + ENOENT ");
    assert_non_null(strstr(sentence, "one has no tag, branch or commit 9"));
    assert_string_equal(gather(*state, sources, (struct way){0}, sentence), "= = = = ENOENT ");
    run(*state, "mv two away");
    assert_string_equal(gather(*state, sources, (struct way){0}, sentence), "= = = = ENOENT ");
    assert_string_equal(gather(*state, "./one?tag=1 file:///nowhere/x", (struct way){0}, sentence),
                        "= EHOSTUNREACH ");
}

static void without_a_network_there_is_what_is_cached(void **state)
{
    const struct way offline = {.offline = true};
    char sentence[1000];

    assert_string_equal(gather(*state, "./one?tag=1", offline, sentence), "EHOSTUNREACH ");
    assert_string_equal(sentence, "one/1 is not in the cache, and --offline forbids asking");
    assert_string_equal(gather(*state, "./one?tag=1 ./two", (struct way){0}, sentence), "+ + ");
    assert_string_equal(gather(*state, "./one?tag=2 ./one?tag=1 ./two ./one", offline, sentence),
                        "EHOSTUNREACH = = EHOSTUNREACH ");
    assert_string_equal(sentence, "one/2 is not in the cache, and --offline forbids asking");
}

static void a_tag_that_has_moved_is_told_where_tags_are_asked_for(void **state)
{
    const struct way asks = {.options.listings = true};
    char sentence[1000];

    assert_string_equal(gather(*state, "./one?tag=1 ./one?tag=2", asks, sentence), "+ + ");
    run(*state, "cd one; git tag -f 1 2");
    assert_string_equal(gather(*state, "./one?tag=1 ./one?tag=2", (struct way){0}, sentence),
                        "= = ");
    assert_string_equal(gather(*state, "./one?tag=1 ./one?tag=2", asks, sentence), "=m = ");
}

static void a_branch_follows_where_the_newest_is_wanted(void **state)
{
    const struct way newest = {.options.newest = true},
                     offline = {.options.newest = true, .offline = true};
    char sentence[1000];

    assert_string_equal(gather(*state, "./one", newest, sentence), "+ ");
    run(*state, "cd one; echo 3 >file; git commit -qam 3; git rev-parse HEAD >../commit");
    for (int i = 0; i < 3; i++) {
        bool is_there = *output(*state, "grep -rlF $(cat commit) cache | head -1");
        assert_int_equal(is_there, i == 2);
        gather(*state, "./one", i == 0 ? offline : newest, sentence);
        if (i == 0)
            gather(*state, "./one", (struct way){0}, sentence);
    }
}

/* Also where nothing is fetched: gc keeps what is read. */
static void what_is_wanted_counts_as_read(void **state)
{
    char sentence[1000];

    gather(*state, "./one?tag=1 ./one?tag=2", (struct way){0}, sentence);
    for (int offline = 0; offline < 2; offline++) {
        run(*state, "find cache -path '*/refs/tags/*' -exec touch -d 2001-01-01 {} +");
        assert_string_equal(
            gather(*state, "./one?tag=1", (struct way){.offline = offline}, sentence), "= ");
        assert_string_equal(
            output(*state, "find cache -path '*/refs/tags/*' -newermt 2010-01-01 -printf '%%f '"),
            "1 ");
    }
}

static void without_a_cache_nothing_begins(void **state)
{
    const struct sandbox *box = *state;
    const struct gather_options options = {.newest = false};
    struct source_list list = {0};
    struct settings settings;
    struct gather gathering;
    struct error e = {0};

    run(box, "touch cache");
    assert_int_equal(settings_init(&settings), 0);
    free(settings.cache);
    assert_true(asprintf(&settings.cache, "%s/cache", box->folder) > 0);
    assert_int_equal(gather_run(&gathering, &settings, &list, &options, &e), -ENOTDIR);
    gather_release(&gathering);
    settings_release(&settings);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_repositories, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_is_fetched_once),
        TEST(without_a_network_there_is_what_is_cached),
        TEST(a_tag_that_has_moved_is_told_where_tags_are_asked_for),
        TEST(a_branch_follows_where_the_newest_is_wanted),
        TEST(what_is_wanted_counts_as_read),
        TEST(without_a_cache_nothing_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
