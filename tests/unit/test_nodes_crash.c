/* A worker that dies while it appends or sweeps leaves nothing half there. Here it could die after every
 * single instruction: a child process appends, stopped after each of them (ptrace), and what the
 * shared memory holds then is what the next worker would find. That is looked at, and gone on from,
 * in a copy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/shared/children.h"
#include "fs/shared/nodes.h"
#include "fs/shared/nodes_layout.h"
#include "fs/shared/sweep.h"

#define PART 4096 /* bytes of each part of the table that these few nodes can touch */

struct world {
    struct nodes *nodes, *copy;
    uint32_t old, tree, version, first;
    uint32_t spare, end; /* places of what nobody can reach any more */
};

static struct nodes *make_table(void)
{
    struct nodes *nodes;
    int fd = nodes_create(1024, 0, NULL);

    assert_true(fd >= 0);
    assert_int_equal(nodes_map(&nodes, fd, NULL), 0);
    close(fd);
    return nodes;
}

static int append(struct nodes *nodes, enum node_kind kind, const char *name, uint32_t parent,
                  uint32_t *index)
{
    struct node_spec spec = {
        .kind = kind, .name = name, .name_length = strlen(name), .parent = parent, .data = 7};
    return nodes_append(nodes, &spec, 1, index);
}

static int set_up(void **state)
{
    static struct world world;
    struct node_link links[2];

    world.nodes = make_table();
    world.copy = make_table();
    assert_int_equal(append(world.nodes, NODE_REPO, "old", 0, &world.old), 0);
    assert_int_equal(append(world.nodes, NODE_VERSION, "1", 0, &world.version), 0);
    assert_int_equal(append(world.nodes, NODE_TREE, "tree", 0, &world.tree), 0);
    struct node_spec child = {
        .kind = NODE_VERSION, .name = "first", .name_length = 5, .account = world.old};
    assert_int_equal(node_add_child(world.nodes, world.old, &child, &world.first), 0);
    links[0] = (struct node_link){world.old, true};
    links[1] = (struct node_link){world.version, true};
    assert_int_equal(node_publish_links(world.nodes, 0, links, 2), 1);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    nodes_unmap(world->nodes);
    nodes_unmap(world->copy);
    return 0;
}

/* ---- what is done, and what is to be seen of it: 0 nothing, 1 all; anything else is a fault ----
 */

static int read_tree(struct nodes *nodes, const struct world *world, uint32_t folder)
{
    static const char *const names[] = {"a", "bb", "ccc"};
    uint64_t offset = 0;
    uint32_t child, found;

    for (int i = 0; i < 3; i++) {
        int r = node_next(nodes, folder, &offset, &child);
        if (r == -EAGAIN && i == 0)
            return 0;
        if (r != 0 || strcmp(node_name(nodes, node_get(nodes, child)), names[i]) != 0 ||
            node_get(nodes, child)->kind != NODE_FILE || node_get(nodes, child)->size != 40u + i ||
            node_lookup(nodes, folder, names[i], strlen(names[i]), &found) != 0 || found != child)
            return -1;
    }
    (void)world;
    return node_next(nodes, folder, &offset, &child) == -ENOENT ? 1 : -1;
}

static int make_tree(struct nodes *nodes, uint32_t folder)
{
    struct node_spec specs[] = {
        {.kind = NODE_FILE, .name = "a", .name_length = 1, .parent = folder, .data = 40},
        {.kind = NODE_FILE, .name = "bb", .name_length = 2, .parent = folder, .data = 41},
        {.kind = NODE_FILE, .name = "ccc", .name_length = 3, .parent = folder, .data = 42}};
    uint32_t first;

    for (int i = 0; i < 3 && node_get(nodes, folder)->kind == NODE_CHECKOUT; i++)
        specs[i].checkout = folder;
    int r = nodes_append(nodes, specs, 3, &first);

    if (r == 0)
        node_publish_block(nodes, folder, first, 3);
    return r;
}

static int do_tree(struct nodes *nodes, const struct world *world)
{
    return make_tree(nodes, world->tree);
}

static int see_tree(struct nodes *nodes, const struct world *world)
{
    return read_tree(nodes, world, world->tree);
}

static int do_checkout(struct nodes *nodes, const struct world *world)
{
    uint32_t checkout;
    int r = append(nodes, NODE_CHECKOUT, "", world->version, &checkout);

    if (r == 0)
        r = make_tree(nodes, checkout);
    if (r == 0)
        node_publish_checkout(nodes, world->version, checkout);
    return r;
}

static int see_checkout(struct nodes *nodes, const struct world *world)
{
    return read_tree(nodes, world, world->version);
}

