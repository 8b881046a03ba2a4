#include "fs/tree/folders.h"
#include "tests/unit/mounted.h"

static void add(struct version_names *names, const char *name, bool is_listed, bool is_branch)
{
    assert_int_equal(version_names_add(names, name, is_listed, is_branch), 0);
}

static int publish(struct mounted *mounted, struct repo *repo, struct version_names *names)
{
    pthread_mutex_lock(&repo->folders);
    int r = folders_publish_versions(&mounted->mount, repo, names);
    pthread_mutex_unlock(&repo->folders);
    version_names_release(names);
    *names = (struct version_names){0};
    return r;
}

/* An offline mount of a repository that is not there: nothing but what the test says. */
static struct repo *open_empty(struct mounted *mounted, void **state)
{
    mounted_open(mounted, state, "./repo?tag=1");
    mounted->settings.offline = true;
    struct repo *repo = repos_at(&mounted->mount.repos, 0);
    assert_non_null(repo);
    return repo;
}

static void test_names_become_folders(void **state)
{
    struct mounted mounted;
    struct repo *repo = open_empty(&mounted, state);
    struct version_names names = {0};

    add(&names, "a/b/c", true, false);
    add(&names, "a-b", true, false);
    add(&names, "a/d", true, false);
    add(&names, "hidden", false, false);
    assert_int_equal(publish(&mounted, repo, &names), 1);
    assert_string_equal(listed(&mounted, repo->node), "a a-b");
    assert_string_equal(listed(&mounted, walk(&mounted, "repo/a")), "b d");
    assert_string_equal(listed(&mounted, walk(&mounted, "repo/a/b")), "c");
    walk(&mounted, "repo/hidden");
    mounted_close(&mounted);
}

static void test_the_same_names_change_nothing(void **state)
{
    struct mounted mounted;
    struct repo *repo = open_empty(&mounted, state);
    struct version_names names = {0};

    for (int i = 0; i < 2; i++) {
        add(&names, "b", true, false);
        add(&names, "a/1", true, false);
        assert_int_equal(publish(&mounted, repo, &names), i == 0);
    }
    mounted_close(&mounted);
}

static void test_a_tag_wins_over_a_branch(void **state)
{
    struct mounted mounted;
    struct repo *repo = open_empty(&mounted, state);
    struct version_names names = {0};

    add(&names, "x", true, true);
    add(&names, "x", false, false);
    add(&names, "y", true, true);
    add(&names, "y/z", true, false);
    assert_int_equal(publish(&mounted, repo, &names), 1);
    assert_string_equal(listed(&mounted, repo->node), "x y");
    assert_int_equal(node_get(mounted.mount.nodes, walk(&mounted, "repo/x"))->flags, 0);
    assert_int_equal(node_get(mounted.mount.nodes, walk(&mounted, "repo/y"))->kind, NODE_PREFIX);
    mounted_close(&mounted);
}

static void test_names_that_can_be_no_folder(void **state)
{
    struct mounted mounted;
    struct repo *repo = open_empty(&mounted, state);
    struct version_names names = {0};
    char name[300];

    memset(name, 'x', sizeof name);
    name[256] = '\0';
    add(&names, name, true, false);
    add(&names, "a//b", true, false);
    add(&names, "/a", true, false);
    name[255] = '\0';
    add(&names, name, true, false);
    publish(&mounted, repo, &names);
    assert_string_equal(listed(&mounted, repo->node), name);
    mounted_close(&mounted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names_become_folders, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_the_same_names_change_nothing, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_tag_wins_over_a_branch, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_names_that_can_be_no_folder, sandbox_open,
                                        sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
