/* children.h - what a folder of the node table shows: publishing, finding and walking its children.
 *
 * Each publication is one store: a reader sees none of it or all. See nodes.h for which folders can
 * change, and how. */
#ifndef FS_SHARED_CHILDREN_H
#define FS_SHARED_CHILDREN_H

#include "fs/shared/nodes.h"

/* Publishes a block of appended nodes, sorted by name, as a tree's or checkout's children. */
void node_publish_block(struct nodes *nodes, uint32_t folder, uint32_t first, uint32_t count);

/* Publishes a checkout as a version's present one. */
void node_publish_checkout(struct nodes *nodes, uint32_t version, uint32_t checkout);
/* The version's present checkout. 0, -EAGAIN (none yet) or -EIO. */
int node_checkout(const struct nodes *nodes, uint32_t version, uint32_t *checkout);

/* Appends a node to the chain of a repository's folder or a prefix; parent and checkout of the spec are
 * not looked at. One thread at a time for a folder. As nodes_append. */
int node_add_child(struct nodes *nodes, uint32_t folder, const struct node_spec *spec,
                   uint32_t *child);
/* Every child that such a folder has, the latest first. `visit` returns non-zero to end. 0, what
 * visit returned, or -EIO. */
int node_each_child(const struct nodes *nodes, uint32_t folder,
                    int (*visit)(void *data, uint32_t child), void *data);
/* Takes those children out of it that are gone; not beside node_add_child. How many, or -EIO. */
int node_unchain(struct nodes *nodes, uint32_t folder, bool (*is_gone)(void *data, uint32_t child),
                 void *data);
bool node_chain_is_empty(const struct nodes *nodes, uint32_t folder);

struct node_link {
    uint32_t index;
    bool listed; /* whether readdir shows it; lookup finds it in any case */
};

/* Publishes the children of the root or a control folder. 1; 0 if it has just these already; -ENOSPC or
 * -ENOMEM. */
int node_publish_links(struct nodes *nodes, uint32_t folder, const struct node_link *links,
                       size_t count);

/* True once the folder's children have been published. */
bool node_has_children(const struct node *node);

/* Finds a child by name. For a version: in its checkout. In a chain: the latest of that name. 0,
 * -ENOENT, -EAGAIN (children not known yet), -ENOTDIR, -EIO. */
int node_lookup(const struct nodes *nodes, uint32_t folder, const char *name, size_t length,
                uint32_t *child);

/* Walks a folder's listed children. Start with *offset 0; each call gives the next child and moves
 * *offset, whose values stay good for a folder that changes meanwhile. 0, -ENOENT (no more),
 * -EAGAIN, -ENOTDIR (also for a chain: it does not say what is listed), -EIO. */
int node_next(const struct nodes *nodes, uint32_t folder, uint64_t *offset, uint32_t *child);

/* Every link of the root or a control folder, listed or not. `visit` returns non-zero to end. */
int node_each_link(const struct nodes *nodes, uint32_t folder,
                   int (*visit)(void *data, uint32_t child, bool listed), void *data);

#endif