static int do_links(struct nodes *nodes, const struct world *world)
{
    struct node_link links[] = {{world->old, true}, {world->version, true}, {0, true}};
    uint64_t url;
    int r = nodes_keep_string(nodes, "https://example.org/new", &url);

    if (r == 0)
        r = append(nodes, NODE_REPO, "new", 0, &links[2].index);
    if (r == 0)
        r = node_publish_links(nodes, 0, links, 3);
    return r < 0 ? r : 0;
}

static int see_links(struct nodes *nodes, const struct world *world)
{
    uint64_t offset = 0;
    uint32_t child, listed = 0;
    int r;

    (void)world;
    while ((r = node_next(nodes, 0, &offset, &child)) == 0)
        listed++;
    if (r != -ENOENT)
        return -1;
    r = node_lookup(nodes, 0, "new", 3, &child);
    if (r == -ENOENT)
        return listed == 2 ? 0 : -1;
    return r == 0 && listed == 3 && node_get(nodes, child)->kind == NODE_REPO ? 1 : -1;
}

static int do_child(struct nodes *nodes, const struct world *world)
{
    struct node_spec spec = {.kind = NODE_VERSION,
                             .name = "new",
                             .name_length = 3,
                             .data = world->old,
                             .account = world->old};
    uint32_t child;

    return node_add_child(nodes, world->old, &spec, &child);
}

static int count_child(void *data, uint32_t child)
{
    ++*(unsigned *)data;
    (void)child;
    return 0;
}

/* The first child is there in any case; what is charged is never less than what is there. */
static int see_child(struct nodes *nodes, const struct world *world)
{
    unsigned count = 0;
    uint32_t first, child;

    if (node_each_child(nodes, world->old, count_child, &count) != 0 || count < 1 ||
        node_lookup(nodes, world->old, "first", 5, &first) != 0 || first != world->first ||
        nodes_charged(nodes, world->old) < count)
        return -1;
    int r = node_lookup(nodes, world->old, "new", 3, &child);
    if (r == -ENOENT)
        return count == 1 ? 0 : -1;
    return r == 0 && node_data(nodes, node_get(nodes, child)) == world->old &&
                   node_parent(nodes, node_get(nodes, child)) == node_get(nodes, world->old)
               ? 1
               : -1;
}

static int sweep(struct nodes *nodes)
{
    struct sweep *sweep = nodes_sweep_new(nodes);

    if (!sweep)
        return -ENOMEM;
    nodes_sweep_look(sweep);
    nodes_sweep_wait(sweep);
    nodes_sweep_finish(sweep);
    nodes_sweep_free(sweep);
    return 0;
}

static bool is_first(void *data, uint32_t child)
{
    return child == ((const struct world *)data)->first;
}

static int do_sweep(struct nodes *nodes, const struct world *world)
{
    int r = node_unchain(nodes, world->old, is_first, (void *)world);
    return r < 0 ? r : sweep(nodes);
}

/* The name is gone, its checkout, and the one that the branch showed before; what it shows stays. */
static int see_sweep(struct nodes *nodes, const struct world *world)
{
    uint32_t child;

    if (read_tree(nodes, world, world->version) != 1 ||
        (nodes->generations[world->first] == 0 && !node_get(nodes, world->first)))
        return -1;
    for (uint32_t i = world->spare; i < world->end; i++)
        if (nodes->generations[i] == 0 && !node_get(nodes, i))
            return -1; /* free under a number that was used */
        else if (node_get(nodes, i))
            return 0;
    return node_get(nodes, world->first) || node_lookup(nodes, world->old, "first", 5, &child) == 0
               ? 0
               : 1;
}

/* ---- stopping at each instruction ---- */

typedef int (*act)(struct nodes *nodes, const struct world *world);

static void copy_table(struct nodes *to, const struct nodes *from)
{
    places_forget(&to->places); /* what the next worker does not know */
    places_forget(&to->pieces);
    memcpy(to->header, from->header, sizeof *to->header);
    memcpy(to->node, from->node, PART);
    memcpy(to->names, from->names, PART);
    memcpy(to->links, from->links, PART);
    memcpy((void *)to->owners, (const void *)from->owners, PART);
    memcpy((void *)to->holds, (const void *)from->holds, PART);
    memcpy((void *)to->generations, (const void *)from->generations, PART);
}

/* A name is its unit's, for no longer than that is there. */
static void see_names(const struct nodes *nodes)
{
    for (uint32_t i = 0; i < places_used(&nodes->pieces); i++)
        if (nodes->owners[i] > 0)
            assert_non_null(node_get(nodes, nodes->owners[i] - 1));
}

/* What is in a checkout, or in a name, goes before that. */
static void see_units(const struct nodes *nodes)
{
    for (uint32_t i = 0; i < nodes_used(nodes); i++) {
        const struct node *node = node_get(nodes, i);
        if (!node)
            continue;
        assert_non_null(node_get(nodes, node_unit(nodes, i)));
        assert_true(node->kind != NODE_CHECKOUT || node_get(nodes, node->parent));
    }
}

