#include "fs/shared/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "fs/shared/children.h"
#include "fs/shared/holds.h"
#include "fs/shared/nodes_layout.h"

struct bits {
    uint64_t *words;
    size_t count; /* of words */
};

struct sweep {
    struct nodes *nodes;
    uint32_t used, used_pieces;
    struct bits pinned, live, dead;
    struct bits dead_pieces;           /* of names */
    uint32_t *charges, *piece_charges; /* by repository's index */
    bool ignores_holds;
};

/* ---- who is inside ---- */

unsigned nodes_enter(struct nodes *nodes)
{
    unsigned phase = atomic_load(&nodes->phase);

    atomic_fetch_add(&nodes->inside[phase], 1);
    return phase;
}

void nodes_leave(struct nodes *nodes, unsigned inside)
{
    atomic_fetch_sub(&nodes->inside[inside], 1);
}

static void wait_until_left(struct nodes *nodes, unsigned phase)
{
    const struct timespec pause = {.tv_nsec = 200000};

    while (atomic_load(&nodes->inside[phase]) > 0)
        nanosleep(&pause, NULL);
}

/* Who entered in the present phase is waited for after it has ended. Those of the other are mostly gone;
 * but one may have looked at the phase long ago, and counted itself just now. */
void nodes_sweep_wait(struct sweep *sweep)
{
    struct nodes *nodes = sweep->nodes;
    unsigned phase = atomic_load(&nodes->phase);

    wait_until_left(nodes, !phase);
    atomic_store(&nodes->phase, !phase);
    wait_until_left(nodes, phase);
}

/* ---- bits ---- */

static bool has(const struct bits *bits, uint32_t index)
{
    return index / 64 < bits->count && bits->words[index / 64] >> index % 64 & 1;
}

static void set(const struct bits *bits, uint32_t index)
{
    if (index / 64 < bits->count)
        bits->words[index / 64] |= 1ull << index % 64;
}

static int bits_init(struct bits *bits, uint32_t used)
{
    bits->count = used / 64 + 1;
    bits->words = calloc(bits->count, sizeof *bits->words);
    return bits->words ? 0 : -ENOMEM;
}

static void clear(const struct bits *bits)
{
    memset(bits->words, 0, bits->count * sizeof *bits->words);
}

static size_t size_of_counts(const struct sweep *sweep)
{
    return (sweep->used + (size_t)1) * sizeof *sweep->charges;
}

/* Not from malloc, whose arenas keep what is given back. */
static uint32_t *counts_new(const struct sweep *sweep)
{
    void *counts = mmap(NULL, size_of_counts(sweep), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return counts == MAP_FAILED ? NULL : counts;
}

static void counts_free(const struct sweep *sweep, uint32_t *counts)
{
    if (counts)
        munmap(counts, size_of_counts(sweep));
}

struct sweep *nodes_sweep_new(struct nodes *nodes)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);

    if (!sweep)
        return NULL;
    sweep->nodes = nodes;
    sweep->used = nodes_used(nodes);
    sweep->used_pieces = places_used(&nodes->pieces);
    sweep->charges = counts_new(sweep);
    sweep->piece_charges = counts_new(sweep);
    if (!sweep->charges || !sweep->piece_charges || bits_init(&sweep->pinned, sweep->used) < 0 ||
        bits_init(&sweep->live, sweep->used) < 0 || bits_init(&sweep->dead, sweep->used) < 0 ||
        bits_init(&sweep->dead_pieces, sweep->used_pieces) < 0) {
        nodes_sweep_free(sweep);
        return NULL;
    }
    return sweep;
}

void nodes_sweep_free(struct sweep *sweep)
{
    if (!sweep)
        return;
    free(sweep->pinned.words);
    free(sweep->live.words);
    free(sweep->dead.words);
    free(sweep->dead_pieces.words);
    counts_free(sweep, sweep->charges);
    counts_free(sweep, sweep->piece_charges);
    free(sweep);
}

