/* test_set_folders.c - sets and lists as cyber-dojo's services read them: the folder of each, its numbers and its texts. */
#include "fs/tree/lists_reload.h"
#include "fs/tree/set_folders.h"
#include "tests/unit/mounted.h"

#define SETS ".startpointfs/sets"

/* A set `pp` of two tags, one of them by its commit, and two in folders. */
static void make_sets(void **state)
{
    make_repository(*state);
    run(*state,
        "mkdir sets; cd sets; one=$(git -C ../repo rev-parse 1) two=$(git -C ../repo rev-parse 2);"
        "head='# startpointfs set\\n# type: languages\\n# made: 1763845200\\n# given: here\\n';"
        "head=\"$head$PWD/../repo?tag=2&commit=$two\\n\";"
        "printf \"$head# given: there\\n$one@$PWD/../repo\\n\" >pp;"
        "printf \"$head\" | tee acme%%one acme-x%%one >acme%%deep%%two; sed -i "
        "s/languages/exercises/ "
        "acme%%one");
    setenv("STARTPOINTFS_SETS", output(*state, "echo $PWD/sets"), 1);
}

static void open_sets(struct mounted *mounted, void **state)
{
    make_sets(state);
    mounted_open(mounted, state, NULL);
    unsetenv("STARTPOINTFS_SETS");
}

/* A list of one source. */
static void write_list(void **state, const char *source)
{
    run(*state, "printf '%%s\\n' '%s' >new; mv new some.list", source);
}

/* What is missing for it is asked for at once. */
static char *text_of(struct mounted *mounted, const char *set)
{
    uint32_t folder = walk(mounted, set);
    struct ask ask = {0};
    char *text;
    int r = -EAGAIN;

    for (int asked = 0; r == -EAGAIN && asked < 2; asked++) {
        r = set_folders_shas(&mounted->mount, folder, &ask, &text);
        if (r == -EAGAIN)
            wait_for_work(mounted, &ask);
    }
    assert_int_equal(r, 0);
    return text;
}

static void assert_type(struct mounted *mounted, const char *set, const char *expected)
{
    char *text = NULL;
    int r = set_folders_type(&mounted->mount, walk(mounted, set), &text);

    assert_int_equal(r, expected ? 0 : -ENOENT);
    if (expected)
        assert_string_equal(text, expected);
    free(text);
}

static void sets_lie_in_folders_by_their_names(void **state)
{
    struct mounted mounted;

    open_sets(&mounted, state);
    assert_string_equal(listed(&mounted, walk(&mounted, SETS)), "acme acme-x pp");
    assert_string_equal(listed(&mounted, walk(&mounted, SETS "/acme")), "deep one");
    assert_string_equal(listed(&mounted, walk(&mounted, SETS "/acme/deep")), "two");
    assert_string_equal(listed(&mounted, walk(&mounted, SETS "/acme/deep/two")),
                        "0 image.type shas.txt");
    assert_string_equal(listed(&mounted, walk(&mounted, SETS "/pp")), "0 1 image.type shas.txt");
    assert_string_equal(listed(&mounted, walk(&mounted, SETS "/pp/1")), "file folder");
    mounted_close(&mounted);
}

static void what_is_said_of_a_set(void **state)
{
    struct mounted mounted;
    char expected[300], two[50];

    open_sets(&mounted, state);
    assert_type(&mounted, SETS "/pp", "languages");
    assert_type(&mounted, SETS "/acme/one", "exercises");
    assert_type(&mounted, SETS "/acme", NULL);
    snprintf(two, sizeof two, "%s", output(*state, "git -C repo rev-parse 2"));
    snprintf(expected, sizeof expected, "0 \t %s \t here\n1 \t %s \t there\n", two,
             output(*state, "git -C repo rev-parse 1"));
    char *text = text_of(&mounted, SETS "/acme/one");
    assert_int_equal(mounted.mount.state->fetches, 0); /* it is pinned */
    free(text);
    text = text_of(&mounted, SETS "/pp");
    assert_string_equal(text, expected);
    free(text);
    mounted_close(&mounted);
}

