/* fuzz_nodes.c - the shared memory of the node table with any of its bytes changed, under a reader: each
 * call ends, and what it gives lies in the table. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/shared/children.h"
#include "fs/shared/nodes.h"
#include "tests/fuzz/pieces.h"

#define MAX_NODES 1024
#define MAX_STEPS 4096 /* of one folder: a ring is an error, but not the reader's */

static uint32_t add(struct nodes *nodes, enum node_kind kind, const char *name, uint32_t parent,
                    uint32_t checkout)
{
    struct node_spec spec = {.kind = kind,
                             .name = name,
                             .name_length = strlen(name),
                             .parent = parent,
                             .checkout = checkout};
    uint32_t index;

    if (nodes_append(nodes, &spec, 1, &index) < 0)
        abort();
    return index;
}

/* A repository with a version, in which are a folder and a file. */
static void fill(struct nodes *nodes)
{
    uint32_t repo = add(nodes, NODE_REPO, "repository", NODE_ROOT_INDEX, 0);
    struct node_spec spec = {.kind = NODE_VERSION, .name = "1.0", .name_length = 3};
    struct node_link link = {repo, true};
    uint32_t version, checkout, tree, file;

    if (node_add_child(nodes, repo, &spec, &version) < 0)
        abort();
    checkout = add(nodes, NODE_CHECKOUT, "", version, 0);
    tree = add(nodes, NODE_TREE, "folder", checkout, checkout);
    file = add(nodes, NODE_FILE, "manifest.json", tree, checkout);
    node_publish_block(nodes, tree, file, 1);
    node_publish_block(nodes, checkout, tree, 1);
    node_publish_checkout(nodes, version, checkout);
    if (node_publish_links(nodes, NODE_ROOT_INDEX, &link, 1) < 0)
        abort();
}

static void change(int fd, const uint8_t *data, size_t size)
{
    struct stat st;
    uint8_t *bytes;

    if (fstat(fd, &st) < 0)
        abort();
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        abort();
    /* Two bytes say where, in the header and the first nodes or the first names or links; one what. */
    for (size_t i = 0; i + 3 < size; i += 4) {
        size_t regions[] = {0, 4096, 4096 + MAX_NODES * sizeof(struct node),
                            4096 + MAX_NODES * (sizeof(struct node) + 64 + 8 + 4)};
        size_t at = regions[data[i] % 4] + data[i + 1] + 256u * (data[i + 2] % 4);

        if (at < (size_t)st.st_size)
            bytes[at] = data[i + 3];
    }
    munmap(bytes, (size_t)st.st_size);
}

static int visit(void *data, uint32_t child)
{
    unsigned *steps = data;

    (void)child;
    return ++*steps > MAX_STEPS;
}

static void read_folder(const struct nodes *nodes, uint32_t index)
{
    uint64_t offset = 0;
    uint32_t child;
    unsigned steps = 0;

    node_lookup(nodes, index, "manifest.json", 13, &child);
    node_lookup(nodes, index, "1.0", 3, &child);
    while (node_next(nodes, index, &offset, &child) == 0 && ++steps < MAX_STEPS) {
        const struct node *node = node_get(nodes, child);
        if (node && strlen(node_name(nodes, node)) > NODE_NAME_MAX + 1)
            abort();
    }
    steps = 0;
    node_each_child(nodes, index, visit, &steps);
}

static void read_all(struct nodes *nodes)
{
    for (uint32_t i = 0; i < MAX_NODES + 8; i++) {
        const struct node *node = node_get(nodes, i);
        uint32_t checkout, again;

        if (!node)
            continue;
        node_parent(nodes, node);
        node_name(nodes, node);
        node_string(nodes, node_data(nodes, node));
        node_mtime(nodes, node);
        node_of_id(nodes, node_id(nodes, i), &again);
        if (node->kind == NODE_VERSION)
            node_checkout(nodes, i, &checkout);
        if (node_is_folder(node))
            read_folder(nodes, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = nodes_create(MAX_NODES, 7, NULL);
    struct nodes *nodes;
    struct error e = {0};

    if (fd < 0 || nodes_map(&nodes, fd, NULL) < 0)
        abort();
    fill(nodes);
    nodes_unmap(nodes);
    change(fd, data, size);
    if (nodes_map(&nodes, fd, &e) == 0) {
        read_all(nodes);
        nodes_unmap(nodes);
    }
    close(fd);
    return 0;
}
