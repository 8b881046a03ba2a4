#include "fs/tree/branch.h"
#include "fs/tree/folders.h"
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
    /* No node has this number. */
    assert_int_equal(namespace_lookup(&mounted.mount, UINT32_MAX, "x", &ask, &node), -EIO);
    assert_int_equal(namespace_open_folder(&mounted.mount, UINT32_MAX, &ask), -EIO);
    assert_int_equal(namespace_refetch(&mounted.mount, UINT32_MAX, &ask), -EIO);
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

static void test_a_file_is_no_folder(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo/1/file")), -ENOTDIR);
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo/1/folder")), 0);
    assert_int_equal(open_folder(&mounted, NODE_ROOT_INDEX), 0);
    mounted_close(&mounted);
}

/* The kernel has a set's folder of before its list changed, and the worker that knew it is dead. For ESTALE it looks the path up
 * again. */
static void test_a_number_of_a_list_that_was_another_is_stale(void **state)
{
    struct mounted mounted;
    struct error e = {0};

    make_repository(*state);
    run(*state, "echo ./repo?tag=1 >pp.list");
    mounted_prepare(&mounted, state);
    int nodes_fd = nodes_create(100000, 1, &e), state_fd = state_create(&e);
    worker_begins(&mounted, nodes_fd, state_fd, "./pp.list");
    lists_publish_first(&mounted.mount);
    uint32_t before = walk(&mounted, ".startpointfs/sets/pp/0");
    worker_ends(&mounted);
    run(*state, "echo ./repo?tag=2 >pp.list");
    worker_begins(&mounted, nodes_fd, state_fd, "./pp.list");
    close(nodes_fd);
    close(state_fd);
    lists_publish_first(&mounted.mount);
    assert_int_equal(open_folder(&mounted, before), -ESTALE);
    assert_int_equal(open_folder(&mounted, walk(&mounted, ".startpointfs/sets/pp/0")), 0);
    mounted_close(&mounted);
}

/* Of a source's spelling, if one names it, else of all its digits. */
static void test_a_commit_is_one_folder_however_it_is_spelled(void **state)
{
    struct mounted mounted;
    char named[41], other[41], name[41], source[100];
    uint32_t first, second;

    make_repository(*state);
    snprintf(named, sizeof named, "%s", output(*state, "git -C repo rev-parse 1"));
    snprintf(other, sizeof other, "%s", output(*state, "git -C repo rev-parse 2"));
    snprintf(source, sizeof source, "%.9s@./repo", named);
    mounted_open(&mounted, state, source);
    uint32_t repo = walk(&mounted, "repo");
    snprintf(name, sizeof name, "%.9s", named);
    assert_int_equal(look_up(&mounted, repo, name, &first), 0);
    assert_string_equal(listed(&mounted, first), "file folder");
    snprintf(name, sizeof name, "%.7s", named);
    assert_int_equal(look_up(&mounted, repo, name, &second), 0);
    assert_int_equal(second, first);
    assert_int_equal(look_up(&mounted, repo, named, &second), 0);
    assert_int_equal(second, first);
    snprintf(name, sizeof name, "%.7s", other);
    assert_int_equal(look_up(&mounted, repo, name, &first), 0);
    assert_string_equal(node_name(mounted.mount.nodes, node_get(mounted.mount.nodes, first)),
                        other);
    assert_int_equal(look_up(&mounted, repo, other, &second), 0);
    assert_int_equal(second, first);
    mounted_close(&mounted);
}

/* How often the remote has been asked when the name has been looked up, which is not there. */
static uint64_t listings_after_missing(struct mounted *mounted, uint32_t repo, const char *name)
{
    uint32_t node;

    assert_int_equal(look_up(mounted, repo, name, &node), -ENOENT);
    return mounted->mount.state->listings;
}

