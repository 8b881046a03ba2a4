/* test_checkout.c - from git's trees and blobs to nodes and bytes: what each becomes, and what is said where the node table or the
 * cache is damaged, or has no room. */
#include "fs/shared/nodes_layout.h"
#include "fs/tree/sizes.h"
#include "gitcache/store/last_read.h"
#include "tests/unit/mounted.h"

static struct log *lines;

static void open_it(struct mounted *mounted, void **state, const char *source)
{
    mounted_open(mounted, state, source);
    lines = mounted_log(mounted, LOG_LEVEL_DEBUG);
}

static void close_it(struct mounted *mounted)
{
    mounted_close(mounted);
    log_close(lines);
}

static struct node *node_of(struct mounted *mounted, uint32_t index)
{
    return (struct node *)node_get(mounted->mount.nodes, index);
}

static void what_git_has_becomes_nodes(void **state)
{
    static const struct {
        const char *path;
        enum node_kind kind;
        uint64_t size;
    } rows[] = {{"repo/1/file", NODE_FILE, 2},        {"repo/1/run", NODE_EXECUTABLE, 5},
                {"repo/1/link", NODE_SYMLINK, 4},     {"repo/1/folder", NODE_TREE, 0},
                {"repo/1/module", NODE_SUBMODULE, 0}, {"repo/1/folder/deep/file", NODE_FILE, 3},
                {"repo/1/folder/deep", NODE_TREE, 0}};
    struct mounted mounted;

    run_once(
        *state,
        "git init -q repo; cd repo; mkdir -p folder/deep; echo 1 >file; echo 1234 >run; chmod +x "
        "run;"
        "ln -s file link; echo 12 >folder/deep/file; git add .; git update-index --add --cacheinfo "
        "160000,1111111111111111111111111111111111111111,module; git commit -qm 1; git tag 1");
    mounted_open(&mounted, state, "./repo?tag=1");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct node *node = node_of(&mounted, walk(&mounted, rows[i].path));
        assert_int_equal(node->kind, rows[i].kind);
        if (!node_is_folder(node))
            assert_int_equal(node->size, rows[i].size);
        assert_int_equal(node_mtime(mounted.mount.nodes, node), 1600000000);
    }
    assert_string_equal(listed(&mounted, walk(&mounted, "repo/1/module")), "");
    assert_string_equal(listed(&mounted, walk(&mounted, "repo/1")), "file folder link module run");
    mounted_close(&mounted);
}

/* The kernel may have asked for the version's attributes before its commit was known. */
static void a_version_that_is_opened_has_other_attributes(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    walk(&mounted, "repo/1/file"); /* the cache has it from then on */
    mounted_close(&mounted);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t version = walk(&mounted, "repo/1");
    unsigned changes = mounted.changes, renames = mounted.renames;
    assert_int_equal(look_up(&mounted, version, "file", &file), 0);
    assert_int_equal(mounted.changes, changes + 1);
    assert_int_equal(mounted.renames, renames);
    mounted_close(&mounted);
}

static int publish(struct mounted *mounted, uint32_t node, const char *commit, bool replace,
                   struct error *e)
{
    struct repo *repo = repos_at(&mounted->mount.repos, 0);
    struct version version;

    assert_int_equal(versions_find(repo->repository, commit, NULL, &version, NULL), 0);
    return checkout_publish(&mounted->mount, repo, node, &version, replace, NULL, e);
}

static uint32_t shown(struct mounted *mounted, uint32_t version)
{
    uint32_t checkout;

    assert_int_equal(node_checkout(mounted->mount.nodes, version, &checkout), 0);
    return checkout;
}

static void only_a_branch_is_switched(void **state)
{
    struct mounted mounted;
    struct error e = {0};
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=main");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    uint32_t tag = walk(&mounted, "repo/1"), branch = walk(&mounted, "repo/main");
    assert_int_equal(look_up(&mounted, tag, "file", &file), 0);
    assert_int_equal(look_up(&mounted, branch, "file", &file), 0);
    uint32_t first = shown(&mounted, tag), main_shown = shown(&mounted, branch);
    assert_int_equal(publish(&mounted, tag, "main", true, &e), 0);
    assert_int_equal(shown(&mounted, tag), first);
    assert_int_equal(publish(&mounted, branch, "main", true, &e), 0); /* it shows that already */
    assert_int_equal(publish(&mounted, branch, "1", false, &e), 0);
    assert_int_equal(shown(&mounted, branch), main_shown);
    assert_int_equal(publish(&mounted, branch, "1", true, &e), 0);
    assert_int_not_equal(shown(&mounted, branch), main_shown);
    mounted_close(&mounted);
}

