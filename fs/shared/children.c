#include "fs/shared/children.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/nodes_layout.h"

static uint64_t block_word(uint32_t first, uint32_t count)
{
    return KNOWN | (uint64_t)first << 32 | count;
}

void node_publish_block(struct nodes *nodes, uint32_t folder, uint32_t first, uint32_t count)
{
    atomic_store_explicit(&nodes->node[folder].children, block_word(first, count),
                          memory_order_release);
}

void node_publish_checkout(struct nodes *nodes, uint32_t version, uint32_t checkout)
{
    atomic_store_explicit(&nodes->node[version].children, KNOWN | checkout, memory_order_release);
}

bool node_has_children(const struct node *node)
{
    return atomic_load_explicit(&node->children, memory_order_acquire) & KNOWN;
}

int node_checkout(const struct nodes *nodes, uint32_t version, uint32_t *checkout)
{
    const struct node *node = node_get(nodes, version);

    if (!node || node->kind != NODE_VERSION)
        return nodes_damaged(nodes, version);
    uint64_t word = atomic_load_explicit(&node->children, memory_order_acquire);
    if (!(word & KNOWN))
        return -EAGAIN;
    const struct node *target = node_get(nodes, (uint32_t)word);
    if (!target || target->kind != NODE_CHECKOUT || target->parent != version)
        return nodes_damaged(nodes, version);
    *checkout = (uint32_t)word;
    return 0;
}

int node_add_child(struct nodes *nodes, uint32_t folder, const struct node_spec *spec,
                   uint32_t *child)
{
    _Atomic uint64_t *latest = &nodes->node[folder].children;
    struct node_spec linked = *spec;

    linked.parent = folder;
    linked.checkout = (uint32_t)atomic_load_explicit(latest, memory_order_acquire);
    int r = nodes_append(nodes, &linked, 1, child);
    if (r == 0)
        atomic_store_explicit(latest, KNOWN | *child, memory_order_release);
    return r;
}

/* The word that leads to the next child of a chain. */
static _Atomic uint32_t *next_of(const struct node *node)
{
    return (_Atomic uint32_t *)&node->checkout;
}

uint32_t node_before(const struct node *node)
{
    return atomic_load_explicit(next_of(node), memory_order_acquire);
}

/* The latest child of a chain; 0: it has none. */
static uint32_t latest_of(const struct nodes *nodes, uint32_t folder)
{
    uint64_t word = atomic_load_explicit(&nodes->node[folder].children, memory_order_acquire);
    return word & KNOWN ? (uint32_t)word : 0;
}

int node_each_child(const struct nodes *nodes, uint32_t folder,
                    int (*visit)(void *data, uint32_t child), void *data)
{
    uint32_t child = latest_of(nodes, folder), steps = nodes_used(nodes);
    int r = 0;

    while (child != 0 && r == 0) {
        const struct node *node = node_get(nodes, child);
        if (!node || node->parent != folder || steps-- == 0) /* endless, if it is damaged */
            return nodes_damaged(nodes, folder);
        r = visit(data, child);
        child = node_before(node);
    }
    return r;
}

/* One store each: a reader who stands at the child goes on to those before it. */
int node_unchain(struct nodes *nodes, uint32_t folder, bool (*is_gone)(void *data, uint32_t child),
                 void *data)
{
    uint32_t child = latest_of(nodes, folder), steps = nodes_used(nodes);
    struct node *after = NULL; /* the last one that stays */
    int gone = 0;

    while (child != 0) {
        struct node *node = (struct node *)node_get(nodes, child);
        if (!node || node->parent != folder || steps-- == 0)
            return nodes_damaged(nodes, folder);
        uint32_t before = node_before(node);
        if (!is_gone(data, child)) {
            after = node;
        } else {
            gone++;
            if (after)
                atomic_store_explicit(next_of(after), before, memory_order_release);
            else
                atomic_store_explicit(&nodes->node[folder].children, KNOWN | before,
                                      memory_order_release);
        }
        child = before;
    }
    return gone;
}

bool node_chain_is_empty(const struct nodes *nodes, uint32_t folder)
{
    return latest_of(nodes, folder) == 0;
}

