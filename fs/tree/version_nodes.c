#include "fs/tree/version_nodes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/children.h"
#include "fs/shared/sweep.h"
#include "fs/tree/mount.h"
#include "gitcache/base/hash.h"

#define FIRST_ROOM 64

void version_nodes_init(struct version_nodes *index)
{
    *index = (struct version_nodes){.is_read = false};
    pthread_mutex_init(&index->lock, NULL);
}

void version_nodes_release(struct version_nodes *index)
{
    free(index->slots);
    pthread_mutex_destroy(&index->lock);
}

struct node_spec version_nodes_spec(bool is_prefix, bool is_branch, const char *name, size_t length)
{
    return (struct node_spec){
        .kind = is_prefix ? NODE_PREFIX : NODE_VERSION,
        .flags = !is_prefix && is_branch ? NODE_BRANCH : 0,
        .name = name,
        .name_length = length,
    };
}

static uint64_t hash_of(uint32_t folder, unsigned kind, unsigned flags, const char *name,
                        size_t length)
{
    uint32_t what[] = {folder, kind, flags};
    uint64_t hash = hash_bytes(hash_bytes(HASH_BEGIN, what, sizeof what), name, length);

    return (hash ^ hash >> 29) * 11400714819323198485ull >> 16;
}

/* The slot that has it, or the free one where it goes. The index has room. */
static uint32_t *slot_of(const struct mount *mount, const struct version_nodes *index,
                         uint32_t folder, const struct node_spec *spec)
{
    uint64_t at = hash_of(folder, spec->kind, spec->flags, spec->name, spec->name_length);

    for (;; at++) {
        uint32_t *slot = &index->slots[at & (index->room - 1)];
        const struct node *node = *slot ? node_get(mount->nodes, *slot) : NULL;
        if (!node || (node->parent == folder && node->kind == spec->kind &&
                      node->flags == spec->flags && node->name_length == spec->name_length &&
                      memcmp(node_name(mount->nodes, node), spec->name, spec->name_length) == 0))
            return slot;
    }
}

static struct node_spec spec_of(const struct mount *mount, const struct node *node)
{
    return (struct node_spec){
        .kind = node->kind,
        .flags = node->flags,
        .name = node_name(mount->nodes, node),
        .name_length = node->name_length,
    };
}

/* Makes room for one more. */
static int grow(const struct mount *mount, struct version_nodes *index)
{
    struct version_nodes larger = *index;

    if (2 * (index->count + 1) <= index->room)
        return 0;
    larger.room = index->room ? 2 * index->room : FIRST_ROOM;
    larger.slots = calloc(larger.room, sizeof *larger.slots);
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < index->room; i++) {
        const struct node *node = index->slots[i] ? node_get(mount->nodes, index->slots[i]) : NULL;
        struct node_spec spec;
        if (!node)
            continue;
        spec = spec_of(mount, node);
        *slot_of(mount, &larger, node->parent, &spec) = index->slots[i];
    }
    free(index->slots);
    index->slots = larger.slots;
    index->room = larger.room;
    return 0;
}

struct chain_reading {
    struct mount *mount;
    struct version_nodes *index;
};

/* A chain, and those of the prefixes in it. The latest of a kind comes first, and stays. */
static int read_child(void *data, uint32_t child)
{
    struct chain_reading *reading = data;
    const struct mount *mount = reading->mount;
    const struct node *node = node_get(mount->nodes, child);
    struct node_spec spec = spec_of(mount, node);
    int r = grow(mount, reading->index);

    if (r < 0)
        return r;
    uint32_t *slot = slot_of(mount, reading->index, node->parent, &spec);
    if (!*slot) {
        *slot = child;
        reading->index->count++;
    }
    return node->kind == NODE_PREFIX ? node_each_child(mount->nodes, child, read_child, data) : 0;
}

/* The caller holds the index's lock. What was read before a failure is found again. */
static int ensure_read(struct mount *mount, struct repo *repo)
{
    struct version_nodes *index = &repo->version_nodes;
    struct chain_reading reading = {mount, index};
    int r = grow(mount, index);

    if (r == 0 && !index->is_read)
        r = node_each_child(mount->nodes, repo->node, read_child, &reading);
    index->is_read = index->is_read || r == 0;
    return r;
}

int version_nodes_find(struct mount *mount, struct repo *repo, uint32_t folder,
                       const struct node_spec *spec, uint32_t *node)
{
    struct version_nodes *index = &repo->version_nodes;

    pthread_mutex_lock(&index->lock);
    int r = ensure_read(mount, repo);
    if (r == 0) {
        *node = *slot_of(mount, index, folder, spec);
        r = *node ? 0 : -ENOENT;
    }
    pthread_mutex_unlock(&index->lock);
    return r;
}

static int make(struct mount *mount, struct repo *repo, uint32_t folder,
                const struct node_spec *spec, uint32_t *node)
{
    struct node_spec new = *spec;
    int r = grow(mount, &repo->version_nodes);

    new.data = repo->node;
    new.account = repo->node;
    new.mtime = repo->changed_at / 1000000000;
    if (r == 0)
        r = node_add_child(mount->nodes, folder, &new, node);
    if (r == 0) {
        *slot_of(mount, &repo->version_nodes, folder, spec) = *node;
        repo->version_nodes.count++;
    }
    return r;
}