/* What the next worker finds and does. Returns whether all was there already. */
static int look(const struct world *world, act action, act see)
{
    uint32_t child;

    copy_table(world->copy, world->nodes);
    assert_int_equal(node_lookup(world->copy, 0, "old", 3, &child), 0);
    assert_int_equal(child, world->old);
    int seen = see(world->copy, world);
    assert_in_range(seen, 0, 1);
    see_names(world->copy);
    see_units(world->copy);
    assert_int_equal(action(world->copy, world), 0);
    assert_int_equal(see(world->copy, world), 1);
    assert_int_equal(node_lookup(world->copy, 0, "old", 3, &child), 0);
    assert_int_equal(child, world->old);
    return seen;
}

#ifdef __SANITIZE_THREAD__
/* There is one thread here, of whose instructions there would be many times as many: before and after will do. */
static void crash_everywhere(const struct world *world, act action, act see)
{
    assert_int_equal(look(world, action, see), 0);
    assert_int_equal(action(world->nodes, world), 0);
    assert_int_equal(see(world->nodes, world), 1);
}
#else
/* All that a copy is made of. */
struct picture {
    char header[sizeof(struct header)], parts[6][PART];
};

static void take_picture(struct picture *picture, const struct nodes *nodes)
{
    memcpy(picture->header, nodes->header, sizeof picture->header);
    memcpy(picture->parts[0], nodes->node, PART);
    memcpy(picture->parts[1], nodes->names, PART);
    memcpy(picture->parts[2], nodes->links, PART);
    memcpy(picture->parts[3], (const void *)nodes->owners, PART);
    memcpy(picture->parts[4], (const void *)nodes->holds, PART);
    memcpy(picture->parts[5], (const void *)nodes->generations, PART);
}

static void crash_everywhere(const struct world *world, act action, act see)
{
    static struct picture before, now;
    size_t stops[2] = {0, 0};
    int status, seen = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(2);
        raise(SIGSTOP);
        _exit(action(world->nodes, world) == 0 ? 0 : 1);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status)) /* no ptrace here: a container may forbid it */
        skip();
    while (WIFSTOPPED(status)) {
        /* The next worker finds in the same memory what it would have found an instruction earlier. */
        take_picture(&now, world->nodes);
        if (stops[0] == 0 || memcmp(&now, &before, sizeof now) != 0)
            seen = look(world, action, see);
        before = now;
        stops[seen]++;
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(stops[0] > 100); /* else nothing was stopped at */
    assert_true(stops[1] > 0);
    assert_int_equal(see(world->nodes, world), 1);
    printf("# %zu instructions before it shows, %zu after\n", stops[0], stops[1]);
}
#endif

static void a_tree_is_there_whole_or_not_at_all(void **state)
{
    crash_everywhere(*state, do_tree, see_tree);
}

static void a_checkout_is_there_whole_or_not_at_all(void **state)
{
    crash_everywhere(*state, do_checkout, see_checkout);
}

static void a_folder_has_its_old_links_or_its_new_ones(void **state)
{
    crash_everywhere(*state, do_links, see_links);
}

static void a_name_is_in_its_folder_or_not(void **state)
{
    crash_everywhere(*state, do_child, see_child);
}

/* What is spare: three nodes of a checkout that is not shown any more, itself, another checkout, and one of a name. */
static void make_spare(struct world *world)
{
    uint32_t checkout;

    world->spare = nodes_used(world->nodes);
    assert_int_equal(do_checkout(world->nodes, world), 0);
    assert_int_equal(append(world->nodes, NODE_CHECKOUT, "", world->first, &checkout), 0);
    world->end = nodes_used(world->nodes);
    assert_int_equal(do_checkout(world->nodes, world), 0);
}

static void what_is_dead_is_freed_sometime(void **state)
{
    make_spare(*state);
    crash_everywhere(*state, do_sweep, see_sweep);
}

static void a_tree_in_places_used_again_is_there_whole_or_not_at_all(void **state)
{
    struct world *world = *state;

    make_spare(world);
    assert_int_equal(sweep(world->nodes), 0);
    assert_null(node_get(world->nodes, world->spare));
    uint32_t used = nodes_used(world->nodes);
    crash_everywhere(world, do_tree, see_tree);
    assert_int_equal(nodes_used(world->nodes), used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_tree_is_there_whole_or_not_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_checkout_is_there_whole_or_not_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_is_in_its_folder_or_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_has_its_old_links_or_its_new_ones, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_dead_is_freed_sometime, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tree_in_places_used_again_is_there_whole_or_not_at_all,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
