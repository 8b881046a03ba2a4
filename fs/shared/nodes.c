#include "fs/shared/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/shared/names.h"

#define REPO_SHARE 8u /* a repository may have one part in so many */

static size_t memory_size(uint32_t max_nodes)
{
    return HEADER_SIZE +
           max_nodes * (sizeof(struct node) + NAMES_PIECE + sizeof(uint64_t) + sizeof(uint32_t) +
                        LINKS_PER_NODE * sizeof(uint32_t) + sizeof(uint16_t));
}

int nodes_create(uint32_t max_nodes, int64_t mtime, struct error *e)
{
    struct nodes *nodes;
    struct node_spec root = {.kind = NODE_ROOT, .name = "", .mtime = mtime};
    uint32_t first;
    int fd, r;

    if (max_nodes < 1024 || max_nodes >= 1u << 31)
        return error_set(e, EINVAL, "max_nodes=%u: give a number from 1024 to 2147483647",
                         max_nodes);
    fd = memfd_create("startpointfs-nodes", 0);
    if (fd < 0)
        return error_set(e, errno, "cannot make the node table: %s", strerror(errno));
    if (ftruncate(fd, (off_t)memory_size(max_nodes)) < 0) {
        r = error_set(e, errno, "cannot reserve %zu bytes for the node table: %s",
                      memory_size(max_nodes), strerror(errno));
        close(fd);
        return r;
    }
    struct header header = {.magic = MAGIC, .layout = NODES_LAYOUT, .max_nodes = max_nodes};
    if (pwrite(fd, &header, sizeof header, 0) != sizeof header) {
        r = error_set(e, errno, "cannot write the node table: %s", strerror(errno));
        close(fd);
        return r;
    }
    r = nodes_map(&nodes, fd, e);
    if (r < 0) {
        close(fd);
        return r;
    }
    r = nodes_append(nodes, &root, 1, &first);
    nodes_unmap(nodes);
    if (r < 0) {
        close(fd);
        return error_set(e, -r, "cannot make the root of the node table");
    }
    return fd;
}

