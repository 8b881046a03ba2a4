#include "fs/shared/sweep.h"
#include "tests/unit/mounted.h"

/* What a checkout shows at the moment when readers get to see it (linked with --wrap). */
static _Atomic size_t published, shown_then;
void __real_node_publish_checkout(struct nodes *nodes, uint32_t version, uint32_t checkout);
void __wrap_node_publish_checkout(struct nodes *nodes, uint32_t version, uint32_t checkout);

void __wrap_node_publish_checkout(struct nodes *nodes, uint32_t version, uint32_t checkout)
{
    uint64_t offset = 0;
    uint32_t child;

    published++;
    /* Nothing leads to it yet: a sweep leaves it alone all the same. */
    struct sweep *sweep = nodes_sweep_new(nodes);
    nodes_sweep_look(sweep);
    nodes_sweep_wait(sweep);
    nodes_sweep_finish(sweep);
    nodes_sweep_free(sweep);
    while (node_next(nodes, checkout, &offset, &child) == 0)
        shown_then++;
    __real_node_publish_checkout(nodes, version, checkout);
}

static void test_a_checkout_is_published_once_its_root_is_whole(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    published = shown_then = 0;
    walk(&mounted, "repo/1/file");
    assert_int_equal(published, 1);
    assert_int_equal(shown_then, 2); /* a file and a folder */
    mounted_close(&mounted);
}

static void test_a_listing_and_what_sources_name(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo");
    assert_string_equal(listed(&mounted, NODE_ROOT_INDEX), "repo");
    assert_string_equal(listed(&mounted, walk(&mounted, "repo")), "1 2 main release");
    assert_string_equal(listed(&mounted, walk(&mounted, "repo/release")), "3");
    mounted_close(&mounted);
}

static void test_only_what_sources_name(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=2");
    mounted.settings.browse = BROWSE_NAMED;
    assert_string_equal(listed(&mounted, walk(&mounted, "repo")), "2");
    walk(&mounted, "repo/1/file"); /* reachable all the same */
    mounted_close(&mounted);
}

static void test_a_new_tag_keeps_the_numbers_of_the_others(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t repo = walk(&mounted, "repo"), one = walk(&mounted, "repo/1");
    assert_string_equal(listed(&mounted, repo), "1 2 release");
    unsigned changes = mounted.changes, renames = mounted.renames;
    run(*state, "cd repo; git tag 4; git tag -d 2");
    mounted.settings.refs_ttl = 0;
    assert_string_equal(listed(&mounted, repo), "1 4 release");
    assert_true(mounted.changes > changes);
    assert_true(mounted.renames > renames);
    assert_int_equal(walk(&mounted, "repo/1"), one);
    mounted_close(&mounted);
}

static void test_sources_come_and_go(void **state)
{
    struct mounted mounted;
    struct source_list other = {0};
    struct error e;
    uint32_t file;

    make_repository(*state);
    run(*state, "git clone -q repo other");
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t repo = walk(&mounted, "repo"), folder = walk(&mounted, "repo/1/folder");
    assert_int_equal(source_list_add_source(&other, "./other?tag=1", mounted.box->folder, &e), 0);
    unsigned renames = mounted.renames;
    assert_int_equal(publish_sources(&mounted.mount, &other, &e), 0);
    assert_string_equal(listed(&mounted, NODE_ROOT_INDEX), "other");
    assert_true(mounted.renames > renames); /* the kernel is told that a name is gone */
    /* Who is inside goes on. */
    assert_int_equal(look_up(&mounted, folder, "file", &file), 0);
    assert_int_equal(look_up(&mounted, repo, "2", &file), 0);
    source_list_release(&other);
    mounted_close(&mounted);
}

static void test_a_branch_that_others_have_cached_is_reachable_and_not_listed(void **state)
{
    struct mounted mounted;
    struct source_list other = {0};
    struct error e;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo");
    uint32_t repo = walk(&mounted, "repo");
    walk(&mounted, "repo/main/file");
    assert_string_equal(listed(&mounted, repo), "1 2 main release");
    assert_int_equal(source_list_add_source(&other, "./repo?tag=1", mounted.box->folder, &e), 0);
    assert_int_equal(publish_sources(&mounted.mount, &other, &e), 0);
    assert_string_equal(listed(&mounted, repo), "1 2 release");
    walk(&mounted, "repo/main/file");
    source_list_release(&other);
    mounted_close(&mounted);
}