/* The published links of a folder that can change: 0, -EAGAIN or -EIO. */
static int links_of(const struct nodes *nodes, uint32_t folder, const struct links **out)
{
    uint64_t word = atomic_load_explicit(&nodes->node[folder].children, memory_order_acquire);
    uint64_t used = atomic_load_explicit(&nodes->header->links_used, memory_order_acquire);
    uint64_t at = word & ~KNOWN;

    if (!(word & KNOWN))
        return -EAGAIN;
    if (used > nodes->max_links || at + 2 > used)
        return nodes_damaged(nodes, folder);
    const struct links *list = (const struct links *)(nodes->links + at);
    if (list->listed > list->count || (uint64_t)list->count + list->listed > used - at - 2)
        return nodes_damaged(nodes, folder);
    *out = list;
    return 0;
}

struct named_link {
    struct node_link link;
    const char *name;
};

static int compare_by_name(const void *a, const void *b)
{
    return strcmp(((const struct named_link *)a)->name, ((const struct named_link *)b)->name);
}

static int compare_by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Writes a list of links: all by name, then the listed ones by index. */
static void fill_links(struct links *list, const struct named_link *sorted, size_t count)
{
    size_t next = count;

    for (size_t i = 0; i < count; i++) {
        list->index[i] = sorted[i].link.index;
        if (sorted[i].link.listed)
            list->index[next++] = sorted[i].link.index;
    }
    list->count = (uint32_t)count;
    list->listed = (uint32_t)(next - count);
    qsort(list->index + count, list->listed, sizeof *list->index, compare_by_index);
}

static bool has_links(const struct nodes *nodes, uint32_t folder, const struct links *list,
                      uint64_t words)
{
    const struct links *present;

    return links_of(nodes, folder, &present) == 0 && present->count == list->count &&
           present->listed == list->listed && memcmp(present, list, words * sizeof(uint32_t)) == 0;
}

int node_publish_links(struct nodes *nodes, uint32_t folder, const struct node_link *links,
                       size_t count)
{
    struct named_link *sorted = calloc(count + 1, sizeof *sorted);
    struct links *list = calloc(1, sizeof *list + 2 * count * sizeof *list->index);
    int r = 0;

    if (!sorted || !list) {
        r = -ENOMEM;
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        const struct node *node = node_get(nodes, links[i].index);
        if (!node) {
            r = nodes_damaged(nodes, folder);
            goto out;
        }
        sorted[i] = (struct named_link){links[i], node_name(nodes, node)};
    }
    qsort(sorted, count, sizeof *sorted, compare_by_name);
    fill_links(list, sorted, count);

    pthread_mutex_lock(&nodes->append);
    uint64_t used = atomic_load(&nodes->header->links_used);
    uint64_t words = 2 + (uint64_t)list->count + list->listed;
    if (has_links(nodes, folder, list, words)) {
        r = 0;
    } else if (used > nodes->max_links || words > nodes->max_links - used) {
        r = -ENOSPC;
    } else {
        memcpy(nodes->links + used, list, words * sizeof(uint32_t));
        atomic_store_explicit(&nodes->header->links_used, used + words, memory_order_release);
        atomic_store_explicit(&nodes->node[folder].children, KNOWN | used, memory_order_release);
        r = 1;
    }
    pthread_mutex_unlock(&nodes->append);
out:
    free(sorted);
    free(list);
    return r;
}

/* The published block of a tree or checkout: 0, -EAGAIN or -EIO. */
static int block_of(const struct nodes *nodes, uint32_t folder, uint32_t *first, uint32_t *count)
{
    uint64_t word = atomic_load_explicit(&nodes->node[folder].children, memory_order_acquire);

    if (!(word & KNOWN))
        return -EAGAIN;
    *first = (uint32_t)(word >> 32) & 0x7fffffff;
    *count = (uint32_t)word;
    return (uint64_t)*first + *count <= nodes_used(nodes) ? 0 : nodes_damaged(nodes, folder);
}

enum shape { SHAPE_NONE, SHAPE_LINKS, SHAPE_BLOCK, SHAPE_CHAIN };

/* Resolves a version to its checkout, and tells how the folder's children are kept. */
static int folder_shape(const struct nodes *nodes, uint32_t *folder, enum shape *shape)
{
    const struct node *node = node_get(nodes, *folder);
    uint32_t checkout;

    if (!node)
        return nodes_damaged(nodes, *folder);
    switch ((unsigned)node->kind) {
    case NODE_VERSION: {
        int r = node_checkout(nodes, *folder, &checkout);
        if (r < 0)
            return r;
        *folder = checkout;
        *shape = SHAPE_BLOCK;
        break;
    }
    case NODE_CHECKOUT:
    case NODE_TREE:
        *shape = SHAPE_BLOCK;
        break;
    case NODE_SUBMODULE:
        *shape = SHAPE_NONE;
        break;
    case NODE_REPO:
    case NODE_PREFIX:
        *shape = SHAPE_CHAIN;
        break;
    case NODE_ROOT:
    case NODE_CONTROL:
        *shape = SHAPE_LINKS;
        break;
    default:
        return -ENOTDIR;
    }
    return 0;
}

