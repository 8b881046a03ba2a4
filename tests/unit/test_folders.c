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

/* A child keeps its number only as long as it means the same. */
static void test_a_child_is_found_if_it_is_the_same(void **state)
{
    struct mounted mounted;
    struct node_spec spec = {.kind = NODE_CONTROL, .name = "x", .name_length = 1, .data = 5};
    uint32_t same, other, first;

    open_empty(&mounted, state);
    struct mount *mount = &mounted.mount;
    assert_int_equal(nodes_append(mount->nodes, &spec, 1, &first), 0);
    spec.parent = first;
    spec.kind = NODE_VERSION;
    uint32_t folder = first, child;
    assert_int_equal(folders_child(mount, folder, &spec, NULL, &child), 0);
    struct node_link link = {child, true};
    unsigned changes = mounted.changes, renames = mounted.renames;
    assert_int_equal(folders_publish(mount, folder, &link, 1), 1);
    assert_int_equal(folders_publish(mount, folder, &link, 1), 0);
    assert_int_equal(mounted.changes, changes + 1);
    assert_int_equal(mounted.renames, renames);
    assert_int_equal(folders_child(mount, folder, &spec, NULL, &same), 0);
    assert_int_equal(same, child);
    struct node_spec others[] = {spec, spec, spec, spec};
    others[0].kind = NODE_CONTROL_FILE;
    others[1].flags = NODE_BRANCH;
    others[2].data = 6;
    others[3].oid.id[0] = 1;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(folders_child(mount, folder, &others[i], NULL, &other), 0);
        assert_int_not_equal(other, child);
    }
    /* Another in its place: the kernel has to look its name up again. */
    link.index = other;
    assert_int_equal(folders_publish(mount, folder, &link, 1), 1);
    assert_int_equal(mounted.renames, renames + 1);
    /* What it is, is a string's text, wherever that lies. */
    assert_int_equal(folders_child(mount, folder, &others[3], "https://h/a", &child), 0);
    link.index = child;
    assert_int_equal(folders_publish(mount, folder, &link, 1), 1);
    assert_int_equal(folders_child(mount, folder, &others[3], "https://h/a", &same), 0);
    assert_int_equal(same, child);
    assert_string_equal(
        node_string(mount->nodes, node_data(mount->nodes, node_get(mount->nodes, child))),
        "https://h/a");
    assert_int_equal(folders_child(mount, folder, &others[3], "https://h/b", &same), 0);
    assert_int_not_equal(same, child);
    assert_int_equal(folders_child(mount, child, &spec, NULL, &same),
                     0); /* not known yet: a new one */
    spec.kind = NODE_FILE;
    assert_int_equal(nodes_append(mount->nodes, &spec, 1, &other), 0);
    assert_int_equal(folders_child(mount, other, &spec, NULL, &same), -ENOTDIR);
    mounted_close(&mounted);
}

/* Comparing so many would take longer than looking up anew. */
static void test_a_large_folder_is_looked_up_anew(void **state)
{
    struct mounted mounted;
    struct node_link links[2001];
    uint32_t folder;

    open_empty(&mounted, state);
    struct node_spec spec = {.kind = NODE_CONTROL, .name = "x", .name_length = 1};
    assert_int_equal(nodes_append(mounted.mount.nodes, &spec, 1, &folder), 0);
    for (int i = 0; i < 2001; i++) {
        char name[10];
        struct node_spec child = {.kind = NODE_CONTROL_FILE, .name = name, .parent = folder};
        child.name_length = (size_t)snprintf(name, sizeof name, "%d", i);
        assert_int_equal(nodes_append(mounted.mount.nodes, &child, 1, &links[i].index), 0);
        links[i].listed = true;
    }
    unsigned renames = mounted.renames;
    for (size_t count = 1998; count <= 2001; count++) {
        assert_int_equal(folders_publish(&mounted.mount, folder, links, count), 1);
        assert_int_equal(mounted.renames, count < 2000 ? renames : renames + count - 1999);
    }
    mounted_close(&mounted);
}

/* The kernel asks for a folder's time after it was told: it is later than any before. */
static void test_each_change_makes_a_folder_later(void **state)
{
    struct mounted mounted;
    struct repo *repo = open_empty(&mounted, state);
    struct version_names names = {0};

    add(&names, "a/1", true, false);
    publish(&mounted, repo, &names);
    walk(&mounted, "repo/a");
    for (int i = 0; i < 3; i++) {
        int64_t before = repo->changed_at += 1000000000; /* the clock stands still */
        char name[10];
        snprintf(name, sizeof name, "a/x%d", i);
        add(&names, "a/1", true, false);
        add(&names, name, true, false);
        unsigned changes = mounted.changes, renames = mounted.renames;
        assert_int_equal(publish(&mounted, repo, &names), 1);
        assert_true(repo->changed_at > before);
        assert_int_equal(mounted.changes, changes + 2); /* its own, and that of `a` */
        assert_int_equal(mounted.renames, i == 0 ? renames : renames + 1);
    }
    mounted_close(&mounted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_child_is_found_if_it_is_the_same, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_large_folder_is_looked_up_anew, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_each_change_makes_a_folder_later, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_names_become_folders, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_the_same_names_change_nothing, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_tag_wins_over_a_branch, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_names_that_can_be_no_folder, sandbox_open,
                                        sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
