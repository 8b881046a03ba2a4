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
           max_nodes * (sizeof(struct node) + NAMES_PER_NODE + LINKS_PER_NODE * sizeof(uint32_t));
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
                         "the mount's node table has layout %u and this program needs %u: "
                         "unmount and mount again to change to this version",
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
    free(nodes);
}

void nodes_on_damage(struct nodes *nodes, void (*report)(void *data, uint32_t index), void *data)
{
    nodes->report = report;
    nodes->data = data;
}

int nodes_damaged(const struct nodes *nodes, uint32_t index)
{
    _Atomic uint64_t *reported = (_Atomic uint64_t *)&nodes->reported;

    if (atomic_exchange(reported, index + 1ull) != index + 1ull && nodes->report)
        nodes->report(nodes->data, index);
    return -EIO;
}

uint32_t nodes_used(const struct nodes *nodes)
{
    uint32_t used = atomic_load_explicit(&nodes->header->nodes_used, memory_order_acquire);
    uint32_t max = nodes_max(nodes);
    return used < max ? used : max;
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
    if (index >= nodes_used(nodes) || nodes->node[index].kind == NODE_NONE)
        return NULL;
    return &nodes->node[index];
}

const struct node *node_parent(const struct nodes *nodes, const struct node *node)
{
    return node->parent < node - nodes->node ? node_get(nodes, node->parent) : NULL;
}

const char *node_string(const struct nodes *nodes, uint64_t offset)
{
    uint64_t used = atomic_load_explicit(&nodes->header->names_used, memory_order_acquire);

    if (used > nodes->max_names || offset >= used)
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

/* Room for `size` bytes of names; the caller holds the append lock. */
static int reserve_names(struct nodes *nodes, size_t size, uint64_t *offset)
{
    uint64_t used = atomic_load(&nodes->header->names_used);

    if (used > nodes->max_names || size > nodes->max_names - used)
        return -ENOSPC;
    *offset = used;
    return 0;
}

int nodes_keep_string(struct nodes *nodes, const char *text, uint64_t *offset)
{
    size_t size = strlen(text) + 1;

    pthread_mutex_lock(&nodes->append);
    int r = reserve_names(nodes, size, offset);
    if (r == 0) {
        memcpy(nodes->names + *offset, text, size);
        atomic_store_explicit(&nodes->header->names_used, *offset + size, memory_order_release);
    }
    pthread_mutex_unlock(&nodes->append);
    return r;
}

/* Counts nodes and their names' bytes in a repository's share; the caller holds the append lock. A
 * worker that dies right after has counted too much, never too little. */
static int charge(struct nodes *nodes, uint32_t repo, size_t count, size_t names)
{
    size_t by_names = (names + NAMES_PER_NODE - 1) / NAMES_PER_NODE;
    size_t more = by_names > count ? by_names : count;
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

int nodes_append(struct nodes *nodes, const struct node_spec *specs, size_t count, uint32_t *first)
{
    struct header *header = nodes->header;
    uint64_t name;
    size_t names = 0;
    int r = 0;

    for (size_t i = 0; i < count; i++)
        names += specs[i].name_length + 1;

    pthread_mutex_lock(&nodes->append);
    uint32_t used = atomic_load(&header->nodes_used);
    if (used > nodes_max(nodes) || count > nodes_max(nodes) - used)
        r = -ENOSPC;
    else
        r = reserve_names(nodes, names, &name);
    if (r == 0 && count > 0)
        r = charge(nodes, specs[0].account, count, names);
    if (r < 0)
        goto out;
    for (size_t i = 0; i < count; i++) {
        const struct node_spec *spec = &specs[i];
        struct node *node = &nodes->node[used + i];

        memcpy(nodes->names + name, spec->name, spec->name_length);
        nodes->names[name + spec->name_length] = '\0';
        node->flags = (uint8_t)spec->flags;
        node->name_length = (uint16_t)spec->name_length;
        node->parent = spec->parent;
        node->name = name;
        node->data = spec->data;
        node->mtime = spec->mtime;
        node->oid = spec->oid;
        node->checkout = spec->checkout;
        atomic_store_explicit(&node->children, 0, memory_order_relaxed);
        node->kind = (uint8_t)spec->kind;
        name += spec->name_length + 1;
    }
    atomic_store_explicit(&header->names_used, name, memory_order_release);
    atomic_store_explicit(&header->nodes_used, used + (uint32_t)count, memory_order_release);
    *first = used;
out:
    pthread_mutex_unlock(&nodes->append);
    return r;
}

bool node_correct_size(struct nodes *nodes, uint32_t index, uint64_t told, uint64_t size)
{
    return atomic_compare_exchange_strong(&nodes->node[index].data, &told, size);
}

bool node_is_folder(const struct node *node)
{
    switch (node->kind) {
    case NODE_FILE:
    case NODE_EXECUTABLE:
    case NODE_SYMLINK:
    case NODE_CONTROL_FILE:
        return false;
    }
    return true;
}
