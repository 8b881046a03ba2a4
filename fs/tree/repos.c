#include "fs/tree/repos.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/hash.h"

#define FIRST_ROOM 16

void repos_init(struct repos *repos, struct nodes *nodes, struct cache *cache)
{
    *repos = (struct repos){.nodes = nodes, .cache = cache};
    pthread_rwlock_init(&repos->lock, NULL);
}

void repos_release(struct repos *repos)
{
    for (size_t i = 0; i < repos->count; i++)
        repo_free(repos->items[i]);
    free(repos->items);
    free(repos->by_node);
    free(repos->by_name);
    pthread_rwlock_destroy(&repos->lock);
}

static struct repo **node_bucket(const struct repos *repos, uint32_t node)
{
    return &repos->by_node[node * UINT32_C(2654435761) % repos->room];
}

/* Folders' names differ within a list; only an alias that moved to another URL is found twice. */
static struct repo **name_bucket(const struct repos *repos, const char *name)
{
    return &repos->by_name[hash_string(HASH_BEGIN, name) % repos->room];
}

static void link_repo(struct repos *repos, struct repo *repo)
{
    struct repo **by_node = node_bucket(repos, repo->node);
    struct repo **by_name = name_bucket(repos, repo->name);

    repo->next_by_node = *by_node;
    *by_node = repo;
    repo->next_by_name = *by_name;
    *by_name = repo;
}

/* Makes room for one more. The caller holds the lock for writing. */
static int grow(struct repos *repos)
{
    size_t room = repos->room ? 2 * repos->room : FIRST_ROOM;

    if (repos->count < repos->room)
        return 0;
    struct repo **items = realloc(repos->items, room * sizeof *items);
    if (items)
        repos->items = items;
    struct repo **by_node = calloc(room, sizeof *by_node);
    struct repo **by_name = calloc(room, sizeof *by_name);
    if (!items || !by_node || !by_name) {
        free(by_node);
        free(by_name);
        return -ENOMEM;
    }
    free(repos->by_node);
    free(repos->by_name);
    repos->by_node = by_node;
    repos->by_name = by_name;
    repos->room = room;
    for (size_t i = 0; i < repos->count; i++)
        link_repo(repos, repos->items[i]);
    return 0;
}

/* The caller holds the lock. */
static struct repo *find_by_node(const struct repos *repos, uint32_t node)
{
    struct repo *repo = repos->room ? *node_bucket(repos, node) : NULL;

    while (repo && repo->node != node)
        repo = repo->next_by_node;
    return repo;
}

struct repo *repos_find(struct repos *repos, const char *name, const char *url)
{
    pthread_rwlock_rdlock(&repos->lock);
    struct repo *repo = repos->room ? *name_bucket(repos, name) : NULL;
    while (repo &&
           (strcmp(repo->name, name) != 0 || strcmp(repository_url(repo->repository), url) != 0))
        repo = repo->next_by_name;
    pthread_rwlock_unlock(&repos->lock);
    return repo;
}

int repos_add(struct repos *repos, const char *name, const char *url, uint32_t node,
              struct repo **out, struct error *e)
{
    struct repo *repo;
    int r = repo_new(&repo, repos->cache, name, url, node, e);

    if (r < 0)
        return r;
    pthread_rwlock_wrlock(&repos->lock);
    struct repo *there = find_by_node(repos, node); /* somebody else was faster */
    if (!there)
        r = grow(repos);
    if (!there && r == 0) {
        repos->items[repos->count++] = repo;
        link_repo(repos, repo);
    }
    pthread_rwlock_unlock(&repos->lock);
    if (there || r < 0)
        repo_free(repo);
    if (r < 0)
        return error_no_memory(e);
    *out = there ? there : repo;
    return 0;
}

/* The node of its repository; NULL if it is in none. */
static const struct node *repository_node(const struct nodes *nodes, const struct node *node,
                                          uint32_t *index)
{
    while (node && node->kind != NODE_PREFIX && node->kind != NODE_VERSION)
        node = node_parent(nodes, node);
    if (!node || node_data(nodes, node) > UINT32_MAX)
        return NULL;
    *index = (uint32_t)node_data(nodes, node);
    const struct node *repo = node_get(nodes, *index);
    return repo && repo->kind == NODE_REPO ? repo : NULL;
}

struct repo *repos_of_node(struct repos *repos, uint32_t index)
{
    const struct node *node = node_get(repos->nodes, index);
    struct repo *repo;

    if (node && node->kind != NODE_REPO)
        node = repository_node(repos->nodes, node, &index);
    if (!node)
        return NULL;
    pthread_rwlock_rdlock(&repos->lock);
    repo = find_by_node(repos, index);
    pthread_rwlock_unlock(&repos->lock);
    if (repo)
        return repo;
    /* No list names it: see the header. */
    int r = repos_add(repos, node_name(repos->nodes, node),
                      node_string(repos->nodes, node_data(repos->nodes, node)), index, &repo, NULL);
    return r == 0 ? repo : NULL;
}

struct repo *repos_at(struct repos *repos, size_t i)
{
    pthread_rwlock_rdlock(&repos->lock);
    struct repo *repo = i < repos->count ? repos->items[i] : NULL;
    pthread_rwlock_unlock(&repos->lock);
    return repo;
}