/* gc took it after it had been found. */
static void what_gc_has_just_removed_is_not_there(void **state)
{
    struct mounted mounted;
    struct error e = {0};
    struct version version;
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t one = walk(&mounted, "repo/1");
    assert_int_equal(look_up(&mounted, one, "file", &file), 0);
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    assert_int_equal(versions_find(repo->repository, "1", NULL, &version, NULL), 0);
    run(*state, "rm $(find cache -path '*/refs/tags/1' -o -name startpointfs-pins)");
    assert_int_equal(
        checkout_publish(&mounted.mount, repo, walk(&mounted, "repo/2"), &version, false, NULL, &e),
        -ENOENT);
    assert_string_equal(e.text, "gc has removed the version from the cache");
    mounted_close(&mounted);
}

static void assert_damaged(uint32_t index, int r, const struct error *e)
{
    char sentence[100];

    snprintf(sentence, sizeof sentence,
             "the node table is damaged at inode %u: unmount and mount again", index + 1);
    assert_int_equal(r, -EIO);
    assert_string_equal(e->text, sentence);
}

static void a_damaged_node_table_is_said(void **state)
{
    struct mounted mounted;
    struct content content;
    struct error e = {0};
    uint32_t version;
    struct repo *repo;

    make_repository(*state);
    run(*state, "cd repo; mkdir -p a/b; touch a/b/c; git add .; git commit -qm 3; git tag 3");
    mounted_open(&mounted, state, "./repo?tag=3");
    struct mount *mount = &mounted.mount;
    uint32_t a = walk(&mounted, "repo/3/a"), b = walk(&mounted, "repo/3/a/b"),
             file = walk(&mounted, "repo/3/file");
    assert_int_equal(checkout_owner(mount, file, &version, &repo), 0);
    assert_int_equal(version, walk(&mounted, "repo/3"));
    assert_ptr_equal(repo, repos_at(&mount->repos, 0));
    /* No such node; one of no checkout; one whose checkout is none, or of no version; one that is in itself. */
    assert_damaged(90000, checkout_open_tree(mount, 90000, NULL, &e), &e);
    assert_damaged(NODE_ROOT_INDEX, checkout_read(mount, NODE_ROOT_INDEX, NULL, &content, &e), &e);
    uint32_t checkout = node_of(&mounted, file)->checkout;
    node_of(&mounted, file)->checkout = a;
    node_of(&mounted, a)->parent = version;
    assert_damaged(file, checkout_read(mount, file, NULL, &content, &e), &e);
    node_of(&mounted, file)->checkout = checkout;
    node_of(&mounted, checkout)->parent = repo->node;
    assert_damaged(file, checkout_read(mount, file, NULL, &content, &e), &e);
    node_of(&mounted, checkout)->parent = version;
    node_of(&mounted, a)->parent = b;
    assert_damaged(b, checkout_open_tree(mount, b, NULL, &e), &e);
    node_of(&mounted, a)->parent = checkout;
    for (int i = 0; i < 2; i++) /* once more is nothing */
        assert_int_equal(checkout_open_tree(mount, b, NULL, &e), 0);
    assert_string_equal(listed(&mounted, b), "c");
    mounted_close(&mounted);
}

/* What told it was damaged, with right checksums: no reader gets bytes of another number. */
static void a_size_that_was_wrong_is_eio_and_corrected(void **state)
{
    struct mounted mounted;
    struct content content;
    struct error e = {0};

    make_repository(*state);
    run(*state,
        "cd repo; echo '*.x eol=crlf' >.gitattributes; echo 1 >a.x; git add .; git commit -qm 3; "
        "git tag 3;"
        "git clone -q . ../other; printf '%%s\\n' './repo?tag=3' './other?tag=3' >../some.list");
    open_it(&mounted, state, "./some.list");
    struct mount *mount = &mounted.mount;
    uint32_t file = walk(&mounted, "repo/3/file"), deep = walk(&mounted, "repo/3/folder/file");
    uint32_t converted = walk(&mounted, "repo/3/a.x"), other = walk(&mounted, "other/3/file");
    assert_int_equal(node_of(&mounted, converted)->size, 3);
    node_of(&mounted, file)->size = 77;
    node_of(&mounted, deep)->size = 78;
    node_of(&mounted, other)->size = 79;
    assert_int_equal(checkout_read(mount, file, NULL, &content, &e), -EIO);
    assert_string_equal(e.text, "file has 2 bytes, and a different size was reported");
    mount->observer.file_corrected = NULL;
    sizes_correct(mount, repos_find(&mount->repos, "repo",
                                    repository_url(repos_at(&mount->repos, 0)->repository)));
    assert_int_equal(node_of(&mounted, file)->size, 2);
    assert_int_equal(node_of(&mounted, deep)->size, 5);
    assert_int_equal(node_of(&mounted, converted)->size, 3); /* that was found by reading it */
    assert_int_equal(node_of(&mounted, other)->size, 79);
    assert_int_equal(said(state, "repo: the sizes of 2 files came from damaged data"), 1);
    assert_int_equal(checkout_read(mount, file, NULL, &content, &e), 0);
    content_release(&content);
    close_it(&mounted);
}