/* ---- what is live ---- */

static unsigned kind_of(const struct nodes *nodes, uint32_t index)
{
    return atomic_load_explicit(&nodes->node[index].kind, memory_order_acquire);
}

/* Also what it is in, which its path is made of. */
static void mark(struct sweep *sweep, uint32_t index)
{
    while (index < sweep->used && !has(&sweep->live, index)) {
        set(&sweep->live, index);
        if (kind_of(sweep->nodes, index) == NODE_NONE)
            return;
        index = sweep->nodes->node[index].parent;
    }
}

static int mark_child(void *data, uint32_t child)
{
    struct sweep *sweep = data;

    mark(sweep, child);
    return kind_of(sweep->nodes, child) == NODE_PREFIX
               ? node_each_child(sweep->nodes, child, mark_child, data)
               : 0;
}

static bool is_below_a_repository(const struct nodes *nodes, const struct node *node)
{
    const struct node *parent = node_get(nodes, node->parent);
    return parent && (parent->kind == NODE_REPO || parent->kind == NODE_PREFIX);
}

/* What stays as long as the mount, and the names that are in their folders' chains. */
static void mark_what_stays(struct sweep *sweep, uint32_t index)
{
    const struct nodes *nodes = sweep->nodes;
    const struct node *node = &nodes->node[index];

    switch (kind_of(nodes, index)) {
    case NODE_REPO:
        node_each_child(nodes, index, mark_child, sweep);
        /* fall through */
    case NODE_ROOT:
    case NODE_CONTROL:
    case NODE_CONTROL_FILE:
        mark(sweep, index);
        break;
    case NODE_VERSION: /* a set's, or of a table that is damaged */
        if (!is_below_a_repository(nodes, node) && node_get(nodes, node->parent))
            mark(sweep, index);
        break;
    }
}

static void mark_what_is_used(struct sweep *sweep, uint32_t index)
{
    const struct nodes *nodes = sweep->nodes;
    unsigned kind = kind_of(nodes, index);

    if (kind != NODE_CHECKOUT && kind != NODE_VERSION && kind != NODE_PREFIX)
        return;
    bool is_held = !sweep->ignores_holds && atomic_load(&nodes->holds[index]) > 0;
    if (is_held || has(&sweep->pinned, index))
        mark(sweep, index);
}

static void mark_what_is_shown(struct sweep *sweep, uint32_t index)
{
    uint32_t checkout;

    if (kind_of(sweep->nodes, index) == NODE_VERSION && has(&sweep->live, index) &&
        node_checkout(sweep->nodes, index, &checkout) == 0)
        mark(sweep, checkout);
}

/* The caller holds the append lock. */
static void find_live(struct sweep *sweep, bool ignores_holds)
{
    static void (*const steps[])(struct sweep *, uint32_t) = {mark_what_stays, mark_what_is_used,
                                                              mark_what_is_shown};

    sweep->ignores_holds = ignores_holds;
    clear(&sweep->live);
    for (size_t i = 0; i < PINS; i++)
        if (sweep->nodes->pins[i])
            mark(sweep, sweep->nodes->pins[i]);
    for (size_t step = 0; step < sizeof steps / sizeof *steps; step++)
        for (uint32_t i = 0; i < sweep->used; i++)
            steps[step](sweep, i);
}

void nodes_sweep_pin(struct sweep *sweep, uint32_t index)
{
    if (index < sweep->used)
        set(&sweep->pinned, node_unit(sweep->nodes, index));
}

/* Whether what owns it is dead, as far as was looked: nothing is known of an owner that came since, though the piece may
 * have been another's before. What has no owner is free. */
static bool is_dead_piece(const struct sweep *sweep, uint32_t piece)
{
    uint32_t owner = atomic_load_explicit(&sweep->nodes->owners[piece], memory_order_acquire);
    return owner > 0 && owner <= sweep->used && !has(&sweep->live, owner - 1);
}

