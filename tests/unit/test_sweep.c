/* Places of the node table that are used again: only what nobody can reach, and never under a number that
 * meant another node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/shared/children.h"
#include "fs/shared/holds.h"
#include "fs/shared/nodes_layout.h"
#include "fs/shared/sweep.h"
#include "tests/unit/left_behind.h"

#define PLACES 4096
#define MOVES  10000

struct world {
    struct nodes *nodes;
    uint32_t repo, branch;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct node_spec repo = {.kind = NODE_REPO, .name = "r", .name_length = 1};
    int fd = nodes_create(PLACES, 7, NULL);

    assert_true(fd >= 0);
    assert_int_equal(nodes_map(&world->nodes, fd, NULL), 0);
    close(fd);
    assert_int_equal(nodes_append(world->nodes, &repo, 1, &world->repo), 0);
    struct node_link link = {world->repo, true};
    assert_int_equal(node_publish_links(world->nodes, 0, &link, 1), 1);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    nodes_unmap(world->nodes);
    free(world);
    return 0;
}

static uint32_t add_name(const struct world *world, uint32_t folder, enum node_kind kind,
                         const char *name)
{
    struct node_spec spec = {.kind = kind,
                             .name = name,
                             .name_length = strlen(name),
                             .data = world->repo,
                             .account = world->repo};
    uint32_t child;

    assert_int_equal(node_add_child(world->nodes, folder, &spec, &child), 0);
    return child;
}

/* A checkout with the files a and b, published. */
static int add_checkout(const struct world *world, uint32_t version, uint64_t mark, uint32_t *out)
{
    struct node_spec checkout = {
        .kind = NODE_CHECKOUT, .name = "", .parent = version, .account = world->repo};
    struct node_spec files[2];
    uint32_t first;
    int r = nodes_append(world->nodes, &checkout, 1, out);

    for (int i = 0; i < 2; i++)
        files[i] = (struct node_spec){.kind = NODE_FILE,
                                      .name = i ? "b" : "a",
                                      .name_length = 1,
                                      .parent = *out,
                                      .checkout = *out,
                                      .data = mark + (unsigned)i,
                                      .account = world->repo};
    if (r == 0)
        r = nodes_append(world->nodes, files, 2, &first);
    if (r < 0)
        return r;
    node_publish_block(world->nodes, *out, first, 2);
    node_publish_checkout(world->nodes, version, *out);
    return 0;
}

static uint32_t child_of(const struct world *world, uint32_t folder, const char *name)
{
    uint32_t child;

    assert_int_equal(node_lookup(world->nodes, folder, name, strlen(name), &child), 0);
    return child;
}

static uint32_t sweep_with(const struct world *world, uint32_t pinned)
{
    struct sweep *sweep = nodes_sweep_new(world->nodes);

    assert_non_null(sweep);
    for (int half = 0; half < 2; half++) {
        if (pinned)
            nodes_sweep_pin(sweep, pinned);
        if (half == 0) { /* looking clears what was pinned */
            nodes_sweep_look(sweep);
            nodes_sweep_wait(sweep);
        }
    }
    uint32_t freed = nodes_sweep_finish(sweep);
    nodes_sweep_free(sweep);
    return freed;
}

static uint32_t sweep(const struct world *world)
{
    return sweep_with(world, 0);
}

static bool is_called(void *data, uint32_t child)
{
    const struct world *world = ((void **)data)[0];
    return strcmp(node_name(world->nodes, node_get(world->nodes, child)), ((char **)data)[1]) == 0;
}

static void drop_name(const struct world *world, uint32_t folder, const char *name)
{
    void *data[] = {(void *)world, (void *)name};
    assert_int_equal(node_unchain(world->nodes, folder, is_called, data), 1);
}

