/* nodes_layout.h - how the node table lies in shared memory. Private to nodes.c and children.c. */
#ifndef FS_SHARED_NODES_LAYOUT_H
#define FS_SHARED_NODES_LAYOUT_H

#include <pthread.h>

#include "fs/shared/nodes.h"

/* The memory: header | nodes[max] | names (64 bytes a node) | links (4 words a node).
 * Unused parts are holes; reserving them costs nothing. */

#define MAGIC          0x73746e696f707473ull /* "stpoints" */
#define HEADER_SIZE    4096u
#define NAMES_PER_NODE 64ull
#define LINKS_PER_NODE 4ull

struct header {
    uint64_t magic;
    uint32_t layout;
    uint32_t max_nodes;
    _Atomic uint32_t nodes_used;
    _Atomic uint64_t names_used; /* bytes */
    _Atomic uint64_t links_used; /* words */
};

/* A list of links: a count, how many of them are listed, all indices by name, the listed ones by
 * index. */
struct links {
    uint32_t count;
    uint32_t listed;
    uint32_t index[];
};

struct nodes {
    struct header *header;
    struct node *node;
    char *names;
    uint32_t *links;
    uint64_t max_names, max_links;
    size_t size;
    pthread_mutex_t append; /* whoever appends or publishes links */
    void (*report)(void *data, uint32_t index);
    void *data;
    _Atomic uint64_t reported; /* 1 + the node that was reported last */
};

/* The memory is damaged at this node: reports it, and returns -EIO. */
int nodes_damaged(const struct nodes *nodes, uint32_t index);

/* The `children` word: KNOWN | first << 32 | count for a block; KNOWN | number for links or a
 * checkout. */
#define KNOWN (1ull << 63)

#endif
