/* nodes_layout.h - how the node table lies in shared memory. Private to nodes.c, children.c,
 * holds.c, names.c and sweep.c. */
#ifndef FS_SHARED_NODES_LAYOUT_H
#define FS_SHARED_NODES_LAYOUT_H

#include <errno.h>
#include <pthread.h>

#include "fs/shared/nodes.h"
#include "fs/shared/places.h"

/* The memory: header | nodes[max] | names (64 bytes a node) | holds[max] | owners[max] | links (4 words a node) |
 * generations[max]. Unused parts are holes; reserving them costs nothing. */

#define MAGIC          0x73746e696f707473ull /* "stpoints" */
#define HEADER_SIZE    4096u
#define NAMES_PIECE    64ull
#define LINKS_PER_NODE 4ull
#define PINS           128 /* more than there are threads that make nodes */

struct header {
    uint64_t magic;
    uint32_t layout;
    uint32_t max_nodes;
    _Atomic uint32_t nodes_used;
    _Atomic uint32_t nodes_free; /* of those, as the last sweep knew; for people */
    _Atomic uint32_t names_used; /* pieces */
    _Atomic uint64_t links_used; /* words */
};

/* A list of links: a count, how many of them are listed, all indices by name, the listed ones by
 * index. */
struct links {
    uint32_t count;
    uint32_t listed;
    uint32_t index[];
};

/* Before the name of a node that is in no checkout, where a multiple of 8 is. */
struct node_more {
    int64_t mtime;
    uint64_t data;
};

struct nodes {
    struct header *header;
    struct node *node;
    char *names;
    _Atomic uint32_t *owners; /* of pieces: 1 + the unit whose names lie there; 0: nobody's */
    uint32_t *links;
    _Atomic uint64_t *holds; /* of a unit's first node: what the kernel knows of it (holds.h) */
    _Atomic uint16_t *generations; /* how often a place was given up */
    uint64_t max_names, max_links;
    size_t size;
    pthread_mutex_t
        append; /* whoever appends or publishes links, and sweeps; guards the next three */
    struct places places, pieces; /* of nodes, and of names */
    uint32_t pins[PINS];          /* nodes that are being made; 0: free */
    _Atomic unsigned phase;       /* nodes_enter */
    _Atomic uint32_t inside[2];
    void (*report)(void *data, uint32_t index);
    void *data;
    _Atomic uint64_t reported; /* 1 + the node that was reported last */
};

/* Tells whoever wants to know that the memory is damaged at this node. */
void nodes_report_damage(const struct nodes *nodes, uint32_t index);

/* The memory is damaged at this node: reports it, and returns -EIO. */
static inline int nodes_damaged(const struct nodes *nodes, uint32_t index)
{
    nodes_report_damage(nodes, index);
    return -EIO;
}

static inline bool kind_is_in_checkout(unsigned kind)
{
    return kind >= NODE_TREE && kind <= NODE_SUBMODULE;
}

/* The node whose fate it shares: a checkout for what is in it, else itself. */
uint32_t node_unit(const struct nodes *nodes, uint32_t index);

/* In a chain, the child made before it; 0: none. */
uint32_t node_before(const struct node *node);

/* The `children` word: KNOWN | first << 32 | count for a block; KNOWN | number for links or a
 * checkout. */
#define KNOWN (1ull << 63)

#endif
