#include "fs/tree/namespace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/checkout.h"
#include "fs/tree/folders.h"
#include "fs/tree/refresh.h"
#include "gitcache/base/clock.h"

#define MISS_INTERVAL 1000 /* milliseconds between two questions for names that are not there */

struct repo *namespace_repo(struct mount *mount, const struct node *node)
{
    switch (node->kind) {
    case NODE_REPO:
        for (size_t i = 0;; i++) {
            struct repo *repo = repos_at(&mount->repos, i);
            if (!repo || node_get(mount->nodes, repo->node) == node)
                return repo;
        }
    case NODE_PREFIX:
    case NODE_VERSION:
        return checkout_repo(mount, (uint32_t)node->data);
    }
    return NULL;
}

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

struct wanted *namespace_wanted(struct mount *mount, uint32_t version)
{
    const struct node *node = node_get(mount->nodes, version);
    const struct node *parent = node ? node_get(mount->nodes, node->parent) : NULL;
    struct repo *repo = node ? namespace_repo(mount, node) : NULL;
    struct wanted *wanted = NULL;

    if (!repo || !parent)
        return NULL;
    if (parent->kind == NODE_REPO || parent->kind == NODE_PREFIX) {
        char *name = full_name(mount->nodes, node, NULL);
        char *pin = name ? repo_pin(repo, name) : NULL;
        wanted = name ? repo_want(repo, name, pin) : NULL;
        free(pin);
        free(name);
        return wanted && wanted_add_node(wanted, version) == 0 ? wanted : NULL;
    }
    pthread_mutex_lock(&repo->lock);
    for (wanted = repo->wanted; wanted; wanted = wanted->next)
        for (size_t i = 0; i < wanted->node_count; i++)
            if (wanted->nodes[i] == version)
                goto out;
out:
    pthread_mutex_unlock(&repo->lock);
    return wanted;
}

/* Work has been started, or the reason why it can't be. */
static int wait_for(struct work *work, int started, struct asking *asking)
{
    if (started < 0)
        return started;
    asking->work = work;
    return -EAGAIN;
}

/* Asks for the version, once a request; later the same failure is answered until its time is over.
 */
int namespace_ask_for_version(struct mount *mount, struct wanted *wanted, struct asking *asking)
{
    int failed = 0;

    pthread_mutex_lock(&wanted->repo->lock);
    if (wanted->state == WANTED_FAILED && (asking->version || wanted->retry_at > clock_now()))
        failed = -wanted->error.errnum;
    pthread_mutex_unlock(&wanted->repo->lock);
    if (failed)
        return failed;
    if (asking->version)
        return -EIO; /* fetched, and not there all the same */
    asking->version = true;
    return wait_for(&wanted->work, refresh_version(mount, wanted), asking);
}

/* In the background: what the branch is now. What is there is served meanwhile. */
static void follow_branch(struct mount *mount, struct repo *repo)
{
    int64_t age = repo_listing_age(repo);

    if (age < 0 || age >= (int64_t)mount->settings->refs_ttl)
        refresh_listing(mount, repo);
}

uint32_t namespace_present(struct mount *mount, uint32_t index)
{
    const struct node *node = node_get(mount->nodes, index);
    struct repo *repo;
    uint32_t checkout;

    if (!node || node->kind != NODE_VERSION || !(node->flags & NODE_BRANCH) ||
        node_checkout(mount->nodes, index, &checkout) < 0)
        return index;
    repo = namespace_repo(mount, node);
    if (repo)
        follow_branch(mount, repo);
    return checkout;
}

static int open_version(struct mount *mount, uint32_t index, struct asking *asking)
{
    struct wanted *wanted;
    struct version version;
    struct error error;
    uint32_t checkout;
    int r = node_checkout(mount->nodes, index, &checkout);

    if (r != -EAGAIN)
        return r;
    wanted = namespace_wanted(mount, index);
    if (!wanted)
        return -EIO;
    r = versions_find(wanted->repo->repository, wanted->name, wanted->commit, &version, &error);
    if (r == 0)
        r = checkout_publish(mount, wanted->repo, index, &version, &error);
    if (r == -ENOENT)
        return namespace_ask_for_version(mount, wanted, asking);
    if (r < 0) {
        log_error(mount->log, "%s/%s: %s", wanted->repo->name,
                  wanted->name ? wanted->name : "(default branch)", error.text);
        return r;
    }
    pthread_mutex_lock(&wanted->repo->lock);
    wanted->version = version;
    wanted->state = WANTED_READY;
    pthread_mutex_unlock(&wanted->repo->lock);
    return 0;
}