/* A node whose place is new, though its name lies where an old one was: a sweep that had begun before knows nothing of it. */
static void a_name_that_came_during_a_sweep_stays(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    char old[200], name[90], other[90];

    memset(old, 'o', sizeof old);
    memset(name, 'n', sizeof name);
    memset(other, 'x', sizeof other);
    old[sizeof old - 1] = name[sizeof name - 1] = other[sizeof other - 1] = '\0';
    add_name(world, world->repo, NODE_VERSION, old);
    drop_name(world, world->repo, old);
    assert_int_equal(sweep(world), 1);
    add_name(world, world->repo, NODE_VERSION, "short");
    struct sweep *sweep = nodes_sweep_new(nodes);
    uint32_t version = add_name(world, world->repo, NODE_VERSION, name);
    assert_int_equal(version, nodes_used(nodes) - 1);
    nodes_sweep_look(sweep);
    nodes_sweep_wait(sweep);
    nodes_sweep_finish(sweep);
    nodes_sweep_free(sweep);
    add_name(world, world->repo, NODE_VERSION, other);
    assert_string_equal(node_name(nodes, node_get(nodes, version)), name);
}

/* Nodes, or long names: what a repository is charged with is what the next sweep finds. */
static void what_comes_during_a_sweep_counts(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    char name[NODE_NAME_MAX + 1] = {0};
    uint32_t checkout;

    for (int are_long = 0; are_long < 2; are_long++) {
        struct sweep *half = nodes_sweep_new(nodes);
        nodes_sweep_look(half);
        nodes_sweep_wait(half);
        for (int i = 0; i < 20; i++) {
            memset(name, 'a' + i, are_long ? NODE_NAME_MAX : 1);
            uint32_t version = add_name(world, world->repo, NODE_VERSION, name);
            assert_int_equal(are_long ? 0 : add_checkout(world, version, 10, &checkout), 0);
        }
        nodes_sweep_finish(half);
        nodes_sweep_free(half);
        uint32_t charged = nodes_charged(nodes, world->repo);
        assert_true(charged >= 80);
        sweep(world);
        assert_int_equal(charged, nodes_charged(nodes, world->repo));
    }
}

static void a_branch_moves_ten_thousand_times(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    uint64_t last[PLACES] = {0};
    uint32_t branch = add_name(world, world->repo, NODE_VERSION, "main"), checkout, file;
    unsigned sweeps = 0;

    for (unsigned move = 1; move <= MOVES; move++) {
        int r = add_checkout(world, branch, move * 10, &checkout);
        if (r == -EDQUOT) {
            assert_true(sweep(world) > 0);
            sweeps++;
            r = add_checkout(world, branch, move * 10, &checkout);
        }
        assert_int_equal(r, 0);
        assert_true(node_id(nodes, checkout) > last[checkout]); /* no number comes twice */
        last[checkout] = node_id(nodes, checkout);
        file = child_of(world, branch, "b");
        assert_int_equal(node_get(nodes, file)->size, move * 10 + 1);
        assert_true(node_id(nodes, file) > last[file]);
        last[file] = node_id(nodes, file);
    }
    assert_true(sweeps > 10);
    assert_int_equal(child_of(world, world->repo, "main"), branch);
    assert_true(nodes_used(nodes) <= nodes_share(nodes) + 10);
    sweep(world);
    assert_int_equal(nodes_charged(nodes, world->repo), 4);
    assert_int_equal(nodes_taken(nodes), 6);
}

static void what_the_kernel_knows_stays(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    uint32_t branch = add_name(world, world->repo, NODE_VERSION, "main"), old, new, index;

    assert_int_equal(add_checkout(world, branch, 10, &old), 0);
    uint32_t file = child_of(world, branch, "a");
    uint64_t id = node_id(nodes, file);
    node_hold(nodes, file);
    node_hold(nodes, file);
    assert_int_equal(add_checkout(world, branch, 20, &new), 0);
    assert_int_equal(sweep(world), 0);
    node_forget(nodes, id, 1);
    assert_int_equal(sweep(world), 0);
    assert_true(node_of_id(nodes, id, &index));
    assert_int_equal(node_get(nodes, index)->size, 10);
    assert_int_equal(child_of(world, old, "b"), file + 1);
    node_forget(nodes, id, 1);
    assert_int_equal(sweep(world), 3);
    assert_false(node_of_id(nodes, id, &index));
    assert_null(node_get(nodes, file));
    /* What it says of a number that is no more means nothing to the next. */
    assert_int_equal(add_checkout(world, branch, 30, &old), 0);
    node_hold(nodes, file);
    node_forget(nodes, id, 7);
    assert_int_equal(node_holds(nodes, file), 1);
    /* A count that cannot be right: kept for good. */
    node_forget(nodes, node_id(nodes, file), 7);
    assert_int_equal(add_checkout(world, branch, 40, &new), 0);
    assert_int_equal(sweep(world), 3); /* the one of before */
    assert_int_equal(sweep(world), 0);
}

