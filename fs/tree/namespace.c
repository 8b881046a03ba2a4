#include "fs/tree/namespace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/children.h"
#include "fs/tree/checkout.h"
#include "fs/tree/folders.h"
#include "fs/tree/publish.h"
#include "fs/tree/readings.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/refname.h"

#define MISS_INTERVAL 1000 /* milliseconds between two questions for names that are not there */

/* "release/3.7" for the folder "3.7" in "release"; for name NULL, the folder's own. Malloc'd. */
static char *full_name(const struct nodes *nodes, const struct node *folder, const char *name)
{
    char *full = strdup(name ? name : "");

    while (full && folder && (folder->kind == NODE_PREFIX || folder->kind == NODE_VERSION)) {
        const char *part = node_name(nodes, folder);
        char *longer = malloc(strlen(part) + strlen(full) + 2);
        if (longer) {
            strcpy(longer, part);
            if (*full)
                strcat(strcat(longer, "/"), full);
        }
        free(full);
        full = longer;
        folder = node_parent(nodes, folder);
    }
    return full;
}

struct repo_version *namespace_version(struct mount *mount, uint32_t index)
{
    const struct node *node = node_get(mount->nodes, index);
    const struct node *parent = node ? node_get(mount->nodes, node->parent) : NULL;
    struct repo *repo = node ? repos_of_node(&mount->repos, index) : NULL;

    if (!repo || !parent)
        return NULL;
    /* A set's folder remembered what its nodes 0, 1 ... show. */
    if (parent->kind != NODE_REPO && parent->kind != NODE_PREFIX)
        return repo_version_of_node(repo, index);
    char *name = full_name(mount->nodes, node, NULL);
    char *pin = name ? repo_pin(repo, name) : NULL;
    struct repo_version *version = name ? repo_version_get(repo, name, pin) : NULL;
    free(pin);
    free(name);
    return version && repo_version_add_node(version, index) == 0 ? version : NULL;
}

/* What a reading found damaged is fetched once more, and then read again. */
static int refetch(struct mount *mount, uint32_t index, struct repo_version *damaged,
                   struct ask *ask)
{
    int r = ask_damaged(mount, damaged, ask);

    if (r == -EAGAIN)
        readings_forget_failure(mount, index);
    return r;
}

static int open_version(struct mount *mount, uint32_t index, struct ask *ask)
{
    struct repo_version *wanted;
    struct version version;
    struct error error;
    uint32_t checkout;
    int r = node_checkout(mount->nodes, index, &checkout);

    if (r != -EAGAIN)
        return r;
    wanted = namespace_version(mount, index);
    if (!wanted)
        return -EIO;
    r = versions_find(wanted->repo->repository, wanted->name, wanted->commit, &version, &error);
    if (r < 0 && r != -ENOENT)
        log_error(mount->log, "%s/%s: %s", wanted->repo->name, repo_version_label(wanted),
                  error.text);
    if (r == 0)
        r = readings_open_version(mount, index, wanted, &version, ask);
    if (r == -EIO)
        return refetch(mount, index, wanted, ask);
    if (r != -ENOENT)
        return r;
    /* A reading may have found that gc has removed it: what is fetched now is read anew. */
    readings_forget_failure(mount, index);
    return ask_version(mount, wanted, ask);
}

static int open_tree(struct mount *mount, uint32_t index, struct ask *ask)
{
    int r = readings_open_tree(mount, index, ask);

    return r == -EIO ? namespace_refetch(mount, index, ask) : r;
}

int namespace_refetch(struct mount *mount, uint32_t index, struct ask *ask)
{
    uint32_t version;
    struct repo *repo;
    struct repo_version *damaged = NULL;

    if (checkout_owner(mount, index, &version, &repo) == 0)
        damaged = namespace_version(mount, version);
    return damaged ? refetch(mount, index, damaged, ask) : -EIO;
}

/* ---- names that are not there (yet) ---- */

/* A commit id is a version that no listing shows: it is there if it can be fetched. */
static int find_commit(struct mount *mount, struct repo *repo, uint32_t folder, const char *name,
                       struct ask *ask, uint32_t *child)
{
    struct node_spec spec = {
        .kind = NODE_VERSION,
        .name = name,
        .name_length = strlen(name),
        .parent = folder,
        .data = repo->node,
        .mtime = clock_wall() / 1000,
    };
    struct repo_version *wanted = repo_version_get(repo, name, NULL);
    int r;

    if (!wanted)
        return -ENOMEM;
    r = versions_find(repo->repository, name, NULL, &(struct version){0}, NULL);
    if (r == -ENOENT || (r == -EIO && !mount->settings->offline))
        return ask_version(mount, wanted, ask);
    if (r == 0)
        r = folders_child(mount, folder, &spec, NULL, child);
    if (r == 0)
        r = folders_add_unlisted(mount, repo, folder, *child);
    return r;
}

/* Whether a missing name may make us ask the remote (again). */
static bool may_ask_for_missing(struct repo *repo, bool known, struct ask *ask)
{
    int64_t now = clock_now();
    bool may;

    if (!ask->since)
        ask->since = now;
    pthread_mutex_lock(&repo->lock);
    if (ask->listing) /* the answer may be too old to know it: somebody else had asked before */
        may = repo->asked_at < ask->since && now - repo->asked_at >= MISS_INTERVAL;
    else /* who is being asked may know it: it costs nothing to wait, too */
        may = !known || !repo->missed_at || now - repo->missed_at >= MISS_INTERVAL ||
              atomic_load(&repo->listing.running);
    if (may)
        repo->missed_at = now;
    pthread_mutex_unlock(&repo->lock);
    return may;
}

