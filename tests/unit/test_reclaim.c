/* test_reclaim.c - sweeps of the node table: what the kernel need not remember, what is forgotten with it, and when one is due. */
#include "fs/shared/holds.h"
#include "fs/tree/reclaim.h"
#include "tests/unit/mounted.h"

struct told {
    struct mounted *mounted;
    unsigned times, count;
};

/* As a kernel that forgets what it is told to, of what it knows: files called n and a number. */
static void forget_all(void *data, const uint64_t *ids, size_t count)
{
    struct told *told = data;

    told->times++;
    told->count += count;
    for (size_t i = 0; i < count; i++) {
        struct nodes *nodes = told->mounted->mount.nodes;
        uint32_t node;
        assert_true(node_of_id(nodes, ids[i], &node));
        if (*node_name(nodes, node_get(nodes, node)) == 'n')
            node_forget(nodes, ids[i], 1);
    }
}

/* A branch that has moved, of whose former tree the kernel knows all that is in it. Returns that tree's node. */
static uint32_t open_moved(struct mounted *mounted, void **state, unsigned files)
{
    char name[20];
    uint32_t file;

    make_repository(*state);
    run(*state, "cd repo; for n in $(seq %u); do echo $n >n$n; done; git add .; git commit -qm 3",
        files);
    mounted_open(mounted, state, "./repo?tag=main");
    assert_int_equal(open_folder(mounted, walk(mounted, "repo")), 0);
    uint32_t branch = walk(mounted, "repo/main"), before;
    assert_int_equal(look_up(mounted, branch, "file", &file), 0);
    assert_int_equal(node_checkout(mounted->mount.nodes, branch, &before), 0);
    for (unsigned i = 1; i <= files; i++) {
        snprintf(name, sizeof name, "n%u", i);
        assert_int_equal(look_up(mounted, before, name, &file), 0);
        node_hold(mounted->mount.nodes, file);
    }
    run(*state, "cd repo; git rm -q n*; git commit -qm 4");
    ask_newest_later(&mounted->mount,
                     repo_version_get(repos_at(&mounted->mount.repos, 0), "main", NULL));
    settle(mounted);
    assert_int_equal(look_up(mounted, branch, "n1", &file), -ENOENT);
    return before;
}

static void the_kernel_is_told_what_it_need_not_remember(void **state)
{
    struct mounted mounted;
    struct told told = {.mounted = &mounted};
    uint32_t before = open_moved(&mounted, state, 300);
    struct mount *mount = &mounted.mount;

    assert_int_equal(reclaim_now(mount), 0); /* by a kernel that cannot be told */
    assert_non_null(node_get(mount->nodes, before));
    mount->observer.unwanted = forget_all;
    mount->observer.data = &told;
    mount->observer.folder_changed = NULL;
    mount->reclaimed_at = 0;
    assert_true(reclaim_now(mount) > 300);
    assert_null(node_get(mount->nodes, before));
    assert_int_equal(told.times, 2); /* a few hundred at a time */
    assert_in_range(told.count, 300, 310);
    told.times = 0;
    mount->reclaimed_at = 0;
    assert_int_equal(reclaim_now(mount), 0);
    assert_int_equal(told.times, 0);
    mounted_close(&mounted);
}

static void what_is_read_stays(void **state)
{
    struct mounted mounted;
    uint32_t branch, shown;

    open_moved(&mounted, state, 1);
    branch = walk(&mounted, "repo/main");
    assert_int_equal(node_checkout(mounted.mount.nodes, branch, &shown), 0);
    reclaim_now(&mounted.mount);
    assert_non_null(node_get(mounted.mount.nodes, shown));
    assert_string_equal(listed(&mounted, branch), "file folder");
    mounted_close(&mounted);
}

/* A tag that the remote has no more leaves its folder's node, and what was remembered for it. */
static void a_name_that_is_gone_is_forgotten(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    assert_int_equal(open_folder(&mounted, repo->node), 0);
    uint32_t release = walk(&mounted, "repo/release"), stays = walk(&mounted, "repo/2");
    assert_int_equal(look_up(&mounted, stays, "file", &file), 0);
    uint32_t gone = walk(&mounted, "repo/release/3");
    struct repo_version *version = namespace_version(&mounted.mount, gone);
    assert_int_equal(version->node_count, 1);
    run(*state, "git -C repo tag -d release/3; git -C repo tag -d 2");
    mounted.settings.refs_ttl = 0;
    assert_int_equal(open_folder(&mounted, repo->node), 0);
    mounted.settings.refs_ttl = 60;
    assert_int_equal(reclaim_now(&mounted.mount), 2);
    assert_null(node_get(mounted.mount.nodes, gone));
    assert_null(node_get(mounted.mount.nodes, release));
    assert_int_equal(version->node_count, 0);
    assert_null(repo_version_of_node(repo, gone));
    /* What the cache has goes on. */
    assert_int_equal(walk(&mounted, "repo/2"), stays);
    mounted_close(&mounted);
}