static void what_is_said_of_a_list(void **state)
{
    struct mounted mounted;
    char expected[300];
    char *text;

    make_repository(*state);
    write_list(state, "./repo?tag=1\n./repo?tag=release/3");
    mounted_open(&mounted, state, "./some.list");
    assert_type(&mounted, SETS "/some", NULL);
    assert_string_equal(listed(&mounted, walk(&mounted, SETS "/some")), "0 1 shas.txt");
    text = text_of(&mounted, SETS "/some");
    int length = snprintf(expected, sizeof expected, "0 \t %s \t ./repo?tag=1\n",
                          output(*state, "git -C repo rev-parse 1"));
    snprintf(expected + length, sizeof expected - (size_t)length,
             "1 \t %s \t ./repo?tag=release/3\n", output(*state, "git -C repo rev-parse 2"));
    assert_string_equal(text, expected);
    free(text);
    mounted_close(&mounted);
}

static void a_list_of_what_is_not_there_says_nothing(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    char *text = NULL;
    int r;

    make_repository(*state);
    write_list(state, "./repo?tag=1\n./repo?tag=none");
    mounted_open(&mounted, state, "./some.list");
    uint32_t folder = walk(&mounted, SETS "/some");
    while ((r = set_folders_shas(&mounted.mount, folder, &ask, &text)) == -EAGAIN)
        wait_for_work(&mounted, &ask);
    assert_int_equal(r, -ENOENT);
    assert_null(text);
    folder = walk(&mounted, SETS);
    assert_int_equal(set_folders_shas(&mounted.mount, folder, &ask, &text), -ENOENT);
    mounted_close(&mounted);
}

/* Another source in its place is another node, with what it has below; and what may move is known. */
static void a_number_means_one_source(void **state)
{
    static const struct {
        const char *source;
        bool is_branch;
    } rows[] = {{"./repo?tag=1", false},
                {"./repo?tag=main", true},
                {"./repo", true},
                {"./repo?tag=2", false},
                {"./second?tag=2", false}};
    uint32_t seen[sizeof rows / sizeof *rows];
    struct mounted mounted;

    make_repository(*state);
    run(*state, "git clone -q repo second");
    write_list(state, "./repo?tag=2");
    mounted_open(&mounted, state, "./some.list");
    walk(&mounted, "repo/main/file"); /* it is known to be a branch */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_list(state, rows[i].source);
        lists_reload(&mounted.mount);
        seen[i] = walk(&mounted, SETS "/some/0");
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(seen[i], seen[j]);
        assert_int_equal(node_get(mounted.mount.nodes, seen[i])->flags & NODE_BRANCH,
                         rows[i].is_branch ? NODE_BRANCH : 0);
    }
    write_list(state, "./second?tag=2\n./repo?tag=1");
    lists_reload(&mounted.mount);
    assert_int_equal(walk(&mounted, SETS "/some/0"), seen[4]);
    mounted_close(&mounted);
}

/* As `update` does beside a mount: it is no branch that may move, but what the set was checked with. */
static void a_set_s_branch_is_at_the_commit_of_the_set(void **state)
{
    uint32_t seen = 0;
    struct mounted mounted;

    make_repository(*state);
    write_list(state, "./repo?tag=2");
    mounted_open(&mounted, state, "./some.list");
    walk(&mounted, "repo/main/file");
    for (int i = 1; i <= 2; i++) {
        run(*state,
            "commit=$(git -C repo rev-parse %d);"
            "echo \"./repo?tag=main&commit=$commit\" >new; mv new some.list",
            i);
        lists_reload(&mounted.mount);
        uint32_t node = walk(&mounted, SETS "/some/0");
        assert_int_not_equal(node, seen);
        assert_int_equal(node_get(mounted.mount.nodes, node)->flags & NODE_BRANCH, 0);
        seen = node;
    }
    mounted_close(&mounted);
}

