#include "fs/shared/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/shared/nodes_layout.h"

#define REPO_SHARE 8u /* a repository may have one part in so many */

static size_t memory_size(uint32_t max_nodes)
{
    return HEADER_SIZE +
           max_nodes * (sizeof(struct node) + NAMES_PER_NODE + LINKS_PER_NODE * sizeof(uint32_t) +
                        sizeof(uint64_t) + sizeof(uint32_t));
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
    nodes->max_names = header.max_nodes * NAMES_PER_NODE;
    nodes->links = (uint32_t *)(nodes->names + nodes->max_names);
    nodes->max_links = header.max_nodes * LINKS_PER_NODE;
    nodes->holds = (_Atomic uint64_t *)(nodes->links + nodes->max_links);
    nodes->generations = (_Atomic uint32_t *)(nodes->holds + header.max_nodes);
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
    free(nodes->taken);
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
    uint32_t used = atomic_load_explicit(&nodes->header->nodes_used, memory_order_acquire);
    uint32_t max = nodes_max(nodes);
    return used < max ? used : max;
}

uint32_t nodes_taken(const struct nodes *nodes)
{
    uint32_t used = nodes_used(nodes), free = atomic_load(&nodes->header->nodes_free);
    return used - (free < used ? free : 0);
}

uint32_t nodes_max(const struct nodes *nodes)
{
    return (uint32_t)(nodes->max_names / NAMES_PER_NODE);
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
    return kind != NODE_NONE && kind < NODE_ROOM ? &nodes->node[index] : NULL;
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

    switch ((unsigned)node->kind) {
    case NODE_TREE:
    case NODE_FILE:
    case NODE_EXECUTABLE:
    case NODE_SYMLINK:
    case NODE_SUBMODULE:
    case NODE_ROOM:
        return node->checkout < nodes_used(nodes) ? node->checkout : 0;
    }
    return index;
}

const char *node_string(const struct nodes *nodes, uint64_t offset)
{
    uint64_t used = nodes_used(nodes) * NAMES_PER_NODE;

    if (offset >= used)
        return "";
    if (!memchr(nodes->names + offset, '\0', used - offset))
        return "";
    return nodes->names + offset;
}

const char *node_name(const struct nodes *nodes, const struct node *node)
{
    static const char damaged[UINT16_MAX + 1]; /* as long as any name_length says */
    uint64_t end = node->name + node->name_length;

    if (end < node->name || end >= nodes->max_names || nodes->names[end] != '\0')
        return damaged;
    return nodes->names + node->name;
}

/* ---- places; the caller holds the append lock ---- */

static bool is_taken(const struct nodes *nodes, uint32_t index)
{
    return nodes->taken[index / 64] >> index % 64 & 1;
}

static void take(struct nodes *nodes, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        nodes->taken[i / 64] |= 1ull << i % 64;
    nodes->free -= count;
    nodes->cursor = first + count;
    atomic_store_explicit(&nodes->header->nodes_free, nodes->free, memory_order_relaxed);
}

/* A free run of places in [begin, end). Bits beyond the used places are clear. */
static bool find_run(const struct nodes *nodes, uint32_t begin, uint32_t end, uint32_t count,
                     uint32_t *first)
{
    uint32_t run = 0;

    for (uint32_t i = begin; i < end;) {
        if (i % 64 == 0 && nodes->taken[i / 64] == UINT64_MAX) {
            run = 0;
            i += 64;
            continue;
        }
        run = is_taken(nodes, i) ? 0 : run + 1;
        i++;
        if (run == count) {
            *first = i - count;
            return true;
        }
    }
    return false;
}

static bool find_free(struct nodes *nodes, uint32_t count, uint32_t *first)
{
    uint32_t used = nodes_used(nodes);

    if (!nodes->taken || count == 0 || count > nodes->free ||
        (nodes->no_run && count >= nodes->no_run))
        return false;
    if (find_run(nodes, nodes->cursor, used, count, first) ||
        find_run(nodes, 0, used, count, first)) {
        take(nodes, *first, count);
        return true;
    }
    nodes->no_run = count;
    return false;
}

/* Places that were given up, else new ones, of which nobody reads anything before their kind is
 * written. */