static uint32_t waste(struct mounted *mounted, struct repo *repo)
{
    struct node_spec spec = {.kind = NODE_CHECKOUT, .name = "", .account = repo->node};
    uint32_t node;

    assert_int_equal(nodes_append(mounted->mount.nodes, &spec, 1, &node), 0);
    return node;
}

/* When a repository has half as many nodes again as after the last one, and 4,096. */
static void when_a_sweep_is_due(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    const struct nodes *nodes = mounted.mount.nodes;
    for (uint32_t after_last = 0; after_last <= 1000; after_last += 1000) {
        atomic_store(&repo->charged, after_last);
        while (nodes_charged(nodes, repo->node) < after_last / 2 * 3 + 4096)
            waste(&mounted, repo);
        assert_false(reclaim_is_due(&mounted.mount, repo));
        waste(&mounted, repo);
        assert_true(reclaim_is_due(&mounted.mount, repo));
    }
    reclaim_if_due(&mounted.mount, repo);
    assert_int_equal(nodes_charged(nodes, repo->node), 0);
    assert_int_equal(repo->charged, 0);
    assert_false(reclaim_is_due(&mounted.mount, repo));
    uint32_t node = waste(&mounted, repo);
    reclaim_if_due(&mounted.mount, repo); /* none is */
    assert_non_null(node_get(nodes, node));
    mounted_close(&mounted);
}

/* It is said again when it has been used up once more: less than seven eighths of it are used. */
static void a_share_that_has_room_again(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    walk(&mounted, "repo/1/file");
    uint32_t checkout, share = nodes_share(mounted.mount.nodes);
    assert_int_equal(node_checkout(mounted.mount.nodes, walk(&mounted, "repo/1"), &checkout), 0);
    for (int i = 1; i >= 0; i--) {
        reclaim_now(&mounted.mount); /* what it has is counted anew */
        mounted.mount.reclaimed_at = 0;
        uint32_t first, charged = nodes_charged(mounted.mount.nodes, repo->node);
        uint32_t count = share / 8 * 7 - (unsigned)i - charged;
        struct node_spec *specs = calloc(count, sizeof *specs);
        for (uint32_t j = 0; j < count; j++)
            specs[j] = (struct node_spec){.kind = NODE_FILE,
                                          .name = "",
                                          .parent = checkout,
                                          .checkout = checkout,
                                          .account = repo->node};
        assert_int_equal(nodes_append(mounted.mount.nodes, specs, count, &first), 0);
        free(specs);
        repo_has_no_room(repo);
        reclaim_now(&mounted.mount);
        mounted.mount.reclaimed_at = 0;
        assert_int_equal(repo->has_no_room, i == 0);
    }
    assert_false(repo_has_no_room(repo)); /* said already */
    mounted_close(&mounted);
}

/* What was a folder of tags is a tag by now, and what was a branch; commits are in no listing, and stay. */
static void a_name_that_means_something_else_is_another_node(void **state)
{
    struct mounted mounted;
    char commit[OID_HEX_SIZE];
    uint32_t by_id;

    make_repository(*state);
    run(*state, "git -C repo branch x");
    mounted_open(&mounted, state, "./repo?tag=x");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    const struct nodes *nodes = mounted.mount.nodes;
    assert_int_equal(open_folder(&mounted, repo->node), 0);
    uint32_t prefix = walk(&mounted, "repo/release"), tag = walk(&mounted, "repo/release/3");
    uint32_t branch = walk(&mounted, "repo/x"), stays = walk(&mounted, "repo/1");
    snprintf(commit, sizeof commit, "%s", output(*state, "git -C repo rev-parse 1"));
    assert_int_equal(look_up(&mounted, repo->node, commit, &by_id), 0);
    run(*state, "cd repo; git tag -d release/3; git tag release 1; git branch -qD x; git tag x");
    mounted.settings.refs_ttl = 0;
    assert_int_equal(open_folder(&mounted, repo->node), 0);
    mounted.settings.refs_ttl = 60;
    assert_int_equal(reclaim_now(&mounted.mount), 3);
    assert_true(!node_get(nodes, prefix) && !node_get(nodes, tag) && !node_get(nodes, branch));
    assert_int_equal(walk(&mounted, "repo/1"), stays);
    uint32_t again;
    assert_int_equal(look_up(&mounted, repo->node, commit, &again), 0);
    assert_int_equal(again, by_id);
    assert_int_equal(node_get(nodes, walk(&mounted, "repo/release"))->kind, NODE_VERSION);
    assert_int_equal(node_get(nodes, walk(&mounted, "repo/x"))->flags & NODE_BRANCH, 0);
    mounted_close(&mounted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(the_kernel_is_told_what_it_need_not_remember),
        TEST(what_is_read_stays),
        TEST(a_name_that_is_gone_is_forgotten),
        TEST(when_a_sweep_is_due),
        TEST(a_share_that_has_room_again),
        TEST(a_name_that_means_something_else_is_another_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