void nodes_sweep_look(struct sweep *sweep)
{
    struct nodes *nodes = sweep->nodes;

    pthread_mutex_lock(&nodes->append);
    find_live(sweep, false);
    clear(&sweep->dead);
    for (uint32_t i = 0; i < sweep->used; i++)
        if (kind_of(nodes, i) != NODE_NONE && !has(&sweep->live, node_unit(nodes, i)))
            set(&sweep->dead, i);
    clear(&sweep->dead_pieces);
    for (uint32_t i = 0; i < sweep->used_pieces; i++)
        if (is_dead_piece(sweep, i))
            set(&sweep->dead_pieces, i);
    pthread_mutex_unlock(&nodes->append);
    clear(&sweep->pinned);
}

bool nodes_sweep_is_dead(const struct sweep *sweep, uint32_t index)
{
    return has(&sweep->dead, index);
}

/* ---- freeing ---- */

/* In this order: see the header. */
static void free_place(struct nodes *nodes, uint32_t index)
{
    atomic_fetch_add_explicit(&nodes->generations[index], 1, memory_order_release);
    atomic_store_explicit(&nodes->node[index].kind, NODE_NONE, memory_order_release);
}

/* What is in a unit goes before it, and what is in a name before the name: else it would count as another's
 * if a worker died meanwhile and the place were used again. */
static unsigned rank_of(const struct nodes *nodes, uint32_t index)
{
    if (node_unit(nodes, index) != index)
        return 0;
    return kind_of(nodes, index) == NODE_CHECKOUT ? 1 : 2;
}

/* Names go before their unit does: else they would be another's that comes to be in its place. */
static void free_dead(struct sweep *sweep)
{
    for (uint32_t i = 0; i < sweep->used_pieces; i++)
        if (has(&sweep->dead_pieces, i) && is_dead_piece(sweep, i))
            atomic_store_explicit(&sweep->nodes->owners[i], 0, memory_order_release);
    for (unsigned rank = 0; rank <= 2; rank++)
        for (uint32_t i = 0; i < sweep->used; i++)
            if (has(&sweep->dead, i) && kind_of(sweep->nodes, i) != NODE_NONE &&
                rank_of(sweep->nodes, i) == rank)
                free_place(sweep->nodes, i);
}

/* The repository in whose share a unit counts; 0: in nobody's. */
static uint32_t repository_of(const struct nodes *nodes, uint32_t unit)
{
    const struct node *node = &nodes->node[unit];

    if (kind_of(nodes, unit) == NODE_CHECKOUT)
        node = node_get(nodes, node->parent);
    else if (!is_below_a_repository(nodes, node))
        return 0;
    if (!node || (node->kind != NODE_VERSION && node->kind != NODE_PREFIX))
        return 0;
    uint64_t index = node_data(nodes, node);
    const struct node *repo = index < nodes_used(nodes) ? node_get(nodes, (uint32_t)index) : NULL;
    return repo && repo->kind == NODE_REPO ? (uint32_t)index : 0;
}

static void count_place(struct sweep *sweep, uint32_t index)
{
    uint32_t repo = repository_of(sweep->nodes, node_unit(sweep->nodes, index));

    if (repo && repo < sweep->used)
        sweep->charges[repo]++;
}

static void count_piece(struct sweep *sweep, uint32_t piece)
{
    uint32_t owner = atomic_load_explicit(&sweep->nodes->owners[piece], memory_order_acquire);
    uint32_t repo =
        owner > 0 && owner <= nodes_used(sweep->nodes) ? repository_of(sweep->nodes, owner - 1) : 0;

    if (repo && repo < sweep->used)
        sweep->piece_charges[repo]++;
}

