/* test_lists.c - what a mount shows when its lists change, and what the next worker shows: the tree
 * alone, without FUSE and without a network. */
#include <fcntl.h>

#include "sandbox.h"

#include "fs/shared/children.h"
#include "fs/shared/last_reading.h"
#include "fs/tree/control_folder.h"
#include "fs/tree/lists.h"
#include "fs/tree/lists_open.h"
#include "fs/tree/lists_reload.h"
#include "fs/tree/mounted_set.h"
#include "fs/tree/parked.h"
#include "fs/tree/publish.h"

/* The memory outlives a worker; the mount is one worker's. */
struct world {
    struct sandbox *box;
    struct settings settings;
    int nodes_fd, state_fd, lists_fd;
    struct mount mount;
};

static void begin_worker(struct world *world)
{
    struct mount *mount = &world->mount;
    struct error error = {0};

    *mount = (struct mount){.settings = &world->settings, .last_reading = world->lists_fd};
    pthread_mutex_init(&mount->folders, NULL);
    assert_int_equal(nodes_map(&mount->nodes, world->nodes_fd, &error), 0);
    assert_int_equal(state_map(&mount->state, world->state_fd, &error), 0);
    assert_int_equal(cache_open(&mount->cache, world->settings.cache, false, &error), 0);
    repos_init(&mount->repos, mount->nodes, mount->cache);
    mount->parked = parked_new(30000);
    assert_non_null(mount->parked);
    assert_int_equal(publish_root(mount, &error), 0);
    assert_int_equal(control_folder_open(mount, &error), 0);
}