/* A name that no listing shows, of which the cache has a version that is damaged. */
static int find_damaged(struct mount *mount, struct repo *repo, const char *name, struct ask *ask)
{
    char *pin = repo_pin(repo, name);
    struct repo_version *damaged = repo_version_get(repo, name, pin);

    free(pin);
    return damaged ? ask_damaged(mount, damaged, ask) : -ENOMEM;
}

static int find_missing(struct mount *mount, struct repo *repo, uint32_t folder, const char *name,
                        const char *full, struct ask *ask, uint32_t *child)
{
    bool is_commit = folder == repo->node && oid_is_abbreviation(full, strlen(full));
    bool known = repo_listing_age(repo) >= 0;
    struct version version;

    if (!refname_is_valid(full, strlen(full)))
        return -ENOENT;
    /* Another mount, or `startpointfs fetch`, may have cached it. */
    int r = versions_find(repo->repository, full, NULL, &version, NULL);
    if (r == -EIO)
        return find_damaged(mount, repo, full, ask);
    if (r == 0) {
        if (version.kind == VERSION_COMMIT)
            return find_commit(mount, repo, folder, name, ask, child);
        publish_repo(mount, repo);
        if (node_lookup(mount->nodes, folder, name, strlen(name), child) == 0)
            return 0;
    }
    if (mount->settings->offline)
        return known ? -ENOENT : -EHOSTUNREACH;
    if (may_ask_for_missing(repo, known, ask))
        return ask_listing(mount, repo, ask);
    /* The remote's answer may have been published since the caller looked. */
    if (node_lookup(mount->nodes, folder, name, strlen(name), child) == 0)
        return 0;
    r = repo_backoff(repo);
    if (r == 0 && is_commit)
        return find_commit(mount, repo, folder, name, ask, child);
    return r < 0 ? r : -ENOENT;
}

/* A repository's folder is made when somebody first looks into it, or into a folder of its tags. */
static int prepare_folder(struct mount *mount, uint32_t folder, const struct node *node)
{
    if (node->kind != NODE_REPO && node->kind != NODE_PREFIX)
        return 0;
    struct repo *repo = repos_of_node(&mount->repos, folder);
    int r = repo ? publish_repo_once(mount, repo) : 0;
    return repo && repo->left_out ? r : 0;
}

int namespace_lookup(struct mount *mount, uint32_t folder, const char *name, struct ask *ask,
                     uint32_t *child)
{
    const struct node *node = node_get(mount->nodes, folder);
    size_t length = strlen(name);
    int r;

    if (!node)
        return -EIO;
    r = prepare_folder(mount, folder, node);
    if (r < 0)
        return r;
    r = node_lookup(mount->nodes, folder, name, length, child);
    switch (node->kind) {
    case NODE_VERSION:
        if (r != -EAGAIN)
            return r;
        r = open_version(mount, folder, ask);
        return r < 0 ? r : node_lookup(mount->nodes, folder, name, length, child);
    case NODE_TREE:
        if (r != -EAGAIN)
            return r;
        r = open_tree(mount, folder, ask);
        return r < 0 ? r : node_lookup(mount->nodes, folder, name, length, child);
    case NODE_REPO:
    case NODE_PREFIX: {
        struct repo *repo = repos_of_node(&mount->repos, folder);
        if ((r != -ENOENT && r != -EAGAIN) || name[0] == '.' || !repo)
            return r == -EAGAIN ? -ENOENT : r;
        char *full = full_name(mount->nodes, node, name);
        r = full ? find_missing(mount, repo, folder, name, full, ask, child) : -ENOMEM;
        free(full);
        return r;
    }
    }
    return r == -EAGAIN ? -ENOENT : r;
}

/* The listing of a repository: asked for where it is unknown or old. A remote that is slow or gone
 * does not keep anybody from what is known. */
static int open_repo(struct mount *mount, struct repo *repo, uint32_t folder, struct ask *ask)
{
    int64_t age = repo_listing_age(repo);
    uint64_t offset = 0;
    uint32_t child;
    int r = 0;

    if (age >= 0 && age < (int64_t)mount->settings->refs_ttl)
        return 0;
    if (!ask->listing) {
        ask->impatient = age >= 0;
        r = ask_listing(mount, repo, ask);
        if (r == -EAGAIN)
            return r;
    } else {
        r = repo_backoff(repo);
    }
    bool shows_something = age >= 0 || node_next(mount->nodes, folder, &offset, &child) == 0;
    return shows_something ? 0 : r;
}

int namespace_open_folder(struct mount *mount, uint32_t folder, struct ask *ask)
{
    const struct node *node = node_get(mount->nodes, folder);
    struct repo *repo;

    if (!node)
        return -EIO;
    int r = prepare_folder(mount, folder, node);
    if (r < 0)
        return r;
    switch (node->kind) {
    case NODE_REPO:
    case NODE_PREFIX:
        repo = repos_of_node(&mount->repos, folder);
        return repo ? open_repo(mount, repo, folder, ask) : -EIO;
    case NODE_VERSION:
        return open_version(mount, folder, ask);
    case NODE_TREE:
        return node_has_children(node) ? 0 : open_tree(mount, folder, ask);
    }
    return node_is_folder(node) ? 0 : -ENOTDIR;
}