static void what_a_thread_works_with_stays(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    uint32_t branch = add_name(world, world->repo, NODE_VERSION, "main"), first, second, third;
    struct node_spec spec = {.kind = NODE_CHECKOUT,
                             .name = "",
                             .parent = branch,
                             .is_pinned = true,
                             .account = world->repo};

    assert_int_equal(add_checkout(world, branch, 10, &first), 0);
    uint32_t file = child_of(world, branch, "a");
    assert_int_equal(add_checkout(world, branch, 20, &second), 0);
    assert_int_equal(sweep_with(world, file), 0);
    /* One that is not published yet. */
    assert_int_equal(nodes_append(nodes, &spec, 1, &third), 0);
    assert_int_equal(sweep(world), 3);
    assert_non_null(node_get(nodes, third));
    nodes_unpin(nodes, third);
    assert_int_equal(sweep(world), 1);
    assert_null(node_get(nodes, third));
    assert_int_equal(node_get(nodes, child_of(world, branch, "a"))->size, 20);
}

static void names_that_are_gone_make_room(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    char text[NODE_NAME_MAX + 1] = {0};
    uint32_t prefix = add_name(world, world->repo, NODE_PREFIX, "release"), checkout, index;

    memset(text, 'x', NODE_NAME_MAX);
    uint32_t gone = add_name(world, prefix, NODE_VERSION, text);
    assert_int_equal(add_checkout(world, gone, 10, &checkout), 0);
    uint32_t stays = add_name(world, prefix, NODE_VERSION, "1");
    uint64_t id = node_id(nodes, gone);
    /* What is appended counts as its nodes or as its names, a sweep compares all nodes with all names: six nodes, nine pieces
     * (the long name with what lies before it takes five). */
    assert_int_equal(nodes_charged(nodes, world->repo), 10);
    assert_int_equal(sweep(world), 0);
    assert_int_equal(nodes_charged(nodes, world->repo), 9);
    drop_name(world, prefix, text);
    assert_int_equal(node_lookup(nodes, prefix, text, NODE_NAME_MAX, &index), -ENOENT);
    node_hold(nodes, gone);
    assert_int_equal(sweep(world), 0);
    /* Somebody stands in it: its path and its tree are there. */
    assert_int_equal(node_get(nodes, child_of(world, gone, "b"))->size, 11);
    assert_ptr_equal(node_parent(nodes, node_get(nodes, gone)), node_get(nodes, prefix));
    node_forget(nodes, id, 1);
    assert_int_equal(sweep(world), 1 + 3);
    assert_int_equal(nodes_charged(nodes, world->repo), 2);
    assert_int_equal(child_of(world, prefix, "1"), stays);
    /* Again, in the same places, and another number. */
    uint32_t back = add_name(world, prefix, NODE_VERSION, text);
    assert_int_equal(back, gone);
    assert_true(node_id(nodes, back) > id);
    assert_string_equal(node_name(nodes, node_get(nodes, back)), text);
    drop_name(world, prefix, text);
    drop_name(world, prefix, "1");
    drop_name(world, world->repo, "release");
    assert_true(sweep(world) > 0);
    assert_int_equal(nodes_charged(nodes, world->repo), 0);
}

static void sets_and_strings_stay(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    struct node_spec control = {.kind = NODE_CONTROL, .name = "sets", .name_length = 4};
    uint32_t folder, version, checkout;
    uint64_t url;

    assert_int_equal(nodes_append(nodes, &control, 1, &folder), 0);
    struct node_spec spec = {
        .kind = NODE_VERSION, .name = "0", .name_length = 1, .parent = folder, .data = world->repo};
    assert_int_equal(nodes_append(nodes, &spec, 1, &version), 0);
    char text[200] = {0};
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(nodes_keep_string(nodes, text, &url), 0);
    assert_int_equal(add_checkout(world, version, 10, &checkout), 0);
    assert_int_equal(sweep(world), 0);
    assert_int_equal(nodes_charged(nodes, world->repo), 3); /* not the set's own name */
    assert_int_equal(node_get(nodes, child_of(world, version, "a"))->size, 10);
    for (size_t i = 0; i < 10; i++) /* which use what is free again */
        add_name(world, world->repo, NODE_VERSION, "v");
    assert_string_equal(node_string(nodes, url), text);
}