static void end_worker(struct world *world)
{
    struct mount *mount = &world->mount;

    parked_free(mount->parked);
    lists_close(mount);
    repos_release(&mount->repos);
    cache_close(mount->cache);
    nodes_unmap(mount->nodes);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct error error = {0};

    assert_non_null(world);
    assert_int_equal(sandbox_open((void **)&world->box), 0);
    assert_int_equal(settings_init(&world->settings), 0);
    free(world->settings.cache);
    assert_true(asprintf(&world->settings.cache, "%s/cache", world->box->folder) > 0);
    world->nodes_fd = nodes_create(100000, 1700000000, &error);
    world->state_fd = state_create(&error);
    world->lists_fd = last_reading_create(&error);
    assert_true(world->nodes_fd >= 0 && world->state_fd >= 0 && world->lists_fd >= 0);
    begin_worker(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    end_worker(world);
    close(world->nodes_fd);
    close(world->state_fd);
    close(world->lists_fd);
    settings_release(&world->settings);
    sandbox_close((void **)&world->box);
    free(world);
    return 0;
}

/* The names in the root, as a listing shows them, with a blank behind each. */
static const char *shown(const struct world *world)
{
    static char text[4096];
    const struct nodes *nodes = world->mount.nodes;
    uint64_t offset = 0;
    uint32_t child;

    text[0] = '\0';
    while (node_next(nodes, NODE_ROOT_INDEX, &offset, &child) == 0)
        strcat(strcat(text, node_name(nodes, node_get(nodes, child))), " ");
    return text;
}

static void open_operand(struct world *world, const char *operand)
{
    struct error error = {0};
    char *operands[] = {(char *)operand};

    if (lists_open(&world->mount, world->box->folder, operands, 1, &error) < 0)
        fail_msg("%s", error.text);
}

static void resume_operand(struct world *world, const char *operand)
{
    struct error error = {0};
    char *operands[] = {(char *)operand};

    end_worker(world);
    begin_worker(world);
    if (lists_resume(&world->mount, world->box->folder, operands, 1, &error) < 0)
        fail_msg("%s", error.text);
}

/* Two changes may come within one tick of the clock; a kernel that has the listing of the first
 * would keep it. */
static void each_change_makes_the_root_later(void **state)
{
    struct world *world = *state;
    int64_t before;

    run(world->box, "echo https://h/a >pp.list");
    open_operand(world, "pp.list");
    before = atomic_load(&world->mount.changed_at);
    atomic_store(&world->mount.changed_at, before += 1000000000); /* the clock stands still */
    for (int i = 0; i < 20; i++) {
        run(world->box, "echo https://h/%c >pp.list", i % 2 ? 'a' : 'b');
        assert_int_equal(lists_reload(&world->mount), 0);
        assert_string_equal(shown(world), i % 2 ? "a " : "b ");
        assert_true(atomic_load(&world->mount.changed_at) > before);
        before = atomic_load(&world->mount.changed_at);
    }
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_true(atomic_load(&world->mount.changed_at) == before);
}

static void a_list_that_is_gone_stays(void **state)
{
    struct world *world = *state;

    run(world->box, "echo https://h/a >pp.list");
    open_operand(world, "pp.list");
    run(world->box, "rm pp.list");
    assert_int_equal(lists_reload(&world->mount), 1);
    assert_string_equal(shown(world), "a ");
    assert_non_null(strstr(world->mount.lists->first->fault, "cannot read the list"));
    resume_operand(world, "pp.list");
    assert_string_equal(shown(world), "a ");
    assert_int_equal(lists_reload(&world->mount), 1);
    assert_string_equal(shown(world), "a ");
    run(world->box, "echo https://h/b >pp.list");
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_string_equal(shown(world), "b ");
    assert_null(world->mount.lists->first->fault);
}

static void a_folder_loses_lists_only_while_it_is_there(void **state)
{
    struct world *world = *state;

    run(world->box, "mkdir lists; echo https://h/a >lists/a.list; echo https://h/b >lists/b.list");
    open_operand(world, "lists");
    assert_string_equal(shown(world), "a b ");
    run(world->box, "rm lists/b.list");
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_string_equal(shown(world), "a ");
    run(world->box, "mv lists gone");
    assert_int_equal(lists_reload(&world->mount), 1);
    assert_string_equal(shown(world), "a ");
    assert_non_null(world->mount.lists->folders->fault);
    assert_non_null(world->mount.lists->first->fault);
    resume_operand(world, "lists");
    assert_string_equal(shown(world), "a ");
    run(world->box, "mv gone lists; rm lists/a.list");
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_string_equal(shown(world), "");
}

/* Once, and so is its end. */
static void a_fault_is_said(void **state)
{
    struct world *world = *state;
    char path[100];

    snprintf(path, sizeof path, "%s/said", world->box->folder);
    assert_int_equal(log_open(&world->mount.log, LOG_LEVEL_INFO, path, 0), 0);
    run(world->box, "mkdir lists; echo https://h/a >lists/a.list");
    open_operand(world, "lists");
    for (int i = 0; i < 3; i++) {
        run(world->box, i % 2 ? "mv lists gone" : "test ! -e gone || mv gone lists");
        for (int times = 0; times < 2; times++)
            assert_int_equal(lists_reload(&world->mount), i % 2);
    }
    run(world->box, "echo nonsense >lists/a.list");
    lists_reload(&world->mount);
    lists_reload(&world->mount);
    run(world->box, "echo https://h/a >lists/a.list");
    lists_reload(&world->mount);
    lists_reload(&world->mount);
    log_close(world->mount.log);
    world->mount.log = NULL;
    assert_string_equal(
        output(world->box,
               "echo $(grep -o 'stays in use\\|can be read again\\|in order again' said)"),
        "stays in use can be read again in order again stays in use in order again");
}

/* Where nothing is kept, a worker shows what can be read, and remembers what cannot. */
static void nothing_kept(void **state)
{
    struct world *world = *state;

    run(world->box, "echo https://h/a >pp.list");
    open_operand(world, "pp.list");
    run(world->box, "echo nonsense:// >pp.list");
    assert_int_equal(ftruncate(world->lists_fd, 0), 0);
    resume_operand(world, "pp.list");
    assert_string_equal(shown(world), "");
    assert_non_null(world->mount.lists->first->fault);
    run(world->box, "echo https://h/b >pp.list");
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_string_equal(shown(world), "b ");
}

static void a_list_is_named_after_its_file(void **state)
{
    static const struct {
        const char *path, *name;
    } rows[] = {
        {"/etc/startpointfs/pp.list", "pp"},
        {"pp.list", "pp"},
        {"./pp.v2.list", "pp.v2"},
        {"/a.b/pp", "pp"},
        {".list", ".list"},
        {"/a/..list", "."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *name = lists_name_of_file(rows[i].path);
        assert_string_equal(name, rows[i].name);
        free(name);
    }
}

/* As they are after the tables have grown, several times. */
static void each_repository_is_found(void **state)
{
    struct world *world = *state;
    struct repos *repos = &world->mount.repos;
    struct repo *repo;
    size_t count = 0;

    run(world->box, "for i in $(seq 70); do echo \"https://h/r$i?tag=1\"; done >pp.list");
    open_operand(world, "pp.list");
    for (; (repo = repos_at(repos, count)); count++) {
        assert_ptr_equal(repos_of_node(repos, repo->node), repo);
        assert_ptr_equal(repos_find(repos, repo->name, repository_url(repo->repository)), repo);
    }
    assert_int_equal(count, 70);
}

static void two_lists_have_two_names(void **state)
{
    struct world *world = *state;
    char a[] = "a/pp.list", b[] = "b/pp.list", *operands[] = {a, b};
    struct error error = {0};

    run(world->box, "mkdir a b; echo 'https://h/a?tag=1' >a/pp.list; cp a/pp.list b/pp.list");
    assert_int_equal(lists_open(&world->mount, world->box->folder, operands, 2, &error), -EINVAL);
    assert_non_null(strstr(error.text, "/b/pp.list: another list is also named 'pp'"));
}

static void a_version_is_one_by_its_name_and_its_commit(void **state)
{
    static const char *const commits[] = {NULL, "1111111111111111111111111111111111111111",
                                          "2222222222222222222222222222222222222222"};
    struct world *world = *state;
    struct repo_version *versions[6];

    run(world->box, "echo 'https://h/a?tag=1' >pp.list");
    open_operand(world, "pp.list");
    struct repo *repo = repos_at(&world->mount.repos, 0);
    for (int i = 0; i < 6; i++) {
        versions[i] = repo_version_get(repo, i % 2 ? "1" : NULL, commits[i / 2]);
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(versions[i], versions[j]);
    }
    for (int i = 0; i < 6; i++)
        assert_ptr_equal(repo_version_get(repo, i % 2 ? "1" : NULL, commits[i / 2]), versions[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* What a list says, read once more. */
static struct mounted_set *read_again(struct world *world, const char *line)
{
    struct mounted_set *mounted;
    struct error error;
    char path[100];

    run(world->box, "echo '%s' >one.list", line);
    snprintf(path, sizeof path, "%s/one.list", world->box->folder);
    assert_int_equal(mounted_set_read(&world->settings, "one", path, &mounted, &error), 0);
    return mounted;
}

static void a_list_is_another_when_it_says_something_else(void **state)
{
    static const char *const others[] = {"https://h/x?tag=2", "https://h/x", "https://h/y?tag=1",
                                         "https://h/x?tag=1&name=z"};
    struct mounted_set *one = read_again(*state, "https://h/x?tag=1");
    struct mounted_set *same = read_again(*state, "  https://h/x?tag=1 # a comment");

    assert_true(mounted_set_is_same(one, same));
    mounted_set_free(same);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct mounted_set *other = read_again(*state, others[i]);
        assert_false(mounted_set_is_same(one, other));
        mounted_set_free(other);
    }
    mounted_set_free(one);
}

/* Which is what shas.txt says. */
static void a_set_is_another_when_it_was_given_otherwise(void **state)
{
    static const char here[] = "# startpointfs set\n# type: languages\n# made: 1763845200\n"
                               "# given: here\nhttps://h/x?tag=1",
                      there[] = "# startpointfs set\n# type: languages\n# made: 1763845200\n"
                                "# given: there\nhttps://h/x?tag=1";
    struct mounted_set *one = read_again(*state, here), *same = read_again(*state, here),
                       *other = read_again(*state, there);

    assert_string_equal(other->set.given[0], "there");
    assert_true(mounted_set_is_same(one, same));
    assert_false(mounted_set_is_same(one, other));
    mounted_set_free(one);
    mounted_set_free(same);
    mounted_set_free(other);
}

static bool sets_have_folders(struct world *world)
{
    uint32_t folder;

    assert_int_equal(control_folder_sets(&world->mount, &folder), 0);
    return node_has_children(node_get(world->mount.nodes, folder));
}

/* A request that waits for the folders of sets. */
struct waiting {
    struct parked parked;
    unsigned replayed;
};

static void end_waiting(struct parked *parked, enum parked_end how)
{
    assert_int_equal(how, PARKED_REPLAY);
    ((struct waiting *)parked)->replayed++;
}

static int is_not_interrupted(void *data)
{
    (void)data;
    return 0;
}

static void a_first_worker_serves_before_it_has_the_folders_of_sets(void **state)
{
    struct world *world = *state;
    struct waiting waiting = {.parked = {.end = end_waiting}};
    struct ask ask = {0};

    run(world->box, "echo https://h/a >pp.list");
    open_operand(world, "pp.list");
    assert_string_equal(shown(world), "a ");
    assert_false(sets_have_folders(world));
    run(world->box, "echo https://h/b >>pp.list");
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_false(sets_have_folders(world));
    assert_int_equal(lists_published(&world->mount, &ask), -EAGAIN);
    assert_int_equal(
        parked_wait(world->mount.parked, &waiting.parked, ask.work, is_not_interrupted, NULL), 0);
    lists_publish_first(&world->mount);
    assert_int_equal(waiting.replayed, 1);
    assert_int_equal(lists_published(&world->mount, &ask), 0);
    assert_true(sets_have_folders(world));
}

static bool has_no_room;

int __real_set_folders_publish(struct mount *mount, struct error *e);
int __wrap_set_folders_publish(struct mount *mount, struct error *e);
int __wrap_set_folders_publish(struct mount *mount, struct error *e)
{
    return has_no_room ? error_set(e, ENOSPC, "no room") : __real_set_folders_publish(mount, e);
}

static void folders_of_sets_that_cannot_be_made_are_no_empty_ones(void **state)
{
    struct world *world = *state;
    struct ask ask = {0};

    run(world->box, "echo https://h/a >pp.list");
    open_operand(world, "pp.list");
    has_no_room = true;
    lists_publish_first(&world->mount);
    assert_int_equal(lists_published(&world->mount, &ask), -ENOSPC);
    has_no_room = false;
    run(world->box, "echo https://h/b >>pp.list");
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_int_equal(lists_published(&world->mount, &ask), 0);
    assert_true(sets_have_folders(world));
    has_no_room = true; /* those of before are there still */
    assert_int_equal(lists_publish(&world->mount), -ENOSPC);
    assert_int_equal(lists_published(&world->mount, &ask), 0);
    has_no_room = false;
}

static void a_later_worker_has_the_folders_of_sets_before_it_serves(void **state)
{
    struct world *world = *state;

    run(world->box, "echo https://h/a >pp.list");
    open_operand(world, "pp.list");
    resume_operand(world, "pp.list");
    assert_true(sets_have_folders(world));
}

static void begin_log(struct world *world)
{
    char path[100];

    snprintf(path, sizeof path, "%s/said", world->box->folder);
    assert_int_equal(log_open(&world->mount.log, LOG_LEVEL_INFO, path, 0), 0);
}

static void end_log(struct world *world)
{
    log_close(world->mount.log);
    world->mount.log = NULL;
}

static void assert_said(struct world *world, const char *what, int times)
{
    assert_int_equal(atoi(output(world->box, "grep -c '%s' said; true", what)), times);
}

/* Each thing once, however often the lists are read. */
static void what_becomes_of_lists_is_said(void **state)
{
    struct world *world = *state;

    begin_log(world);
    run(world->box, "mkdir lists");
    open_operand(world, "lists");
    assert_said(world, "warning.*the folder of lists .*/lists is empty", 1);
    run(world->box, "echo 'https://h/a?tag=1' >lists/a.list; echo nonsense:// >lists/bad.list;"
                    "echo https://h/c >lists/.x.list; echo https://h/c >'lists/-c.list'");
    for (int i = 0; i < 2; i++)
        lists_reload(&world->mount);
    assert_string_equal(shown(world), "a ");
    assert_said(world, "info.*a: new list, 1 sources", 1);
    assert_said(world, "error.*bad: ", 1);
    assert_said(world, "error.*its name is also that of its set, and", 1);
    assert_non_null(world->mount.lists->folders->refused);
    run(world->box, "echo 'https://h/b?tag=1' >>lists/a.list; rm lists/-c.list");
    for (int i = 0; i < 2; i++)
        lists_reload(&world->mount);
    assert_said(world, "info.*a: changed, now 2 sources", 1);
    assert_null(world->mount.lists->folders->refused);
    run(world->box, "rm lists/*");
    for (int i = 0; i < 2; i++)
        lists_reload(&world->mount);
    assert_said(world, "info.*a: the list was removed", 1);
    assert_said(world, "warning.*the folder of lists .*/lists holds no list any more", 1);
    assert_string_equal(shown(world), "");
    end_log(world);
}

/* Two lists of a folder must fit each other. */
static void a_list_that_contradicts_another_is_faulty(void **state)
{
    struct world *world = *state;

    run(world->box, "mkdir lists; echo 'https://h/a?tag=1' >lists/a.list");
    open_operand(world, "lists");
    run(world->box, "echo 'https://other/a?tag=1' >lists/b.list");
    lists_reload(&world->mount);
    assert_string_equal(shown(world), "a ");
    assert_non_null(lists_find(world->mount.lists, "b")->fault);
    assert_null(lists_find(world->mount.lists, "a")->fault);
    run(world->box, "echo 'https://h/b?tag=1' >lists/b.list");
    lists_reload(&world->mount);
    assert_string_equal(shown(world), "a b ");
    assert_null(lists_find(world->mount.lists, "b")->fault);
}

/* What was mounted there is not, and its mount point is empty. */
static void a_folder_that_has_lost_its_disk_is_not_empty(void **state)
{
    struct world *world = *state;

    begin_log(world);
    run(world->box, "mkdir lists; echo https://h/a >lists/a.list");
    open_operand(world, "lists");
    struct list_folder *folder = world->mount.lists->folders;
    uint64_t device = folder->device;
    folder->device = device + 1; /* there was another file system */
    run(world->box, "mv lists/a.list .");
    assert_int_equal(lists_reload(&world->mount), 1);
    assert_string_equal(shown(world), "a ");
    assert_said(
        world, "is empty and on a different file system than before: the one with the lists is", 1);
    assert_non_null(world->mount.lists->first->fault);
    run(world->box, "mv a.list lists");
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_true(folder->device == device);
    assert_null(folder->fault);
    assert_null(world->mount.lists->first->fault);
    run(world->box, "rm lists/a.list"); /* on the same one */
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_string_equal(shown(world), "");
    end_log(world);
}

static void lists_that_cannot_be_kept_are_said(void **state)
{
    struct world *world = *state;

    begin_log(world);
    run(world->box, "echo https://h/a >pp.list");
    world->mount.last_reading = open("/dev/null", O_RDONLY | O_CLOEXEC);
    open_operand(world, "pp.list");
    assert_said(world, "warning.*cannot save the lists for the next worker: ", 1);
    assert_string_equal(shown(world), "a ");
    close(world->mount.last_reading);
    world->mount.last_reading = -1; /* they need not be kept */
    run(world->box, "echo https://h/b >pp.list");
    lists_reload(&world->mount);
    assert_string_equal(shown(world), "b ");
    assert_said(world, "cannot save the lists", 1);
    end_log(world);
}

/* Lines that begin with the name of a test's folder, without that; sorted. */
struct noted {
    const struct world *world;
    char text[1000];
};

static void note(struct noted *noted, const char *path, const char *mark)
{
    size_t length = strlen(noted->world->box->folder);

    assert_memory_equal(path, noted->world->box->folder, length);
    snprintf(noted->text + strlen(noted->text), sizeof noted->text - strlen(noted->text), "%s%s ",
             path + length, mark);
}

static void note_folder(void *data, const char *folder)
{
    note(data, folder, "");
}

static int note_path(void *data, const char *path, bool is_folder)
{
    note(data, path, is_folder ? "/" : "");
    return strstr(path, "/last.list") != NULL;
}

/* Who is told of changes: where a list's name stands, and where its bytes do. */
static void the_folders_of_lists(void **state)
{
    struct world *world = *state;
    struct noted noted = {.world = world};
    char a[] = "a/one.list", b[] = "b/two.list", c[] = "lists", *operands[] = {a, b, c};
    struct error error = {0};

    run(world->box, "mkdir a b c lists; echo 'https://h/1?tag=1' >a/one.list;"
                    "echo 'https://h/2?tag=1' >c/real; ln -s ../c/real b/two.list;"
                    "echo 'https://h/3?tag=1' >lists/three.list");
    assert_int_equal(lists_open(&world->mount, world->box->folder, operands, 3, &error), 0);
    lists_each_folder(&world->mount, note_folder, &noted);
    assert_string_equal(noted.text, "/lists /a /b /c /lists ");
    run(world->box, "rm c/real");
    noted.text[0] = '\0';
    lists_each_folder(&world->mount, note_folder, &noted);
    assert_string_equal(noted.text, "/lists /a /b /lists ");
}

static void note_any_folder(void *data, const char *folder)
{
    snprintf(data, 100, "%s", folder);
}

static void the_folder_of_a_list_in_the_root(void **state)
{
    struct world *world = *state;
    char noted[100] = "none";

    run(world->box, "echo 'https://h/1?tag=1' >one.list");
    open_operand(world, "one.list");
    struct mounted_set *mounted = world->mount.lists->first;
    free(mounted->path);
    mounted->path = strdup("/there-is-none.list");
    lists_each_folder(&world->mount, note_any_folder, noted);
    assert_string_equal(noted, "/");
}

/* What a fenced worker may read: lists, folders of them, and links in those; not repositories. */
static void the_paths_of_operands(void **state)
{
    struct world *world = *state;
    struct noted noted = {.world = world};
    char list[] = "one.list", folder[] = "lists", gone[] = "gone.list", last[] = "last.list";
    char repository[] = "repo", url[] = "https://h/a",
         *operands[] = {list, folder, gone, repository, last, url};

    run(world->box, "echo https://h/a >one.list; mkdir lists; echo https://h/b >lists/plain.list;"
                    "ln -s ../one.list lists/link.list; git init -q repo; cp one.list last.list");
    assert_int_equal(lists_open_each_path(world->box->folder, operands, 6, note_path, &noted), 1);
    assert_string_equal(noted.text, "/one.list /lists/ /lists/link.list /gone.list /last.list ");
}

/* As of two threads that open files of one that no list names. */
static void a_repository_is_added_once(void **state)
{
    struct world *world = *state;
    struct repo *again = NULL;
    struct error error = {0};

    run(world->box, "echo 'https://h/a?tag=1' >pp.list");
    open_operand(world, "pp.list");
    struct repo *repo = repos_at(&world->mount.repos, 0);
    assert_int_equal(repos_add(&world->mount.repos, "a", "https://h/a", repo->node, &again, &error),
                     0);
    assert_ptr_equal(again, repo);
    assert_null(repos_at(&world->mount.repos, 1));
    assert_null(repos_find(&world->mount.repos, "a", "https://h/b"));
    assert_null(repos_find(&world->mount.repos, "b", "https://h/a"));
    assert_null(repos_of_node(&world->mount.repos, NODE_ROOT_INDEX));
}

/* Its lists may have lost it, but not its files: the node says what it was. */
static void a_new_worker_knows_a_repository_that_no_list_names(void **state)
{
    struct world *world = *state;

    run(world->box, "printf '%%s\\n' 'https://h/a?tag=1' 'https://h/b?tag=1' >pp.list");
    open_operand(world, "pp.list");
    uint32_t node = repos_find(&world->mount.repos, "b", "https://h/b")->node;
    run(world->box, "echo 'https://h/a?tag=1' >pp.list");
    lists_reload(&world->mount);
    resume_operand(world, "pp.list");
    assert_null(repos_find(&world->mount.repos, "b", "https://h/b"));
    struct repo *repo = repos_of_node(&world->mount.repos, node);
    assert_non_null(repo);
    assert_string_equal(repo->name, "b");
    assert_string_equal(repository_url(repo->repository), "https://h/b");
    assert_false(repo->in_use);
    assert_ptr_equal(repos_of_node(&world->mount.repos, node), repo);
}

/* Where nothing is kept: a folder's lists are read, of each what can be; a source is remembered that is none. */
static void nothing_kept_of_a_folder(void **state)
{
    struct world *world = *state;

    run(world->box, "mkdir lists; echo https://h/a >lists/a.list; echo https://h/b >lists/b.list");
    open_operand(world, "lists");
    run(world->box, "echo nonsense:// >lists/a.list");
    assert_int_equal(ftruncate(world->lists_fd, 0), 0);
    resume_operand(world, "lists");
    assert_string_equal(shown(world), "b ");
    assert_non_null(lists_find(world->mount.lists, "a")->fault);
    run(world->box, "echo https://h/a >lists/a.list");
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_string_equal(shown(world), "b a ");
}

static void nothing_kept_of_a_source(void **state)
{
    struct world *world = *state;

    run(world->box, "git init -q repo; git -C repo commit -q --allow-empty -m 1");
    open_operand(world, "./repo");
    assert_string_equal(shown(world), "repo ");
    assert_int_equal(ftruncate(world->lists_fd, 0), 0);
    resume_operand(world, "./repo");
    assert_string_equal(shown(world), "repo ");
    assert_int_equal(ftruncate(world->lists_fd, 0), 0);
    resume_operand(world, "nonsense://later.list"); /* as a list that is not there now */
    assert_string_equal(shown(world), "");
    assert_non_null(lists_find(world->mount.lists, "later")->fault);
}

/* What a list is linked to may be replaced, as in a ConfigMap; the folder that it is in is where it is. */
static void a_list_s_own_link_is_kept(void **state)
{
    struct world *world = *state;
    char expected[100];

    run(world->box,
        "mkdir real; echo https://h/a >real/first; ln -s first real/pp.list; ln -s real link");
    open_operand(world, "link/pp.list");
    snprintf(expected, sizeof expected, "%s/real/pp.list", world->box->folder);
    assert_string_equal(world->mount.lists->first->path, expected);
    run(world->box, "echo https://h/b >real/second; ln -sf second real/pp.list");
    assert_int_equal(lists_reload(&world->mount), 0);
    assert_string_equal(shown(world), "b ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_is_another_when_it_says_something_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_set_is_another_when_it_was_given_otherwise, set_up,
                                        tear_down),
        TEST(each_change_makes_the_root_later),
        TEST(what_becomes_of_lists_is_said),
        TEST(a_list_that_contradicts_another_is_faulty),
        TEST(a_folder_that_has_lost_its_disk_is_not_empty),
        TEST(lists_that_cannot_be_kept_are_said),
        TEST(the_folders_of_lists),
        TEST(the_folder_of_a_list_in_the_root),
        TEST(the_paths_of_operands),
        TEST(a_repository_is_added_once),
        TEST(a_new_worker_knows_a_repository_that_no_list_names),
        TEST(nothing_kept_of_a_folder),
        TEST(nothing_kept_of_a_source),
        TEST(a_list_s_own_link_is_kept),
        TEST(a_list_that_is_gone_stays),
        TEST(a_folder_loses_lists_only_while_it_is_there),
        TEST(a_fault_is_said),
        TEST(nothing_kept),
        TEST(a_list_is_named_after_its_file),
        TEST(each_repository_is_found),
        TEST(two_lists_have_two_names),
        TEST(a_version_is_one_by_its_name_and_its_commit),
        TEST(a_first_worker_serves_before_it_has_the_folders_of_sets),
        TEST(folders_of_sets_that_cannot_be_made_are_no_empty_ones),
        TEST(a_later_worker_has_the_folders_of_sets_before_it_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
