/* version_nodes.h - the nodes of the names below a repository: made for a name that is looked up, found
 * again ever after, also by the next worker.
 *
 * The table has them in chains; a worker keeps an index of them, made when it is first wanted. Every
 * caller is inside (sweep.h). */
#ifndef FS_TREE_VERSION_NODES_H
#define FS_TREE_VERSION_NODES_H

#include <pthread.h>

#include "fs/shared/nodes.h"

struct mount;
struct repo;

/* A repository's index: a hash table of node indices. */
struct version_nodes {
    pthread_mutex_t lock; /* guards all below; held for moments */
    bool is_read;         /* what earlier workers made is in it */
    bool is_stale;        /* nodes have left their chains */
    uint32_t *slots;      /* 0: free */
    size_t count, room;
};

void version_nodes_init(struct version_nodes *index);
void version_nodes_release(struct version_nodes *index);

/* The node of that name, kind (NODE_VERSION or NODE_PREFIX) and flags in the repository's folder or one of
 * its prefixes. 0, -ENOENT, -ENOMEM or -EIO. */
int version_nodes_find(struct mount *mount, struct repo *repo, uint32_t folder,
                       const struct node_spec *spec, uint32_t *node);
/* The same, made if there is none. Also -ENOSPC: the table is full; -EDQUOT: the repository's share of it
 * is. */
int version_nodes_get(struct mount *mount, struct repo *repo, uint32_t folder,
                      const struct node_spec *spec, uint32_t *node);
/* Notes and logs, the first time, that the share is used up. */
void version_nodes_no_room(struct mount *mount, struct repo *repo);

/* Before a sweep: names that the repository does not have any more leave their folders' chains. One that
 * comes back gets another node. 0, -ENOMEM or -EIO. */
int version_nodes_drop_gone(struct mount *mount, struct repo *repo);

/* What is looked for: name, kind and flags. */
struct node_spec version_nodes_spec(bool is_prefix, bool is_branch, const char *name,
                                    size_t length);

/* Calls `visit`, inside (sweep.h), for each prefix of the repository that has a node. 0, -ENOMEM or -EIO. */
int version_nodes_each_prefix(struct mount *mount, struct repo *repo,
                              void (*visit)(struct mount *mount, uint32_t node));

#endif