static void what_is_used_again_counts(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;

    add_name(world, world->repo, NODE_VERSION, "a");
    add_name(world, world->repo, NODE_VERSION, "b");
    uint32_t taken = nodes_taken(nodes), used = nodes_used(nodes);
    uint32_t names = nodes->header->names_used;
    drop_name(world, world->repo, "b"); /* the last there is */
    assert_int_equal(sweep(world), 1);
    assert_int_equal(sweep(world), 0);
    assert_int_equal(nodes_taken(nodes), taken - 1);
    add_name(world, world->repo, NODE_VERSION, "c");
    assert_int_equal(nodes_taken(nodes), taken);
    assert_int_equal(nodes_used(nodes), used);
    assert_int_equal(nodes->header->names_used, names);
}

static void a_name_that_is_held_between_the_halves_stays(void **state)
{
    struct world *world = *state;
    uint32_t held = add_name(world, world->repo, NODE_VERSION, "held");

    drop_name(world, world->repo, "held");
    struct sweep *sweep = nodes_sweep_new(world->nodes);
    nodes_sweep_look(sweep);
    node_hold(world->nodes, held);
    nodes_sweep_wait(sweep);
    assert_int_equal(nodes_sweep_finish(sweep), 0);
    nodes_sweep_free(sweep);
    add_name(world, world->repo, NODE_VERSION, "other");
    assert_string_equal(node_name(world->nodes, node_get(world->nodes, held)), "held");
}

struct other_thread {
    const struct world *world;
    uint32_t freed;
    atomic_bool ended;
};

static void *sweep_there(void *data)
{
    struct other_thread *other = data;

    other->freed = sweep(other->world);
    atomic_store(&other->ended, true);
    return NULL;
}

static void who_is_inside_is_waited_for(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    uint32_t branch = add_name(world, world->repo, NODE_VERSION, "main"), old, new;
    struct other_thread other = {.world = world};
    pthread_t thread;

    assert_int_equal(add_checkout(world, branch, 10, &old), 0);
    unsigned inside = nodes_enter(nodes);
    uint32_t file = child_of(world, branch, "a"); /* found, not held yet */
    assert_int_equal(add_checkout(world, branch, 20, &new), 0);
    assert_int_equal(pthread_create(&thread, NULL, sweep_there, &other), 0);
    while (atomic_load(&nodes->phase) == inside)
        usleep(100);
    unsigned later = nodes_enter(nodes);
    assert_int_not_equal(later, inside);
    nodes_leave(nodes, later);
    usleep(2000);
    assert_false(atomic_load(&other.ended));
    assert_int_equal(node_get(nodes, file)->size, 10);
    node_hold(nodes, file);
    nodes_leave(nodes, inside);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(other.freed, 0);
    node_forget(nodes, node_id(nodes, file), 1);
    assert_int_equal(sweep(world), 3);
}

/* Each of them is a name that only the kernel knows, and shows that what it is in stays: a path is made of that. */
static void what_leads_to_what_is_known_stays(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    uint32_t outer = add_name(world, world->repo, NODE_PREFIX, "a");
    uint32_t inner = add_name(world, outer, NODE_PREFIX, "b");
    uint32_t version = add_name(world, inner, NODE_VERSION, "1"), checkout;

    assert_int_equal(add_checkout(world, version, 10, &checkout), 0);
    node_hold(nodes, inner);
    node_hold(nodes, checkout);
    drop_name(world, world->repo, "a");
    assert_int_equal(sweep(world), 0);
    node_forget(nodes, node_id(nodes, checkout), 1);
    drop_name(world, inner, "1");
    assert_int_equal(sweep(world), 4); /* the version and its checkout with two files */
    assert_ptr_equal(node_parent(nodes, node_get(nodes, inner)), node_get(nodes, outer));
    node_forget(nodes, node_id(nodes, inner), 1);
    assert_int_equal(sweep(world), 2);
}