int version_nodes_get(struct mount *mount, struct repo *repo, uint32_t folder,
                      const struct node_spec *spec, uint32_t *node)
{
    struct version_nodes *index = &repo->version_nodes;

    pthread_mutex_lock(&index->lock);
    int r = ensure_read(mount, repo);
    if (r == 0) {
        *node = *slot_of(mount, index, folder, spec);
        r = *node ? 0 : make(mount, repo, folder, spec, node);
    }
    pthread_mutex_unlock(&index->lock);
    return r;
}

void version_nodes_no_room(struct mount *mount, struct repo *repo)
{
    if (repo_has_no_room(repo))
        log_error(mount->log, REPO_NO_ROOM, repo->name, nodes_share(mount->nodes));
}

/* ---- names that are gone ---- */

struct dropping {
    struct mount *mount;
    struct repo *repo;
    struct shown *shown;
    const char *folder; /* its path, with a slash behind, or "" */
    int r;
};

/* Of what the folder does not show, only commits can be there. */
static bool is_there(const struct dropping *dropping, const struct node *node, const char *path)
{
    bool is_branch;

    switch (shown_find(dropping->shown, path, &is_branch)) {
    case SHOWN_PREFIX:
        return node->kind == NODE_PREFIX;
    case SHOWN_VERSION:
        return node->kind == NODE_VERSION && is_branch == !!(node->flags & NODE_BRANCH);
    case SHOWN_NOTHING:
        break;
    }
    return node->kind == NODE_VERSION && oid_is_abbreviation(path, strlen(path)) &&
           versions_find(dropping->repo->repository, path, NULL, &(struct version){0}, NULL) !=
               -ENOENT;
}

static int drop_below(struct dropping *dropping, uint32_t folder, const char *path);

/* A prefix goes after all that is in it. */
static bool is_gone(void *data, uint32_t child)
{
    struct dropping *dropping = data;
    const struct nodes *nodes = dropping->mount->nodes;
    const struct node *node = node_get(nodes, child);
    char *path;

    if (asprintf(&path, "%s%s", dropping->folder, node_name(nodes, node)) < 0) {
        dropping->r = -ENOMEM;
        return false;
    }
    if (node->kind == NODE_PREFIX)
        drop_below(dropping, child, path);
    bool gone = !is_there(dropping, node, path) &&
                (node->kind != NODE_PREFIX || node_chain_is_empty(nodes, child));
    free(path);
    return gone;
}

static int drop_below(struct dropping *dropping, uint32_t folder, const char *path)
{
    struct dropping below = *dropping;
    char *prefix;

    if (asprintf(&prefix, "%s%s", path, *path ? "/" : "") < 0)
        return dropping->r = -ENOMEM;
    below.folder = prefix;
    int gone = node_unchain(dropping->mount->nodes, folder, is_gone, &below);
    free(prefix);
    if (gone > 0)
        dropping->repo->version_nodes.is_stale = true;
    return dropping->r = gone < 0 ? gone : below.r;
}

/* What is left is read again when it is wanted. */
static void forget(struct version_nodes *index)
{
    free(index->slots);
    index->slots = NULL;
    index->count = index->room = 0;
    index->is_read = index->is_stale = false;
}

int version_nodes_drop_gone(struct mount *mount, struct repo *repo)
{
    struct version_nodes *index = &repo->version_nodes;
    struct dropping dropping = {.mount = mount, .repo = repo, .shown = repo_shown(repo)};

    if (!dropping.shown)
        return 0;
    pthread_mutex_lock(&index->lock);
    int r = drop_below(&dropping, repo->node, "");
    if (index->is_stale)
        forget(index);
    pthread_mutex_unlock(&index->lock);
    shown_put(dropping.shown);
    return r;
}

/* A copy: the visitor may take its time. */
int version_nodes_each_prefix(struct mount *mount, struct repo *repo,
                              void (*visit)(struct mount *mount, uint32_t node))
{
    struct version_nodes *index = &repo->version_nodes;
    uint32_t *prefixes = NULL;
    size_t count = 0;
    unsigned inside = nodes_enter(mount->nodes);

    pthread_mutex_lock(&index->lock);
    int r = ensure_read(mount, repo);
    if (r == 0 && !(prefixes = malloc((index->count + 1) * sizeof *prefixes)))
        r = -ENOMEM;
    for (size_t i = 0; r == 0 && i < index->room; i++) {
        const struct node *node = index->slots[i] ? node_get(mount->nodes, index->slots[i]) : NULL;
        if (node && node->kind == NODE_PREFIX)
            prefixes[count++] = index->slots[i];
    }
    pthread_mutex_unlock(&index->lock);
    for (size_t i = 0; i < count; i++)
        visit(mount, prefixes[i]);
    nodes_leave(mount->nodes, inside);
    free(prefixes);
    return r;
}