int nodes_map(struct nodes **out, int fd, struct error *e)
{
    struct header header;
    struct stat st;

    if (pread(fd, &header, sizeof header, 0) != sizeof header || header.magic != MAGIC)
        return error_set(e, EPROTO, "the node table is not one of startpointfs");
    if (header.layout != NODES_LAYOUT)
        return error_set(e, EPROTO,
                         "the mount's node table has layout %u, and this program needs %u: to use "
                         "this version, unmount and mount again",
                         header.layout, NODES_LAYOUT);
    if (fstat(fd, &st) < 0 || (size_t)st.st_size != memory_size(header.max_nodes))
        return error_set(e, EPROTO, "the node table has the wrong size");

    struct nodes *nodes = calloc(1, sizeof *nodes);
    if (!nodes)
        return error_no_memory(e);
    nodes->size = (size_t)st.st_size;
    char *memory =
        mmap(NULL, nodes->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (memory == MAP_FAILED) {
        int r = error_set(e, errno, "cannot map the node table: %s", strerror(errno));
        free(nodes);
        return r;
    }
    nodes->header = (struct header *)memory;
    nodes->node = (struct node *)(memory + HEADER_SIZE);
    nodes->names = (char *)(nodes->node + header.max_nodes);
    nodes->max_names = header.max_nodes * NAMES_PIECE;
    nodes->holds = (_Atomic uint64_t *)(nodes->names + nodes->max_names);
    nodes->owners = (_Atomic uint32_t *)(nodes->holds + header.max_nodes);
    nodes->links = (uint32_t *)(nodes->owners + header.max_nodes);
    nodes->max_links = header.max_nodes * LINKS_PER_NODE;
    nodes->generations = (_Atomic uint16_t *)(nodes->links + nodes->max_links);
    nodes->places = (struct places){.used = &nodes->header->nodes_used, .max = header.max_nodes};
    nodes->pieces = (struct places){.used = &nodes->header->names_used, .max = header.max_nodes};
    pthread_mutex_init(&nodes->append, NULL);
    *out = nodes;
    return 0;
}

void nodes_unmap(struct nodes *nodes)
{
    if (!nodes)
        return;
    pthread_mutex_destroy(&nodes->append);
    munmap(nodes->header, nodes->size);
    places_forget(&nodes->places);
    places_forget(&nodes->pieces);
    free(nodes);
}

void nodes_on_damage(struct nodes *nodes, void (*report)(void *data, uint32_t index), void *data)
{
    nodes->report = report;
    nodes->data = data;
}

void nodes_report_damage(const struct nodes *nodes, uint32_t index)
{
    _Atomic uint64_t *reported = (_Atomic uint64_t *)&nodes->reported;

    if (atomic_exchange(reported, index + 1ull) != index + 1ull && nodes->report)
        nodes->report(nodes->data, index);
}

uint32_t nodes_used(const struct nodes *nodes)
{
    return places_used(&nodes->places);
}

uint32_t nodes_taken(const struct nodes *nodes)
{
    uint32_t used = nodes_used(nodes), free = atomic_load(&nodes->header->nodes_free);
    return used - (free < used ? free : 0);
}

uint32_t nodes_max(const struct nodes *nodes)
{
    return nodes->places.max;
}

/* The caller knows that it is a repository. */
static _Atomic uint32_t *charge_of(const struct nodes *nodes, uint32_t repo)
{
    return (_Atomic uint32_t *)&nodes->node[repo].checkout;
}

uint32_t nodes_share(const struct nodes *nodes)
{
    return nodes_max(nodes) / REPO_SHARE;
}

uint32_t nodes_charged(const struct nodes *nodes, uint32_t repo)
{
    const struct node *node = node_get(nodes, repo);

    return node && node->kind == NODE_REPO
               ? atomic_load_explicit(charge_of(nodes, repo), memory_order_relaxed)
               : 0;
}

const struct node *node_get(const struct nodes *nodes, uint32_t index)
{
    unsigned kind = index < nodes_used(nodes)
                        ? atomic_load_explicit(&nodes->node[index].kind, memory_order_acquire)
                        : NODE_NONE;
    return kind != NODE_NONE && kind < NODE_KINDS ? &nodes->node[index] : NULL;
}

const struct node *node_parent(const struct nodes *nodes, const struct node *node)
{
    const struct node *parent = node_get(nodes, node->parent);
    return parent && parent->depth < node->depth ? parent : NULL;
}

uint32_t node_generation(const struct nodes *nodes, uint32_t index)
{
    return atomic_load_explicit(&nodes->generations[index], memory_order_acquire);
}

uint64_t node_id(const struct nodes *nodes, uint32_t index)
{
    return (uint64_t)node_generation(nodes, index) << 32 | (index + 1u);
}

bool node_of_id(const struct nodes *nodes, uint64_t id, uint32_t *index)
{
    *index = (uint32_t)id - 1;
    return *index < nodes_used(nodes) && node_generation(nodes, *index) == id >> 32;
}

uint32_t node_unit(const struct nodes *nodes, uint32_t index)
{
    const struct node *node = &nodes->node[index];

    if (!kind_is_in_checkout(node->kind))
        return index;
    return node->checkout < nodes_used(nodes) ? node->checkout : 0;
}

static void set_kind(struct node *node, enum node_kind kind)
{
    atomic_store_explicit(&node->kind, (uint8_t)kind, memory_order_release);
}

/* Counts places in a repository's share; the caller holds the append lock. A worker that dies right
 * after has counted too much, never too little. */
static int charge(struct nodes *nodes, uint32_t repo, size_t more)
{
    const struct node *node = node_get(nodes, repo);

    if (repo == 0)
        return 0;
    if (!node || node->kind != NODE_REPO)
        return nodes_damaged(nodes, repo);
    uint32_t has = nodes_charged(nodes, repo), share = nodes_share(nodes);
    if (has > share || more > share - has)
        return -EDQUOT;
    atomic_store_explicit(charge_of(nodes, repo), has + (uint32_t)more, memory_order_relaxed);
    return 0;
}

static void uncharge(struct nodes *nodes, uint32_t repo, size_t less)
{
    if (repo != 0)
        atomic_fetch_sub_explicit(charge_of(nodes, repo), (uint32_t)less, memory_order_relaxed);
}

static bool has_size(enum node_kind kind)
{
    return kind == NODE_FILE || kind == NODE_EXECUTABLE || kind == NODE_SYMLINK;
}

/* Everything but its kind, which the caller writes last. */
static void fill(struct nodes *nodes, struct node *node, const struct node_spec *spec,
                 uint64_t name)
{
    const struct node *parent = &nodes->node[spec->parent];

    names_write(nodes, spec, name);
    node->flags = (uint8_t)spec->flags;
    node->name_length = (uint8_t)spec->name_length;
    node->parent = spec->parent;
    node->depth = parent == node ? 0 : parent->depth + 1u;
    node->name = name;
    node->oid = spec->oid;
    node->checkout = spec->checkout;
    atomic_store_explicit(&node->size, has_size(spec->kind) ? spec->data : 0, memory_order_relaxed);
}

/* A worker's own: what one that has died was making, nobody will go on with. The caller holds the append
 * lock, and looks for the slot 0 to pin a node, for the node to unpin it. */
static uint32_t *find_pin(struct nodes *nodes, uint32_t index)
{
    for (size_t i = 0; i < PINS; i++)
        if (nodes->pins[i] == index)
            return &nodes->pins[i];
    return NULL;
}

void nodes_unpin(struct nodes *nodes, uint32_t index)
{
    pthread_mutex_lock(&nodes->append);
    uint32_t *pin = find_pin(nodes, index);
    if (pin)
        *pin = 0;
    pthread_mutex_unlock(&nodes->append);
}

static int find_places(struct nodes *nodes, size_t count, size_t pieces, uint32_t *first,
                       uint32_t *piece)
{
    int r = places_take(&nodes->places, count, first);

    if (r == 0)
        r = places_take(&nodes->pieces, pieces, piece);
    atomic_store_explicit(&nodes->header->nodes_free, nodes->places.free, memory_order_relaxed);
    return r;
}

/* `at`: where names begin. */
static void fill_all(struct nodes *nodes, const struct node_spec *specs, size_t count,
                     uint32_t first, uint64_t at)
{
    for (size_t i = 0; i < count; i++) {
        at = names_begin(at, specs[i].kind);
        fill(nodes, &nodes->node[first + i], &specs[i], at);
        set_kind(&nodes->node[first + i], specs[i].kind);
        at += specs[i].name_length + 1;
    }
}

/* Bytes for their names, and what lies before these. */
static size_t size_of_names(const struct node_spec *specs, size_t count)
{
    uint64_t at = 0;

    for (size_t i = 0; i < count; i++)
        at = names_begin(at, specs[i].kind) + specs[i].name_length + 1;
    return at;
}

int nodes_append(struct nodes *nodes, const struct node_spec *specs, size_t count, uint32_t *first)
{
    size_t pieces = names_pieces(size_of_names(specs, count));
    size_t more = count > pieces ? count : pieces;
    uint32_t piece;
    int r = 0;

    pthread_mutex_lock(&nodes->append);
    uint32_t *pin = count > 0 && specs[0].is_pinned ? find_pin(nodes, 0) : NULL;
    if (count > 0)
        r = specs[0].is_pinned && !pin ? -ENOMEM : charge(nodes, specs[0].account, more);
    if (r == 0)
        r = find_places(nodes, count, pieces, first, &piece);
    if (r == -ENOSPC)
        uncharge(nodes, specs[0].account, more);
    if (r == 0 && pin)
        *pin = *first;
    if (r == 0) {
        fill_all(nodes, specs, count, *first, piece * NAMES_PIECE);
        names_own(nodes, piece, pieces, count > 0 ? node_unit(nodes, *first) : 0);
    }
    pthread_mutex_unlock(&nodes->append);
    return r;
}

bool node_correct_size(struct nodes *nodes, uint32_t index, uint64_t told, uint64_t size)
{
    return atomic_compare_exchange_strong(&nodes->node[index].size, &told, size);
}

bool node_is_folder(const struct node *node)
{
    switch ((unsigned)node->kind) {
    case NODE_FILE:
    case NODE_EXECUTABLE:
    case NODE_SYMLINK:
    case NODE_CONTROL_FILE:
        return false;
    }
    return true;
}
