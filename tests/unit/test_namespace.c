#include "fs/tree/branch.h"
#include "fs/tree/reclaim.h"
#include "gitcache/base/clock.h"
#include "tests/unit/mounted.h"

static void test_a_path_is_walked(void **state)
{
    struct mounted mounted;
    uint32_t node, again;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    node = walk(&mounted, "repo/1/folder/file");
    assert_int_equal(node_get(mounted.mount.nodes, node)->kind, NODE_FILE);
    assert_int_equal(node_get(mounted.mount.nodes, node)->size, 5);
    assert_int_equal(look_up(&mounted, walk(&mounted, "repo/1/folder"), "file", &again), 0);
    assert_int_equal(again, node);
    assert_string_equal(listed(&mounted, walk(&mounted, "repo/release/3")), "file folder");
    mounted_close(&mounted);
}

static void test_what_is_not_there(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    uint32_t node;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t repo = walk(&mounted, "repo");
    /* Every shell prompt looks for this: no remote is asked. */
    assert_int_equal(namespace_lookup(&mounted.mount, repo, ".git", &ask, &node), -ENOENT);
    assert_int_equal(namespace_lookup(&mounted.mount, NODE_ROOT_INDEX, "other", &ask, &node),
                     -ENOENT);
    assert_int_equal(look_up(&mounted, repo, "4", &node), -ENOENT);
    assert_int_equal(look_up(&mounted, walk(&mounted, "repo/1"), "other", &node), -ENOENT);
    mounted_close(&mounted);
}

static void test_a_commit_is_reachable_and_not_listed(void **state)
{
    struct mounted mounted;
    char name[10];

    make_repository(*state);
    snprintf(name, sizeof name, "%.8s", output(*state, "git -C repo rev-parse 1"));
    mounted_open(&mounted, state, "./repo?tag=2");
    uint32_t repo = walk(&mounted, "repo"), node;
    assert_int_equal(look_up(&mounted, repo, name, &node), 0);
    assert_string_equal(listed(&mounted, node), "file folder");
    assert_string_equal(listed(&mounted, repo), "1 2 release");
    mounted_close(&mounted);
}

static void test_a_folder_of_versions_asks_as_its_repository_does(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t release = walk(&mounted, "repo/release");
    run(*state, "cd repo; git tag release/4");
    mounted.settings.refs_ttl = 0;
    assert_int_equal(namespace_open_folder(&mounted.mount, release, &ask), -EAGAIN);
    wait_for_work(&mounted, &ask);
    assert_int_equal(namespace_open_folder(&mounted.mount, release, &ask), 0);
    mounted.settings.refs_ttl = 60;
    assert_string_equal(listed(&mounted, release), "3 4");
    mounted_close(&mounted);
}

/* Its server gives by id only what a ref names. */
static void test_a_pinned_tag_that_has_moved_is_searched_for(void **state)
{
    struct mounted mounted;
    char source[100];

    make_repository(*state);
    snprintf(source, sizeof source, "./repo?tag=1&commit=%s",
             output(*state, "git -C repo rev-parse 1"));
    run(*state, "cd repo; git config uploadpack.allowAnySHA1InWant false; git tag -f 1 2; echo "
                "longer >file; git commit -qam 3; git tag -f 1; git config protocol.version 0;"
                "git config --global protocol.version 0");
    mounted_open(&mounted, state, source);
    const struct node *file = node_get(mounted.mount.nodes, walk(&mounted, "repo/1/file"));
    assert_int_equal(file->size, 2);
    mounted_close(&mounted);
}

static void test_sweeps_are_a_tenth_of_the_time(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    int64_t began = clock_now();
    mounted.mount.reclaimed_at = began;
    mounted.mount.reclaim_took = 20;
    reclaim_now(&mounted.mount);
    assert_true(clock_now() - began >= 200);
    mounted_close(&mounted);
}

static void test_offline_asks_nobody(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    uint32_t node;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    mounted.settings.offline = true;
    uint32_t version = walk(&mounted, "repo/1");
    assert_int_equal(namespace_lookup(&mounted.mount, version, "file", &ask, &node), -EHOSTUNREACH);
    assert_null(ask.work);
    mounted_close(&mounted);
}