/* As `create` and `rm` do beside a mount. */
static void sets_come_and_go(void **state)
{
    struct mounted mounted;
    char path[100];

    open_sets(&mounted, state);
    snprintf(path, sizeof path, "%s/said", mounted.box->folder);
    assert_int_equal(log_open(&mounted.mount.log, LOG_LEVEL_INFO, path, 1), 0);
    struct log *log = mounted.mount.log;
    run(*state, "mv sets/pp pp");
    assert_int_equal(lists_reload(&mounted.mount), 0);
    assert_string_equal(listed(&mounted, walk(&mounted, SETS)), "acme acme-x");
    run(*state, "mv pp sets/pp; sed 's/^# type: .*/# type: custom/' sets/pp >sets/qq");
    assert_int_equal(lists_reload(&mounted.mount), 0);
    assert_string_equal(listed(&mounted, walk(&mounted, SETS)), "acme acme-x pp qq");
    assert_type(&mounted, SETS "/qq", "custom");
    assert_string_equal(output(*state, "grep -c 'pp: the set was removed' said"), "1");
    assert_string_equal(output(*state, "grep -c 'pp: new set, 2 sources' said"), "1");
    /* The folder of all is gone: not each of them. */
    run(*state, "mv sets gone");
    assert_int_equal(lists_reload(&mounted.mount), 1);
    assert_string_equal(listed(&mounted, walk(&mounted, SETS)), "acme acme-x pp qq");
    assert_string_equal(output(*state, "grep -c 'error.*cannot read the sets folder' said"), "1");
    mounted_close(&mounted);
    log_close(log);
}

/* Its repository has no folder: what the set was before goes on, rather than without it. */
static void a_set_for_which_there_is_no_room_is_not_shown_in_part(void **state)
{
    struct mounted mounted;
    uint32_t checkout, first;

    make_repository(*state);
    run(*state, "git clone -q repo second");
    write_list(state, "./repo?tag=1");
    mounted_open(&mounted, state, "./some.list");
    walk(&mounted, "repo/1/file");
    assert_int_equal(node_checkout(mounted.mount.nodes, walk(&mounted, "repo/1"), &checkout), 0);
    uint32_t count = nodes_max(mounted.mount.nodes) - nodes_used(mounted.mount.nodes);
    struct node_spec *specs = calloc(count, sizeof *specs);
    for (uint32_t i = 0; i < count; i++)
        specs[i] = (struct node_spec){
            .kind = NODE_FILE, .name = "", .parent = checkout, .checkout = checkout};
    assert_int_equal(nodes_append(mounted.mount.nodes, specs, count, &first), 0);
    free(specs);
    write_list(state, "./repo?tag=1\n./second?tag=2");
    lists_reload(&mounted.mount);
    assert_true(lists_publish(&mounted.mount) < 0);
    assert_string_equal(listed(&mounted, NODE_ROOT_INDEX), "repo");
    assert_string_equal(listed(&mounted, walk(&mounted, SETS "/some")), "0 shas.txt");
    mounted_close(&mounted);
}

/* A list has the type that its name says, as the services call it. */
static void a_list_is_of_the_type_that_its_name_says(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    run(*state, "echo ./repo?tag=1 >exercises.list");
    mounted_open(&mounted, state, "./exercises.list");
    assert_type(&mounted, SETS "/exercises", "exercises");
    assert_string_equal(listed(&mounted, walk(&mounted, SETS "/exercises")),
                        "0 image.type shas.txt");
    mounted.settings.type = TYPE_CUSTOM; /* what `mount` was told goes before */
    lists_reload(&mounted.mount);
    assert_type(&mounted, SETS "/exercises", "custom");
    mounted_close(&mounted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(sets_lie_in_folders_by_their_names),
        TEST(what_is_said_of_a_set),
        TEST(what_is_said_of_a_list),
        TEST(a_list_of_what_is_not_there_says_nothing),
        TEST(a_number_means_one_source),
        TEST(a_set_s_branch_is_at_the_commit_of_the_set),
        TEST(a_list_is_of_the_type_that_its_name_says),
        TEST(sets_come_and_go),
        TEST(a_set_for_which_there_is_no_room_is_not_shown_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