static int open_tree(struct mount *mount, uint32_t index, struct asking *asking)
{
    struct error error;
    int r = checkout_open_tree(mount, index, &error);

    if (r < 0) {
        log_error(mount->log, "%s", error.text);
        if (r == -EIO)
            r = namespace_refetch(mount, index, asking);
    }
    return r;
}

int namespace_refetch(struct mount *mount, uint32_t index, struct asking *asking)
{
    uint32_t version;
    struct repo *repo;
    struct wanted *wanted = NULL;

    if (!asking->damaged && checkout_owner(mount, index, &version, &repo) == 0)
        wanted = namespace_wanted(mount, version);
    if (!wanted)
        return -EIO;
    asking->damaged = true;
    return wait_for(&wanted->work, refresh_damaged(mount, wanted), asking);
}

/* ---- names that are not there (yet) ---- */

/* A commit id is a version that no listing shows: it is there if it can be fetched. */
static int find_commit(struct mount *mount, struct repo *repo, uint32_t folder, const char *name,
                       struct asking *asking, uint32_t *child)
{
    struct node_spec spec = {
        .kind = NODE_VERSION,
        .name = name,
        .name_length = strlen(name),
        .parent = folder,
        .data = repo->node,
        .mtime = clock_wall() / 1000,
    };
    struct wanted *wanted = repo_want(repo, name, NULL);
    int r;

    if (!wanted)
        return -ENOMEM;
    r = versions_find(repo->repository, name, NULL, &(struct version){0}, NULL);
    if (r == -ENOENT)
        return namespace_ask_for_version(mount, wanted, asking);
    if (r == 0)
        r = folders_child(mount, folder, &spec, NULL, child);
    if (r == 0)
        r = folders_add_unlisted(mount, repo, folder, *child);
    return r;
}

/* Whether a missing name may make us ask the remote (again). */
static bool may_ask_for_missing(struct repo *repo, bool known, struct asking *asking)
{
    int64_t now = clock_now();
    bool may;

    if (!asking->since)
        asking->since = now;
    pthread_mutex_lock(&repo->lock);
    if (asking->listing) /* the answer may be too old to know it: somebody else had asked before */
        may = repo->asked_at < asking->since && now - repo->asked_at >= MISS_INTERVAL;
    else /* who is being asked may know it: it costs nothing to wait, too */
        may = !known || !repo->missed_at || now - repo->missed_at >= MISS_INTERVAL ||
              atomic_load(&repo->listing.running);
    if (may)
        repo->missed_at = now;
    pthread_mutex_unlock(&repo->lock);
    return may;
}

static int find_missing(struct mount *mount, struct repo *repo, uint32_t folder, const char *name,
                        const char *full, struct asking *asking, uint32_t *child)
{
    bool is_commit = folder == repo->node && oid_is_abbreviation(full, strlen(full));
    bool known = repo_listing_age(repo) >= 0;
    struct version version;

    if (!ref_name_is_valid(full, strlen(full)))
        return -ENOENT;
    /* Another mount, or `startpointfs fetch`, may have cached it. */
    if (versions_find(repo->repository, full, NULL, &version, NULL) == 0) {
        if (version.kind == VERSION_COMMIT)
            return find_commit(mount, repo, folder, name, asking, child);
        namespace_publish(mount, repo);
        if (node_lookup(mount->nodes, folder, name, strlen(name), child) == 0)
            return 0;
    }
    if (mount->settings->offline)
        return known ? -ENOENT : -EHOSTUNREACH;
    if (may_ask_for_missing(repo, known, asking)) {
        asking->listing = true;
        return wait_for(&repo->listing, refresh_listing(mount, repo), asking);
    }
    /* The remote's answer may have been published since the caller looked. */
    if (node_lookup(mount->nodes, folder, name, strlen(name), child) == 0)
        return 0;
    int r = repo_backoff(repo, NULL);
    if (r == 0 && is_commit)
        return find_commit(mount, repo, folder, name, asking, child);
    return r < 0 ? r : -ENOENT;
}