static void what_nobody_looks_up_by_a_chain_stays(void **state)
{
    static const enum node_kind kinds[] = {NODE_CONTROL, NODE_CONTROL_FILE, NODE_REPO};
    struct world *world = *state;
    struct node_spec spec = {.name = "c", .name_length = 1};
    uint32_t made[3];

    for (size_t i = 0; i < 3; i++) {
        spec.kind = kinds[i];
        assert_int_equal(nodes_append(world->nodes, &spec, 1, &made[i]), 0);
    }
    assert_int_equal(sweep(world), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(node_get(world->nodes, made[i])->kind, kinds[i]);
        assert_string_equal(node_name(world->nodes, node_get(world->nodes, made[i])), "c");
    }
    assert_non_null(node_get(world->nodes, NODE_ROOT_INDEX));
}

static void each_pin_is_its_own(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    uint32_t branch = add_name(world, world->repo, NODE_VERSION, "main"), made[PINS], more;
    struct node_spec spec = {.kind = NODE_CHECKOUT,
                             .name = "",
                             .parent = branch,
                             .is_pinned = true,
                             .account = world->repo};

    for (size_t i = 0; i < PINS; i++)
        assert_int_equal(nodes_append(nodes, &spec, 1, &made[i]), 0);
    assert_int_equal(nodes_append(nodes, &spec, 1, &more), -ENOMEM);
    nodes_unpin(nodes, branch); /* which is not pinned */
    assert_int_equal(sweep(world), 0);
    for (size_t i = 0; i < PINS; i++) {
        nodes_unpin(nodes, made[i]);
        assert_int_equal(sweep(world), 1);
        assert_null(node_get(nodes, made[i]));
    }
}

/* What was pinned for the first half only, or came to be known between the halves. */
static void each_half_looks_anew(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    uint32_t branch = add_name(world, world->repo, NODE_VERSION, "main"), old, older, new;

    assert_int_equal(add_checkout(world, branch, 10, &older), 0);
    assert_int_equal(add_checkout(world, branch, 20, &old), 0);
    assert_int_equal(add_checkout(world, branch, 30, &new), 0);
    struct sweep *sweep = nodes_sweep_new(nodes);
    nodes_sweep_pin(sweep, older);
    nodes_sweep_look(sweep);
    assert_false(nodes_sweep_is_dead(sweep, older));
    assert_true(nodes_sweep_is_dead(sweep, old));
    nodes_sweep_pin(sweep, old);
    nodes_sweep_look(sweep); /* whoever had it in hand has let it go, and has another one */
    assert_true(nodes_sweep_is_dead(sweep, older));
    assert_false(nodes_sweep_is_dead(sweep, old));
    node_hold(nodes, old);
    uint32_t late = add_name(world, world->repo, NODE_VERSION, "late");
    nodes_sweep_free(sweep);
    sweep = nodes_sweep_new(nodes);
    nodes_sweep_look(sweep);
    node_forget(nodes, node_id(nodes, old), 1); /* both only now */
    drop_name(world, world->repo, "late");
    nodes_sweep_wait(sweep);
    assert_int_equal(nodes_sweep_finish(sweep), 3);
    nodes_sweep_free(sweep);
    assert_null(node_get(nodes, older));
    for (size_t i = 0; i < 10; i++) /* which use what is free again */
        add_name(world, world->repo, NODE_VERSION, "v");
    assert_string_equal(node_name(nodes, node_get(nodes, late)), "late");
    assert_string_equal(node_name(nodes, node_get(nodes, old + 1)), "a");
}

/* One who has looked at the phase long ago, and comes in only now. */
static void who_came_in_late_is_waited_for(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    struct other_thread other = {.world = world};
    pthread_t thread;

    unsigned now = nodes_enter(nodes);
    nodes_leave(nodes, now);
    atomic_fetch_add(&nodes->inside[!now], 1);
    assert_int_equal(pthread_create(&thread, NULL, sweep_there, &other), 0);
    usleep(20000);
    assert_false(atomic_load(&other.ended));
    nodes_leave(nodes, !now);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* The table is damaged: what a version's data leads to is no repository, or nothing. */
static void a_share_is_a_repositorys(void **state)
{
    static const uint64_t wrong[] = {NODE_ROOT_INDEX, 3, PLACES - 1, 1ull << 32 | 1, UINT64_MAX};
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    struct node_spec control = {.kind = NODE_CONTROL, .name = "c", .name_length = 1};
    uint32_t folder;

    add_name(world, world->repo, NODE_VERSION, "v");
    assert_int_equal(nodes_append(nodes, &control, 1, &folder), 0);
    assert_int_equal(folder, 3);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct node_spec spec = {
            .kind = NODE_VERSION, .name = "w", .name_length = 1, .data = wrong[i]};
        uint32_t child;
        assert_int_equal(node_add_child(nodes, world->repo, &spec, &child), 0);
        sweep(world);
        assert_int_equal(nodes_charged(nodes, world->repo), 1);
        assert_int_equal(nodes->node[folder].checkout, 0);
    }
}