static void note_corrected(void *data, uint32_t file)
{
    uint32_t *corrected = data;
    corrected[++*corrected] = file;
}

static void the_kernel_is_told_of_each_corrected_size(void **state)
{
    struct mounted mounted;
    uint32_t corrected[10] = {0};

    make_repository(*state);
    open_it(&mounted, state, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file");
    mounted.mount.observer =
        (struct mount_observer){.file_corrected = note_corrected, .data = corrected};
    for (int i = 0; i < 2; i++) {
        sizes_correct(&mounted.mount, repos_at(&mounted.mount.repos, 0));
        assert_int_equal(corrected[0], i);
        assert_int_equal(said(state, "came from damaged data"), i);
        node_of(&mounted, file)->size = 77;
    }
    assert_int_equal(corrected[1], file);
    close_it(&mounted);
}

/* So many nodes that are in a version that is shown, on a repository's account or on nobody's. */
static void use_nodes(struct mounted *mounted, uint32_t count, uint32_t checkout, uint32_t account)
{
    struct node_spec *specs = calloc(count, sizeof *specs);
    uint32_t first;

    assert_non_null(specs);
    for (uint32_t i = 0; i < count; i++)
        specs[i] = (struct node_spec){.kind = NODE_FILE,
                                      .name = "",
                                      .parent = checkout,
                                      .checkout = checkout,
                                      .account = account};
    assert_int_equal(nodes_append(mounted->mount.nodes, specs, count, &first), 0);
    free(specs);
}

static void what_has_no_room_in_the_node_table_says_why(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    open_it(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    const struct nodes *nodes = mounted.mount.nodes;
    walk(&mounted, "repo/1/file");
    uint32_t checkout = shown(&mounted, walk(&mounted, "repo/1")),
             second = walk(&mounted, "repo/2");
    uint32_t third = walk(&mounted, "repo/release/3");
    use_nodes(&mounted, nodes_share(nodes) - nodes_charged(nodes, repo->node), checkout,
              repo->node);
    atomic_store(&repo->charged, nodes_share(nodes)); /* no sweep is due */
    assert_int_equal(look_up(&mounted, second, "file", &file), -ENOSPC);
    assert_int_equal(
        said(state, "error.*repo: repo: its share of the node table (12500 nodes) is used up"), 1);
    assert_true(repo->has_no_room);
    atomic_store((_Atomic uint32_t *)&node_of(&mounted, repo->node)->checkout,
                 10); /* as if it had fewer */
    use_nodes(&mounted, nodes_max(nodes) - nodes_used(nodes), checkout, 0);
    assert_int_equal(look_up(&mounted, third, "file", &file), -ENOSPC);
    assert_int_equal(
        said(
            state,
            "error.*repo: the node table is full (100000 nodes): unmount, and mount with a larger"),
        1);
    /* What was there goes on. */
    assert_int_equal(look_up(&mounted, walk(&mounted, "repo/1"), "file", &file), 0);
    close_it(&mounted);
}

/* A pin is for what is being made, and there are not many. */
static void what_has_no_room_is_pinned_no_longer(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    open_it(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    struct nodes *nodes = mounted.mount.nodes;
    walk(&mounted, "repo/1/file");
    uint32_t checkout = shown(&mounted, walk(&mounted, "repo/1")),
             second = walk(&mounted, "repo/2");
    /* One is left: for the checkout, and not for what is in it. */
    use_nodes(&mounted, nodes_share(nodes) - nodes_charged(nodes, repo->node) - 1, checkout,
              repo->node);
    atomic_store(&repo->charged, nodes_share(nodes)); /* no sweep is due */
    assert_int_equal(look_up(&mounted, second, "file", &file), -ENOSPC);
    for (size_t i = 0; i < PINS; i++)
        assert_int_equal(nodes->pins[i], 0);
    close_it(&mounted);
}

/* As gc sees it: when a version was read last. */
static int64_t read_at(const struct repo *repo, const char *ref)
{
    return last_read_at(repository_folder(repo->repository), ref);
}

/* Who reads two of them by turns, whose marks have one place: each is told of. */
static void each_version_that_is_read_is_marked(void **state)
{
    struct mounted mounted;
    struct content content;
    struct error e;

    make_repository(*state);
    open_it(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    uint32_t file = walk(&mounted, "repo/1/file"), second = walk(&mounted, "repo/2"), other;
    uint32_t checkout = shown(&mounted, walk(&mounted, "repo/1"));
    use_nodes(&mounted, (checkout - nodes_used(mounted.mount.nodes)) % MOUNT_READ_MARKS, checkout,
              0);
    assert_int_equal(look_up(&mounted, second, "file", &other), 0);
    assert_int_equal(shown(&mounted, second) % MOUNT_READ_MARKS, checkout % MOUNT_READ_MARKS);
    run(*state, "find cache -path '*refs/tags*' -type f -exec touch -d '1 hour ago' {} +");
    int64_t before = read_at(repo, "refs/tags/1");
    assert_int_equal(checkout_read(&mounted.mount, file, NULL, &content, &e), 0);
    content_release(&content);
    assert_true(read_at(repo, "refs/tags/1") > before);
    before = read_at(repo, "refs/tags/2");
    assert_int_equal(checkout_read(&mounted.mount, other, NULL, &content, &e), 0);
    content_release(&content);
    assert_true(read_at(repo, "refs/tags/2") > before);
    close_it(&mounted);
}

/* Nobody dies of it a third time; who reads the mount is not given up with it. */
static void what_two_workers_died_reading_is_left_out_for_a_minute(void **state)
{
    struct mounted mounted;
    uint32_t node;

    make_repository(*state);
    open_it(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    struct crash_record *crashes = &mounted.mount.state->crashes;
    uint64_t key = crash_record_key_of_cached(repository_url(repo->repository));
    for (int death = 0; death < 2; death++) {
        assert_true(publish_reading_begins(&mounted.mount, repo));
        crash_record_recover(crashes, false);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(look_up(&mounted, repo->node, "1", &node), -EIO);
        assert_int_equal(open_folder(&mounted, repo->node), -EIO);
        assert_int_equal(repo_backoff(repo), -EIO);
    }
    assert_int_equal(
        said(state, "error.*: 2 workers died reading it from the cache: left out for 60 s"), 1);
    /* A minute later it has one more chance. */
    for (size_t i = 0; i < CRASH_SLOTS; i++)
        crashes->slots[i].died_at -= CRASH_PAUSE;
    repo_succeeded(repo);
    assert_int_equal(crash_record_judge(crashes, key), CRASH_TRIAL);
    assert_int_equal(look_up(&mounted, repo->node, "1", &node), 0);
    assert_int_equal(crash_record_deaths(crashes, key), 0);
    close_it(&mounted);
}

/* Who reads a part of it knows nothing of the rest: deaths of before stay counted. */
static void a_part_that_is_read_says_nothing_of_the_rest(void **state)
{
    struct mounted mounted;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    struct crash_record *crashes = &mounted.mount.state->crashes;
    uint64_t key = crash_record_key_of_cached(repository_url(repo->repository));
    for (unsigned deaths = 0; deaths < 2; deaths++) {
        assert_true(publish_reading_begins(&mounted.mount, repo));
        publish_reading_ends_early(&mounted.mount, repo);
        crash_record_recover(crashes, false); /* of something else */
        assert_int_equal(crash_record_deaths(crashes, key), deaths);
        assert_true(publish_reading_begins(&mounted.mount, repo));
        crash_record_recover(crashes, false);
        assert_int_equal(crash_record_deaths(crashes, key), deaths + 1);
    }
    mounted_close(&mounted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(what_git_has_becomes_nodes),
        TEST(a_version_that_is_opened_has_other_attributes),
        TEST(only_a_branch_is_switched),
        TEST(what_gc_has_just_removed_is_not_there),
        TEST(a_damaged_node_table_is_said),
        TEST(a_size_that_was_wrong_is_eio_and_corrected),
        TEST(the_kernel_is_told_of_each_corrected_size),
        TEST(what_has_no_room_in_the_node_table_says_why),
        TEST(what_has_no_room_is_pinned_no_longer),
        TEST(each_version_that_is_read_is_marked),
        TEST(what_two_workers_died_reading_is_left_out_for_a_minute),
        TEST(a_part_that_is_read_says_nothing_of_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