static void test_a_missing_name_asks_once_a_second(void **state)
{
    struct mounted mounted;
    uint32_t node;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t folder = walk(&mounted, "repo");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    int64_t before = clock_now();
    assert_int_equal(listings_after_missing(&mounted, folder, "none"), 1);
    assert_in_range(repo->missed_at, before, clock_now());
    for (int i = 0; i < 3; i++) {
        repo->missed_at = repo->asked_at = clock_now(); /* just now, however slow the test is */
        assert_int_equal(listings_after_missing(&mounted, folder, "other"), 1);
    }
    run(*state, "git -C repo tag later");
    repo->missed_at -= 1000;
    assert_int_equal(look_up(&mounted, folder, "later", &node), 0);
    assert_int_equal(mounted.mount.state->listings, 2);
    /* No ref can have these names. */
    repo->missed_at = 0;
    assert_int_equal(listings_after_missing(&mounted, folder, "a..b"), 2);
    assert_int_equal(listings_after_missing(&mounted, folder, "a b"), 2);
    mounted_close(&mounted);
}

/* Somebody else had asked before the name came to be: that answer is none for who came after. */
static void test_who_gets_an_older_answer_asks_again(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    uint32_t node;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t folder = walk(&mounted, "repo");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    assert_int_equal(namespace_lookup(&mounted.mount, folder, "later", &ask, &node), -EAGAIN);
    wait_for_work(&mounted, &ask);
    run(*state, "git -C repo tag later");
    repo->asked_at = ask.since - 1;
    if (clock_now() - repo->asked_at < 1000)
        ask.since -= 1000, repo->asked_at -= 1000;
    assert_int_equal(namespace_lookup(&mounted.mount, folder, "later", &ask, &node), -EAGAIN);
    wait_for_work(&mounted, &ask);
    assert_int_equal(namespace_lookup(&mounted.mount, folder, "later", &ask, &node), 0);
    mounted_close(&mounted);
}

/* The kernel keeps that a name is not there: so nobody says so who does not know. */
static void test_what_a_remote_that_is_gone_would_know_is_not_missing(void **state)
{
    struct mounted mounted;
    uint32_t node;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t folder = walk(&mounted, "repo");
    mounted.settings.offline = true;
    assert_int_equal(look_up(&mounted, folder, "none", &node), -EHOSTUNREACH);
    mounted.settings.offline = false;
    assert_int_equal(look_up(&mounted, folder, "none", &node), -ENOENT);
    mounted.settings.offline = true; /* what was listed is known */
    assert_int_equal(look_up(&mounted, folder, "other", &node), -ENOENT);
    mounted.settings.offline = false;
    run(*state, "mv repo gone");
    repos_at(&mounted.mount.repos, 0)->missed_at = 0;
    int r = look_up(&mounted, folder, "none", &node);
    assert_true(r < 0 && r != -ENOENT);
    assert_int_equal(look_up(&mounted, folder, "other", &node), r);
    assert_int_equal(look_up(&mounted, folder, "1234567", &node), r);
    mounted_close(&mounted);
}

/* Shows so many versions, as a listing would. */
static void show_many(struct mounted *mounted, struct repo *repo, size_t count)
{
    struct version_names names = {0};
    char name[30];

    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "v%zu", i);
        assert_int_equal(version_names_add(&names, name, true, false), 0);
    }
    pthread_mutex_lock(&repo->folders);
    assert_int_equal(folders_publish_versions(&mounted->mount, repo, &names), 1);
    pthread_mutex_unlock(&repo->folders);
    version_names_release(&names);
}

/* How many of a repository's names are listed with their attributes; none twice, none left out. */
static size_t listed_with_attributes(struct mounted *mounted, struct repo *repo, size_t count)
{
    struct namespace_entry entry;
    uint64_t offset = 0;
    size_t with = 0, all = 0;

    for (; namespace_next(&mounted->mount, repo->node, &offset, &entry) == 0; all++) {
        with += entry.with_attributes;
        if (entry.with_attributes)
            assert_int_equal(entry.inode, node_id(mounted->mount.nodes, entry.node));
        else
            assert_true(entry.inode >= NAMESPACE_UNKNOWN_INODES);
    }
    assert_int_equal(all, count);
    return with;
}