static void test_the_next_worker_finds_the_same_numbers(void **state)
{
    struct mounted mounted;
    struct error e;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    worker_ends(&mounted);
    int nodes_fd = nodes_create(100000, 1, &e), state_fd = state_create(&e);
    worker_begins(&mounted, nodes_fd, state_fd, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file");
    worker_ends(&mounted);
    worker_begins(&mounted, nodes_fd, state_fd, "./repo?tag=1");
    assert_int_equal(walk(&mounted, "repo/1/file"), file);
    close(nodes_fd);
    close(state_fd);
    mounted_close(&mounted);
}

/* Until the remote has been asked, what a source names is there; then what it has, and what is pinned. */
static void test_a_tag_that_is_nowhere_is_not_listed(void **state)
{
    struct mounted mounted;
    struct namespace_entry entry;
    uint64_t offset = 0;
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=none");
    uint32_t repo = walk(&mounted, "repo");
    assert_int_equal(namespace_next(&mounted.mount, repo, &offset, &entry), 0);
    assert_string_equal(entry.name, "none");
    assert_int_equal(namespace_next(&mounted.mount, repo, &offset, &entry), -ENOENT);
    assert_string_equal(listed(&mounted, repo), "1 2 release");
    walk(&mounted, "repo/1/file");
    run(*state, "cd repo; git tag -d 1; git tag -d 2; git tag none");
    mounted.settings.refs_ttl = 0;
    assert_string_equal(listed(&mounted, repo), "1 none release");
    mounted.settings.browse = BROWSE_NAMED;
    run(*state, "cd repo; git tag more");
    assert_string_equal(listed(&mounted, repo), "none");
    assert_int_equal(look_up(&mounted, walk(&mounted, "repo/1"), "file", &file), 0);
    mounted_close(&mounted);
}

/* Sources name a commit as they spell it, and a branch that is none of the remote's default. */
static void test_sources_are_listed_as_they_spell(void **state)
{
    struct mounted mounted;
    char expected[100];

    make_repository(*state);
    run(*state, "git -C repo branch other 1; c=$(git -C repo rev-parse 1 | cut -c1-9);"
                "printf '%%s\\n' ./repo?tag=other $c@./repo ./repo?tag=release/3 >some.list");
    snprintf(expected, sizeof expected, "%s 1 2 other release",
             output(*state, "git -C repo rev-parse 1 | cut -c1-9"));
    mounted_open(&mounted, state, "./some.list");
    const char *shown = listed(&mounted, walk(&mounted, "repo"));
    assert_int_equal(strlen(shown), strlen(expected));
    assert_non_null(strstr(shown, "other release"));
    char commit[10];
    snprintf(commit, sizeof commit, "%.9s", expected);
    assert_non_null(strstr(shown, commit));
    assert_true(node_get(mounted.mount.nodes, walk(&mounted, "repo/other"))->flags & NODE_BRANCH);
    assert_true(node_get(mounted.mount.nodes, walk(&mounted, "repo/main"))->flags &
                NODE_BRANCH); /* by name */
    assert_false(node_get(mounted.mount.nodes, walk(&mounted, "repo/1"))->flags & NODE_BRANCH);
    mounted_close(&mounted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_tag_that_is_nowhere_is_not_listed, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_sources_are_listed_as_they_spell, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_checkout_is_published_once_its_root_is_whole,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_listing_and_what_sources_name, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_only_what_sources_name, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_new_tag_keeps_the_numbers_of_the_others,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(
            test_a_branch_that_others_have_cached_is_reachable_and_not_listed, sandbox_open,
            sandbox_close),
        cmocka_unit_test_setup_teardown(test_sources_come_and_go, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_the_next_worker_finds_the_same_numbers, sandbox_open,
                                        sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