struct seen {
    const struct nodes *nodes;
    uint64_t ids[8];
    size_t count;
};

static void note_id(void *data, uint64_t id)
{
    struct seen *seen = data;
    seen->ids[seen->count++] = id;
}

static void what_only_the_kernel_keeps_is_named(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    uint32_t branch = add_name(world, world->repo, NODE_VERSION, "main"), old, new, unknown;
    struct seen seen = {.nodes = nodes};

    assert_int_equal(add_checkout(world, branch, 10, &old), 0);
    node_hold(nodes, child_of(world, branch, "a"));
    assert_int_equal(add_checkout(world, branch, 15, &unknown), 0);
    assert_int_equal(add_checkout(world, branch, 20, &new), 0);
    node_hold(nodes, new);
    struct sweep *sweep = nodes_sweep_new(nodes);
    assert_int_equal(nodes_sweep_each_held(sweep, note_id, &seen), 0);
    nodes_sweep_free(sweep);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.ids[2], node_id(nodes, old)); /* after what is in it */
}

static void a_place_whose_numbers_are_used_up_is_not_used_again(void **state)
{
    struct world *world = *state;
    struct nodes *nodes = world->nodes;
    uint32_t branch = add_name(world, world->repo, NODE_VERSION, "main"), old, new;

    assert_int_equal(add_checkout(world, branch, 10, &old), 0);
    nodes->generations[old] = UINT16_MAX - 1;
    assert_int_equal(add_checkout(world, branch, 20, &new), 0);
    assert_int_equal(sweep(world), 2);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(add_checkout(world, branch, 30, &new), 0);
        assert_int_not_equal(new, old);
    }
}

static void a_sweep_gives_back_what_it_took(void **state)
{
    struct world *world = *state;
    struct seen seen = {.nodes = world->nodes};
    size_t before = 0;

    for (int i = 0; i < 40; i++) {
        if (i == 20) /* malloc keeps some of the first for the next */
            before = allocated();
        sweep(world);
        struct sweep *half = nodes_sweep_new(world->nodes);
        assert_int_equal(nodes_sweep_each_held(half, note_id, &seen), 0);
        nodes_sweep_free(half);
    }
    assert_int_equal(allocated(), before);
    nodes_sweep_free(NULL);
}

/* ---- anything, in any order ---- */

#define VERSIONS 60
#define FILES    6
#define STEPS    400
#define TABLES   40

/* What the table should have. */
struct expected {
    uint32_t node; /* 0: there is no such version */
    char name[160];
    uint32_t checkout; /* 0: none */
    size_t count;
    char files[FILES][160];
};

/* Now mostly long ones, then mostly short ones: there are free places without room for names, and the other way round. */
static void make_name(char *name, unsigned number, unsigned step)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm"
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm";
    int most = step / 60 % 2 ? 130 : 10;

    snprintf(name, 160, "%u%.*s", number, rand() % most, letters);
}

static void try_version(const struct world *world, struct expected *version, unsigned number,
                        unsigned step)
{
    make_name(version->name, number, step);
    struct node_spec spec = {.kind = NODE_VERSION,
                             .name = version->name,
                             .name_length = strlen(version->name),
                             .data = world->repo,
                             .account = world->repo};
    version->count = version->checkout = 0;
    if (node_add_child(world->nodes, world->repo, &spec, &version->node) < 0)
        version->node = 0;
}