int namespace_lookup(struct mount *mount, uint32_t folder, const char *name, struct asking *asking,
                     uint32_t *child)
{
    const struct node *node = node_get(mount->nodes, folder);
    size_t length = strlen(name);
    int r;

    if (!node)
        return -EIO;
    r = node_lookup(mount->nodes, folder, name, length, child);
    switch (node->kind) {
    case NODE_VERSION:
        if (r != -EAGAIN)
            return r;
        r = open_version(mount, folder, asking);
        return r < 0 ? r : node_lookup(mount->nodes, folder, name, length, child);
    case NODE_TREE:
        if (r != -EAGAIN)
            return r;
        r = open_tree(mount, folder, asking);
        return r < 0 ? r : node_lookup(mount->nodes, folder, name, length, child);
    case NODE_REPO:
    case NODE_PREFIX: {
        struct repo *repo = namespace_repo(mount, node);
        if ((r != -ENOENT && r != -EAGAIN) || name[0] == '.' || !repo)
            return r == -EAGAIN ? -ENOENT : r;
        char *full = full_name(mount->nodes, node, name);
        r = full ? find_missing(mount, repo, folder, name, full, asking, child) : -ENOMEM;
        free(full);
        return r;
    }
    }
    return r == -EAGAIN ? -ENOENT : r;
}

/* The listing of a repository: asked for where it is unknown or old. A remote that is slow or gone
 * doesn't keep anybody from what is known. */
static int open_repo(struct mount *mount, struct repo *repo, uint32_t folder, struct asking *asking)
{
    int64_t age = repo_listing_age(repo);
    uint64_t offset = 0;
    uint32_t child;
    int r = 0;

    if (age >= 0 && age < (int64_t)mount->settings->refs_ttl)
        return 0;
    if (!asking->listing) {
        asking->listing = true;
        asking->impatient = age >= 0;
        r = wait_for(&repo->listing, refresh_listing(mount, repo), asking);
        if (r == -EAGAIN)
            return r;
    } else {
        r = repo_backoff(repo, NULL);
    }
    bool shows_something = age >= 0 || node_next(mount->nodes, folder, &offset, &child) == 0;
    return shows_something ? 0 : r;
}

int namespace_open_folder(struct mount *mount, uint32_t folder, struct asking *asking)
{
    const struct node *node = node_get(mount->nodes, folder);
    struct repo *repo;

    if (!node)
        return -EIO;
    switch (node->kind) {
    case NODE_REPO:
    case NODE_PREFIX:
        repo = namespace_repo(mount, node);
        return repo ? open_repo(mount, repo, folder, asking) : -EIO;
    case NODE_VERSION:
        return open_version(mount, folder, asking);
    case NODE_TREE:
        return node_has_children(node) ? 0 : open_tree(mount, folder, asking);
    }
    return node_is_folder(node) ? 0 : -ENOTDIR;
}

static void prefetch_repo(struct mount *mount, struct repo *repo)
{
    struct wanted *all[256];
    size_t count = 0;
    struct version version;

    /* What a set names has its wanted version already; what else a source names gets one. */
    pthread_mutex_lock(&repo->lock);
    size_t named_count = repo->named_count < 256 ? repo->named_count : 256;
    struct named *named = calloc(named_count + 1, sizeof *named);
    for (size_t i = 0; named && i < named_count; i++)
        named[i] =
            (struct named){.name = repo->named[i].name ? strdup(repo->named[i].name) : NULL,
                           .commit = repo->named[i].commit ? strdup(repo->named[i].commit) : NULL};
    pthread_mutex_unlock(&repo->lock);
    for (size_t i = 0; named && i < named_count; i++) {
        struct wanted *wanted = repo_want(repo, named[i].name, named[i].commit);
        if (wanted && versions_find(repo->repository, named[i].name, named[i].commit, &version,
                                    NULL) == -ENOENT)
            all[count++] = wanted;
        free(named[i].name);
        free(named[i].commit);
    }
    free(named);
    for (size_t i = 0; i < count; i++)
        refresh_version(mount, all[i]);
}

void namespace_prefetch(struct mount *mount)
{
    struct repo *repo;

    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++)
        if (repo->in_use)
            prefetch_repo(mount, repo);
}