/* Nothing is known of it: so its folder is not an empty one. */
static void test_the_folder_of_a_repository_that_is_gone(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};

    make_repository(*state);
    mounted_open(&mounted, state, "./repo");
    run(*state, "mv repo gone");
    uint32_t repo = walk(&mounted, "repo");
    int r = open_folder(&mounted, repo);
    assert_true(r < 0);
    /* While it backs off nobody is asked. */
    assert_int_equal(namespace_open_folder(&mounted.mount, repo, &ask), r);
    assert_null(ask.work);
    mounted_close(&mounted);
}

/* Also when more have been looked for than can be at once. */
static void test_made_up_commits_are_missing_however_many(void **state)
{
    struct mounted mounted;
    char name[20];
    uint32_t node;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t repo = walk(&mounted, "repo");
    walk(&mounted, "repo/1");
    for (int i = 0; i < 40; i++) {
        struct ask ask = {0};
        int r, times = 0;

        snprintf(name, sizeof name, "abc%05d", i);
        while ((r = namespace_lookup(&mounted.mount, repo, name, &ask, &node)) == -EAGAIN &&
               times++ < 5)
            wait_for_work(&mounted, &ask);
        assert_int_equal(r, -ENOENT);
    }
    assert_int_equal(look_up(&mounted, repo, output(*state, "git -C repo rev-parse 2^"), &node), 0);
    mounted_close(&mounted);
}

/* As where gc takes a version away again and again before its reader has opened it. */
static void test_a_version_that_no_fetch_brings_is_given_up(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    int fetches = 0, r;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    struct repo_version *version = repo_version_get(repo, "1", NULL);
    assert_non_null(version);
    while ((r = ask_version(&mounted.mount, version, &ask)) == -EAGAIN && ++fetches < 100)
        wait_for_work(&mounted, &ask);
    assert_int_equal(r, -EIO);
    assert_in_range(fetches, 2, 10);
    mounted_close(&mounted);
}

static void test_a_branch_is_followed_by_looking_it_up(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=main");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    uint32_t branch = walk(&mounted, "repo/main");
    assert_int_equal(branch_shown(&mounted.mount, branch), branch);
    assert_int_equal(look_up(&mounted, branch, "file", &file), 0);
    uint32_t shown = branch_shown(&mounted.mount, branch);
    assert_int_not_equal(shown, branch);
    run(*state, "cd repo; echo 3 >new; git add new; git commit -qm 3");
    uint64_t listings = atomic_load(&mounted.mount.state->listings);
    /* Its listing is not old yet. */
    branch_follow(&mounted.mount, branch, &(struct ask){0});
    settle(&mounted);
    assert_int_equal(atomic_load(&mounted.mount.state->listings), listings);
    mounted.settings.refs_ttl = 0;
    /* To be asked what it shows starts nothing. */
    assert_int_equal(branch_shown(&mounted.mount, branch), shown);
    settle(&mounted);
    assert_int_equal(atomic_load(&mounted.mount.state->listings), listings);
    branch_follow(&mounted.mount, branch, &(struct ask){0});
    settle(&mounted);
    assert_int_not_equal(branch_shown(&mounted.mount, branch), shown);
    assert_int_equal(look_up(&mounted, branch, "new", &file), 0);
    /* Who is inside the old one stays there. */
    assert_int_equal(look_up(&mounted, shown, "new", &file), -ENOENT);
    assert_int_equal(look_up(&mounted, shown, "file", &file), 0);
    mounted_close(&mounted);
}

/* The worker that showed the branch has died: the next one knows of it what the node table says. */
static void test_a_new_worker_follows_a_branch(void **state)
{
    struct mounted mounted;
    struct error e = {0};
    uint32_t file;

    make_repository(*state);
    mounted_prepare(&mounted, state);
    int nodes_fd = nodes_create(100000, 1, &e), state_fd = state_create(&e);
    worker_begins(&mounted, nodes_fd, state_fd, "./repo?tag=main");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    uint32_t branch = walk(&mounted, "repo/main");
    assert_int_equal(look_up(&mounted, branch, "file", &file), 0);
    uint32_t shown = branch_shown(&mounted.mount, branch);
    assert_int_not_equal(shown, branch);
    worker_ends(&mounted);
    run(*state, "cd repo; echo 3 >new; git add new; git commit -qm 3");
    mounted.settings.refs_ttl = 0;
    worker_begins(&mounted, nodes_fd, state_fd, "./repo?tag=main");
    close(nodes_fd);
    close(state_fd);
    branch_follow(&mounted.mount, branch, &(struct ask){0});
    settle(&mounted);
    settle(&mounted);
    assert_int_not_equal(branch_shown(&mounted.mount, branch), shown);
    assert_int_equal(look_up(&mounted, branch, "new", &file), 0);
    mounted_close(&mounted);
}