static int find_places(struct nodes *nodes, size_t count, uint32_t *first)
{
    uint32_t used = atomic_load(&nodes->header->nodes_used);

    if (count <= nodes_max(nodes) && find_free(nodes, (uint32_t)count, first))
        return 0;
    if (used > nodes_max(nodes) || count > nodes_max(nodes) - used)
        return -ENOSPC;
    for (size_t i = 0; nodes->taken && i < count; i++)
        nodes->taken[(used + i) / 64] |= 1ull << (used + i) % 64;
    atomic_store_explicit(&nodes->header->nodes_used, used + (uint32_t)count, memory_order_release);
    *first = used;
    return 0;
}

static void set_kind(struct node *node, enum node_kind kind)
{
    atomic_store_explicit(&node->kind, (uint8_t)kind, memory_order_release);
}

/* Places that hold names alone. */
static void make_room(struct nodes *nodes, uint32_t begin, uint32_t end, uint32_t unit)
{
    for (uint32_t i = begin; i < end; i++) {
        nodes->node[i].checkout = unit;
        set_kind(&nodes->node[i], NODE_ROOM);
    }
}

static size_t places_for(size_t bytes)
{
    return (bytes + NAMES_PER_NODE - 1) / NAMES_PER_NODE;
}

int nodes_keep_string(struct nodes *nodes, const char *text, uint64_t *offset)
{
    size_t size = strlen(text) + 1, places = places_for(size);
    uint32_t first;

    pthread_mutex_lock(&nodes->append);
    int r = find_places(nodes, places, &first);
    if (r == 0) {
        *offset = first * NAMES_PER_NODE;
        memcpy(nodes->names + *offset, text, size);
        make_room(nodes, first, first + (uint32_t)places, NODE_ROOT_INDEX);
    }
    pthread_mutex_unlock(&nodes->append);
    return r;
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

/* Everything but its kind, which the caller writes last. */
static void fill(struct nodes *nodes, struct node *node, const struct node_spec *spec,
                 uint64_t name)
{
    const struct node *parent = &nodes->node[spec->parent];

    memcpy(nodes->names + name, spec->name, spec->name_length);
    nodes->names[name + spec->name_length] = '\0';
    node->flags = (uint8_t)spec->flags;
    node->name_length = (uint16_t)spec->name_length;
    node->parent = spec->parent;
    node->depth = parent == node ? 0 : parent->depth + 1u;
    node->name = name;
    node->data = spec->data;
    node->mtime = spec->mtime;
    node->oid = spec->oid;
    node->checkout = spec->checkout;
    atomic_store_explicit(&node->children, 0, memory_order_relaxed);
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

int nodes_append(struct nodes *nodes, const struct node_spec *specs, size_t count, uint32_t *first)
{
    size_t names = 0;
    int r = 0;

    for (size_t i = 0; i < count; i++)
        names += specs[i].name_length + 1;
    size_t places = places_for(names) > count ? places_for(names) : count;

    pthread_mutex_lock(&nodes->append);
    uint32_t *pin = count > 0 && specs[0].is_pinned ? find_pin(nodes, 0) : NULL;
    if (count > 0)
        r = specs[0].is_pinned && !pin ? -ENOMEM : charge(nodes, specs[0].account, places);
    if (r == 0)
        r = find_places(nodes, places, first);
    if (r == -ENOSPC)
        uncharge(nodes, specs[0].account, places);
    if (r == 0 && pin)
        *pin = *first;
    uint64_t name = r == 0 ? *first * NAMES_PER_NODE : 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct node *node = &nodes->node[*first + i];
        fill(nodes, node, &specs[i], name);
        name += specs[i].name_length + 1;
        set_kind(node, specs[i].kind);
    }
    if (r == 0 && places > count)
        make_room(nodes, *first + (uint32_t)count, *first + (uint32_t)places,
                  node_unit(nodes, *first));
    pthread_mutex_unlock(&nodes->append);
    return r;
}

bool node_correct_size(struct nodes *nodes, uint32_t index, uint64_t told, uint64_t size)
{
    return atomic_compare_exchange_strong(&nodes->node[index].data, &told, size);
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