/* A child as the folder's block or links name it: NULL if that can't be. A tree's children know it.
 */
static const struct node *child_of(const struct nodes *nodes, uint32_t folder, enum shape shape,
                                   uint32_t child)
{
    const struct node *node = node_get(nodes, child);

    if (!node || (shape == SHAPE_BLOCK && node->parent != folder)) {
        nodes_damaged(nodes, folder);
        return NULL;
    }
    return node;
}

static int compare_name(const struct nodes *nodes, const struct node *node, const char *name,
                        size_t length)
{
    size_t common = node->name_length < length ? node->name_length : length;
    int c = memcmp(node_name(nodes, node), name, common);
    return c ? c : (int)node->name_length - (int)length;
}

struct chain_search {
    const struct nodes *nodes;
    const char *name;
    size_t length;
    uint32_t found;
};

static int compare_child(void *data, uint32_t child)
{
    struct chain_search *search = data;
    const struct node *node = node_get(search->nodes, child);

    search->found = child;
    return compare_name(search->nodes, node, search->name, search->length) == 0;
}

static int search_chain(const struct nodes *nodes, uint32_t folder, const char *name, size_t length,
                        uint32_t *child)
{
    struct chain_search search = {nodes, name, length, 0};
    int r = node_each_child(nodes, folder, compare_child, &search);

    if (r > 0)
        *child = search.found;
    return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

int node_lookup(const struct nodes *nodes, uint32_t folder, const char *name, size_t length,
                uint32_t *child)
{
    const struct links *links = NULL;
    enum shape shape;
    uint32_t first = 0, count = 0;
    int r = folder_shape(nodes, &folder, &shape);

    if (r == 0 && shape == SHAPE_LINKS) {
        r = links_of(nodes, folder, &links);
        count = r == 0 ? links->count : 0;
    } else if (r == 0 && shape == SHAPE_BLOCK) {
        r = block_of(nodes, folder, &first, &count);
    }
    if (r < 0)
        return r;
    if (shape == SHAPE_CHAIN)
        return search_chain(nodes, folder, name, length, child);
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t candidate = links ? links->index[middle] : first + middle;
        const struct node *node = child_of(nodes, folder, shape, candidate);
        if (!node)
            return -EIO;
        int c = compare_name(nodes, node, name, length);
        if (c == 0) {
            *child = candidate;
            return 0;
        }
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -ENOENT;
}

int node_next(const struct nodes *nodes, uint32_t folder, uint64_t *offset, uint32_t *child)
{
    const struct links *links;
    enum shape shape;
    uint32_t first, count;
    int r = folder_shape(nodes, &folder, &shape);

    if (r < 0)
        return r;
    if (shape == SHAPE_NONE)
        return -ENOENT;
    if (shape == SHAPE_CHAIN)
        return -ENOTDIR;
    if (shape == SHAPE_BLOCK) {
        r = block_of(nodes, folder, &first, &count);
        if (r < 0)
            return r;
        if (*offset >= count)
            return -ENOENT;
        *child = first + (uint32_t)(*offset)++;
        return child_of(nodes, folder, shape, *child) ? 0 : -EIO;
    }
    /* Offsets in a folder that can change are inode numbers: they survive a new list. */
    r = links_of(nodes, folder, &links);
    if (r < 0)
        return r;
    const uint32_t *listed = links->index + links->count;
    uint32_t low = 0, high = links->listed;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((uint64_t)listed[middle] + 1 > *offset)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == links->listed)
        return -ENOENT;
    *child = listed[low];
    *offset = (uint64_t)*child + 1;
    return child_of(nodes, folder, shape, *child) ? 0 : -EIO;
}

int node_each_link(const struct nodes *nodes, uint32_t folder,
                   int (*visit)(void *data, uint32_t child, bool listed), void *data)
{
    const struct links *links;
    int r =
        node_get(nodes, folder) ? links_of(nodes, folder, &links) : nodes_damaged(nodes, folder);

    if (r == -EAGAIN)
        return 0;
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < links->count; i++) {
        const uint32_t *listed = links->index + links->count;
        bool is_listed = bsearch(&links->index[i], listed, links->listed, sizeof *listed,
                                 compare_by_index) != NULL;
        r = visit(data, links->index[i], is_listed);
        if (r)
            return r;
    }
    return 0;
}