/* A remote that is slow: whoever lists the folder is shown what is known, once their patience ends. */
static void test_only_who_can_be_shown_an_old_listing_is_impatient(void **state)
{
    struct mounted mounted;
    struct ask first = {0}, again = {0};

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    mounted.settings.refs_ttl = 0;
    uint32_t repo = walk(&mounted, "repo");
    assert_int_equal(namespace_open_folder(&mounted.mount, repo, &first), -EAGAIN);
    assert_false(first.impatient);
    wait_for_work(&mounted, &first);
    assert_int_equal(namespace_open_folder(&mounted.mount, repo, &first), 0);
    assert_int_equal(namespace_open_folder(&mounted.mount, repo, &again), -EAGAIN);
    assert_true(again.impatient);
    /* As when a request is served once more though the remote has not answered. */
    assert_int_equal(namespace_open_folder(&mounted.mount, repo, &again), 0);
    mounted_close(&mounted);
}

/* As a first worker does, which answers before its lists' sets have folders. */
static void test_the_folders_of_sets_are_waited_for(void **state)
{
    struct mounted mounted;
    struct ask looked = {0}, listed_them = {0};
    uint32_t sets, child;

    make_repository(*state);
    run(*state, "echo ./repo?tag=1 >pp.list");
    mounted_open(&mounted, state, "./pp.list");
    struct work *publishing = &mounted.mount.lists->publishing;
    assert_int_equal(control_folder_sets(&mounted.mount, &sets), 0);
    work_begin(publishing);
    assert_int_equal(namespace_lookup(&mounted.mount, sets, "pp", &looked, &child), -EAGAIN);
    assert_ptr_equal(looked.work, publishing);
    assert_int_equal(namespace_open_folder(&mounted.mount, sets, &listed_them), -EAGAIN);
    assert_ptr_equal(listed_them.work, publishing);
    lists_publish_first(&mounted.mount);
    assert_string_equal(listed(&mounted, walk(&mounted, ".startpointfs/sets/pp/0")), "file folder");
    mounted_close(&mounted);
}

/* Of how many names that the root lists the attributes are told, too. */
static size_t told_with_attributes(void **state, size_t repositories)
{
    struct mounted mounted;
    struct namespace_entry entry;
    uint64_t offset = 0;
    size_t listed = 0, told = 0;

    run(*state, "seq -f 'https://example.invalid/%%g?tag=1' %zu >many.list", repositories);
    mounted_open(&mounted, state, "./many.list");
    for (; namespace_next(&mounted.mount, NODE_ROOT_INDEX, &offset, &entry) == 0; listed++) {
        uint32_t node;
        assert_int_equal(look_up(&mounted, NODE_ROOT_INDEX, entry.name, &node), 0);
        assert_int_equal(entry.inode, node_id(mounted.mount.nodes, node));
        assert_true(!entry.with_attributes || entry.node == node);
        told += entry.with_attributes;
    }
    assert_int_equal(listed, repositories);
    mounted_close(&mounted);
    return told;
}

static void test_of_very_many_repositories_names_are_told(void **state)
{
    assert_int_equal(told_with_attributes(state, 1000), 1000);
    assert_int_equal(told_with_attributes(state, 1001), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_path_is_walked, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_not_there, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_commit_is_reachable_and_not_listed, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_folder_of_versions_asks_as_its_repository_does,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_pinned_tag_that_has_moved_is_searched_for,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_sweeps_are_a_tenth_of_the_time, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_offline_asks_nobody, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_only_who_can_be_shown_an_old_listing_is_impatient,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_the_folder_of_a_repository_that_is_gone, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_made_up_commits_are_missing_however_many, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_version_that_no_fetch_brings_is_given_up,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_branch_is_followed_by_looking_it_up, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_new_worker_follows_a_branch, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_the_folders_of_sets_are_waited_for, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_of_very_many_repositories_names_are_told, sandbox_open,
                                        sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
