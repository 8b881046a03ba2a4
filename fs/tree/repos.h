/* repos.h - the repositories of a mount, and the two ways to find one: by a node, and by what a
 * source says. */
#ifndef FS_TREE_REPOS_H
#define FS_TREE_REPOS_H

#include "fs/shared/nodes.h"
#include "fs/tree/repo.h"

struct repos {
    struct nodes *nodes;
    struct cache *cache;
    pthread_rwlock_t lock; /* guards all below, not what the pointers point to */
    struct repo **items;   /* in the order in which they were added; there are never fewer */
    size_t count, room;
    struct repo **by_node, **by_name; /* hash tables of `room` buckets */
};

/* Both are borrowed. */
void repos_init(struct repos *repos, struct nodes *nodes, struct cache *cache);
void repos_release(struct repos *repos); /* closes everything; no other thread may be left */

/* The repository with that folder and URL; NULL if there is none. */
struct repo *repos_find(struct repos *repos, const char *name, const char *url);

/* Makes one and adds it. 0 or a negative errno. */
int repos_add(struct repos *repos, const char *name, const char *url, uint32_t node,
              struct repo **out, struct error *e);

/* The repository that a node is in: of a repository, a prefix, a version, or anything in one. A
 * worker that replaced another opens it anew from what the node says, also if no list names it any
 * more: files that are open go on. NULL for any other node, and where that fails. */
struct repo *repos_of_node(struct repos *repos, uint32_t node);

/* The i-th, NULL past the end: for walks that need no lock. */
struct repo *repos_at(struct repos *repos, size_t i);

#endif