/* What a server lists takes no more than a quarter of its repository's share of the node table. */
static void test_of_very_many_versions_names_are_told(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    uint32_t quarter = nodes_share(mounted.mount.nodes) / 4;
    show_many(&mounted, repo, 10001);
    assert_int_equal(listed_with_attributes(&mounted, repo, 10001), 0);
    show_many(&mounted, repo, 10000);
    assert_int_equal(listed_with_attributes(&mounted, repo, 10000), quarter);
    assert_int_equal(nodes_charged(mounted.mount.nodes, repo->node), quarter);
    mounted_close(&mounted);
}

/* Uses all of the repository's share: with what nobody can reach, or with what is in a version that is shown. */
static void use_share(struct mounted *mounted, struct repo *repo, uint32_t checkout)
{
    const struct nodes *nodes = mounted->mount.nodes;
    uint32_t count = nodes_share(nodes) - nodes_charged(nodes, repo->node), first;
    struct node_spec *specs = calloc(count, sizeof *specs);

    assert_non_null(specs);
    for (uint32_t i = 0; i < count; i++)
        specs[i] = (struct node_spec){.kind = checkout ? NODE_FILE : NODE_CHECKOUT,
                                      .name = "",
                                      .parent = checkout,
                                      .checkout = checkout,
                                      .account = repo->node};
    assert_int_equal(nodes_append(mounted->mount.nodes, specs, count, &first), 0);
    free(specs);
    atomic_store(&repo->charged, nodes_share(nodes)); /* no sweep is due */
}

static void test_a_name_finds_the_room_that_others_have_left(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    uint32_t node, checkout;
    char path[100];

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    uint32_t version = walk(&mounted, "repo/1");
    walk(&mounted, "repo/1/file");
    assert_int_equal(node_checkout(mounted.mount.nodes, version, &checkout), 0);
    use_share(&mounted, repo, 0);
    /* It is looked for beside requests. */
    assert_int_equal(namespace_lookup(&mounted.mount, repo->node, "2", &ask, &node), -EAGAIN);
    wait_for_work(&mounted, &ask);
    assert_int_equal(namespace_lookup(&mounted.mount, repo->node, "2", &ask, &node), 0);
    use_share(&mounted, repo, checkout);
    snprintf(path, sizeof path, "%s/said", mounted.box->folder);
    assert_int_equal(log_open(&mounted.mount.log, LOG_LEVEL_ERROR, path, true), 0);
    struct log *log = mounted.mount.log;
    for (int i = 0; i < 2; i++)
        assert_int_equal(look_up(&mounted, repo->node, "release", &node), -ENOSPC);
    assert_string_equal(output(*state, "grep -c 'repo: its share of the node table' said"), "1");
    mounted_close(&mounted);
    log_close(log);
}

/* A shown folder of tags is there as long as it is shown, and no name of it is taken for a version's. */
static void test_a_folder_of_tags_is_no_version(void **state)
{
    struct mounted mounted;
    uint32_t node;

    make_repository(*state);
    run(*state, "git -C repo tag release/old/1");
    mounted_open(&mounted, state, "./repo?tag=1");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    uint32_t release = walk(&mounted, "repo/release");
    assert_int_equal(node_get(mounted.mount.nodes, release)->kind, NODE_PREFIX);
    assert_string_equal(listed(&mounted, release), "3 old");
    assert_string_equal(listed(&mounted, walk(&mounted, "repo/release/old/1")), "file folder");
    assert_int_equal(look_up(&mounted, release, "2", &node), -ENOENT);
    assert_int_equal(look_up(&mounted, release, ".git", &node), -ENOENT);
    /* A commit is a folder of its repository, and of no other. */
    assert_int_equal(look_up(&mounted, release, output(*state, "git -C repo rev-parse 1"), &node),
                     -ENOENT);
    mounted_close(&mounted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file_is_no_folder, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_number_of_a_list_that_was_another_is_stale,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_commit_is_one_folder_however_it_is_spelled,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_missing_name_asks_once_a_second, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_who_gets_an_older_answer_asks_again, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_a_remote_that_is_gone_would_know_is_not_missing,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_of_very_many_versions_names_are_told, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_name_finds_the_room_that_others_have_left,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_folder_of_tags_is_no_version, sandbox_open,
                                        sandbox_close),
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