static void correct_charge(const struct sweep *sweep, uint32_t repo)
{
    uint32_t places = sweep->charges[repo], pieces = sweep->piece_charges[repo];

    atomic_store_explicit((_Atomic uint32_t *)&sweep->nodes->node[repo].checkout,
                          places > pieces ? places : pieces, memory_order_relaxed);
}

/* Places that were taken since the sweep began count as well. */
static void count_all(struct sweep *sweep)
{
    struct nodes *nodes = sweep->nodes;
    uint32_t used = nodes_used(nodes), used_pieces = places_used(&nodes->pieces);

    for (uint32_t i = 0; i < used; i++)
        if (kind_of(nodes, i) != NODE_NONE)
            count_place(sweep, i);
    for (uint32_t i = 0; i < used_pieces; i++)
        count_piece(sweep, i);
    for (uint32_t i = 0; i < sweep->used; i++)
        if (kind_of(nodes, i) == NODE_REPO)
            correct_charge(sweep, i);
}

/* Notes which places can be used. */
static void find_free_places(struct nodes *nodes)
{
    uint32_t used = nodes_used(nodes), used_pieces = places_used(&nodes->pieces);

    if (places_look(&nodes->places))
        for (uint32_t i = 0; i < used; i++)
            if (kind_of(nodes, i) != NODE_NONE || node_generation(nodes, i) == UINT16_MAX)
                places_keep(&nodes->places, i);
    if (places_look(&nodes->pieces))
        for (uint32_t i = 0; i < used_pieces; i++)
            if (atomic_load_explicit(&nodes->owners[i], memory_order_acquire) > 0)
                places_keep(&nodes->pieces, i);
    atomic_store_explicit(&nodes->header->nodes_free, nodes->places.free, memory_order_relaxed);
}

uint32_t nodes_sweep_finish(struct sweep *sweep)
{
    struct nodes *nodes = sweep->nodes;

    pthread_mutex_lock(&nodes->append);
    uint32_t before = nodes->places.free;
    find_live(sweep, false);
    for (uint32_t i = 0; i < sweep->used; i++)
        if (has(&sweep->live, node_unit(nodes, i)))
            sweep->dead.words[i / 64] &= ~(1ull << i % 64);
    free_dead(sweep);
    count_all(sweep);
    find_free_places(nodes);
    uint32_t after = nodes->places.free;
    pthread_mutex_unlock(&nodes->append);
    return after > before ? after - before : 0;
}

/* ---- what the kernel keeps ---- */

struct held_node {
    uint32_t index, depth;
};

static int compare_depth(const void *a, const void *b)
{
    uint32_t x = ((const struct held_node *)a)->depth, y = ((const struct held_node *)b)->depth;
    return x < y ? 1 : x > y ? -1 : 0;
}

int nodes_sweep_each_held(struct sweep *sweep, void (*visit)(void *data, uint64_t id), void *data)
{
    struct nodes *nodes = sweep->nodes;
    struct held_node *all;
    size_t count = 0;

    pthread_mutex_lock(&nodes->append);
    find_live(sweep, true);
    for (uint32_t i = 0; i < sweep->used; i++)
        count += kind_of(nodes, i) != NODE_NONE && !has(&sweep->live, node_unit(nodes, i));
    all = calloc(count + 1, sizeof *all);
    count = 0;
    for (uint32_t i = 0; all && i < sweep->used; i++)
        if (kind_of(nodes, i) < NODE_KINDS && kind_of(nodes, i) != NODE_NONE &&
            !has(&sweep->live, node_unit(nodes, i)) && node_holds(nodes, i) > 0)
            all[count++] = (struct held_node){i, nodes->node[i].depth};
    pthread_mutex_unlock(&nodes->append);
    if (!all)
        return -ENOMEM;
    qsort(all, count, sizeof *all, compare_depth);
    for (size_t i = 0; i < count; i++)
        visit(data, node_id(nodes, all[i].index));
    free(all);
    return 0;
}