static void try_checkout(const struct world *world, struct expected *version, unsigned step)
{
    struct expected new = *version;
    struct node_spec checkout = {
        .kind = NODE_CHECKOUT, .name = "", .parent = version->node, .account = world->repo};
    struct node_spec files[FILES];
    uint32_t first;

    if (nodes_append(world->nodes, &checkout, 1, &new.checkout) < 0)
        return;
    new.count = (size_t)rand() % FILES + 1;
    for (unsigned i = 0; i < new.count; i++) {
        make_name(new.files[i], i, step); /* sorted by their first digit */
        files[i] = (struct node_spec){.kind = NODE_FILE,
                                      .name = new.files[i],
                                      .name_length = strlen(new.files[i]),
                                      .parent = new.checkout,
                                      .checkout = new.checkout,
                                      .account = world->repo};
    }
    if (nodes_append(world->nodes, files, new.count, &first) < 0)
        return;
    node_publish_block(world->nodes, new.checkout, first, (uint32_t) new.count);
    node_publish_checkout(world->nodes, version->node, new.checkout);
    *version = new;
}

static void do_something(const struct world *world, struct expected *versions, unsigned step)
{
    unsigned number = (unsigned)rand() % VERSIONS;
    struct expected *version = &versions[number];

    if (!version->node) {
        try_version(world, version, number, step);
    } else if (rand() % 3) {
        try_checkout(world, version, step);
    } else {
        drop_name(world, world->repo, version->name);
        version->node = 0;
    }
}

static void check_version(const struct world *world, const struct expected *version)
{
    if (!version->node)
        return;
    assert_int_equal(child_of(world, world->repo, version->name), version->node);
    assert_string_equal(node_name(world->nodes, node_get(world->nodes, version->node)),
                        version->name);
    for (size_t i = 0; version->checkout && i < version->count; i++)
        assert_string_equal(
            node_name(world->nodes, node_get(world->nodes, child_of(world, version->checkout,
                                                                    version->files[i]))),
            version->files[i]);
}

/* The next half of a sweep, or a new one. */
static void go_on_sweeping(const struct world *world, struct sweep **sweep, bool *has_looked)
{
    if (!*sweep) {
        *sweep = nodes_sweep_new(world->nodes);
        *has_looked = false;
    } else if (!*has_looked) {
        nodes_sweep_look(*sweep);
        nodes_sweep_wait(*sweep);
        *has_looked = true;
    } else {
        nodes_sweep_finish(*sweep);
        nodes_sweep_free(*sweep);
        *sweep = NULL;
    }
}

static void live_for_a_while(const struct world *world)
{
    struct expected versions[VERSIONS] = {{0}};
    struct sweep *sweep = NULL;
    bool has_looked = false;

    for (unsigned step = 0; step < STEPS; step++) {
        do_something(world, versions, step);
        if (rand() % 10 == 0)
            go_on_sweeping(world, &sweep, &has_looked);
        for (size_t i = 0; i < VERSIONS && step % 8 == 0; i++)
            check_version(world, &versions[i]);
    }
    nodes_sweep_free(sweep);
}

/* Young tables: those that have used all of their places are like one another. */
static void what_is_there_stays_whatever_is_done(void **state)
{
    (void)state;
    srand(20);
    for (unsigned table = 0; table < TABLES; table++) {
        void *world;
        set_up(&world);
        live_for_a_while(world);
        tear_down(&world);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_came_during_a_sweep_stays),
        TEST(what_comes_during_a_sweep_counts),
        TEST(a_branch_moves_ten_thousand_times),
        TEST(what_is_there_stays_whatever_is_done),
        TEST(what_the_kernel_knows_stays),
        TEST(what_a_thread_works_with_stays),
        TEST(names_that_are_gone_make_room),
        TEST(sets_and_strings_stay),
        TEST(what_is_used_again_counts),
        TEST(a_name_that_is_held_between_the_halves_stays),
        TEST(who_is_inside_is_waited_for),
        TEST(a_share_is_a_repositorys),
        TEST(who_came_in_late_is_waited_for),
        TEST(each_half_looks_anew),
        TEST(each_pin_is_its_own),
        TEST(what_nobody_looks_up_by_a_chain_stays),
        TEST(what_leads_to_what_is_known_stays),
        TEST(what_only_the_kernel_keeps_is_named),
        TEST(a_place_whose_numbers_are_used_up_is_not_used_again),
        TEST(a_sweep_gives_back_what_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
