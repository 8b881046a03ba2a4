#include "fs/tree/namespace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/children.h"
#include "fs/tree/checkout.h"
#include "fs/tree/control_folder.h"
#include "fs/tree/folders.h"
#include "fs/tree/lists.h"
#include "fs/tree/publish.h"
#include "fs/tree/readings.h"
#include "fs/tree/searches.h"
#include "fs/tree/versions_ahead.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/refname.h"

#define LISTED_WITH_NODES \
    10000 /* names of a folder; where there are more, each gets one when looked up */
/* Repositories of the root; of more only the names are told. With their attributes the kernel would make as many
 * inodes, four times the work of a listing, and ask for them again a second later: the root can change. */
#define LISTED_WITH_ATTRIBUTES 1000

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

    errno = ESTALE;
    if (!repo || !parent)
        return NULL;
    /* A set's folder remembered what its nodes 0, 1 ... show. */
    if (parent->kind != NODE_REPO && parent->kind != NODE_PREFIX)
        return repo_version_of_node(repo, index);
    char *name = full_name(mount->nodes, node, NULL);
    struct repo_version *version = name ? repo_version_named(repo, name) : NULL;
    bool is_known = version && repo_version_add_node(version, index) == 0;
    free(name);
    errno = ENOMEM;
    return is_known ? version : NULL;
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
    r = readings_join(mount, index, ask);
    if (r < 0)
        return r;
    wanted = namespace_version(mount, index);
    /* A set's folder 0/, 1/ ... as it was before its list changed, which only a dead worker knew: for ESTALE the
     * kernel looks names up again (Documentation/filesystems/path-lookup.rst of Linux). */
    if (!wanted)
        return -errno;
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

/* For a reader who looks into it. */
static int enter_version(struct mount *mount, uint32_t index, struct ask *ask)
{
    int r = open_version(mount, index, ask);

    versions_ahead_note(mount, index);
    return r;
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

    errno = EIO;
    if (checkout_owner(mount, index, &version, &repo) == 0)
        damaged = namespace_version(mount, version);
    return damaged ? refetch(mount, index, damaged, ask) : errno == ENOMEM ? -ENOMEM : -EIO;
}

/* ---- names that are not there (yet) ---- */

/* The spelling whose node all spellings of a commit share: a source's, else all 40 digits. */
static void spell_commit(struct repo *repo, const struct oid *commit, char spelling[OID_HEX_SIZE])
{
    oid_format(commit, spelling);
    pthread_mutex_lock(&repo->lock);
    for (size_t i = 0; i < repo->source_count; i++) {
        const struct repo_source *source = &repo->sources[i];
        if (source->kind != SOURCE_COMMIT ||
            strncasecmp(source->version, spelling, strlen(source->version)) != 0)
            continue;
        strcpy(spelling, source->version);
        break;
    }
    pthread_mutex_unlock(&repo->lock);
}

/* A commit id is a version that no listing shows: it is there if it can be fetched. */
static int find_commit(struct mount *mount, struct repo *repo, const char *name, struct ask *ask,
                       uint32_t *child)
{
    struct version version;
    char spelling[OID_HEX_SIZE];
    int r = versions_find(repo->repository, name, NULL, &version, NULL);

    if (r == -ENOENT)
        return searches_ask(mount, repo, name, ask);
    if (r < 0)
        return r;
    spell_commit(repo, &version.commit, spelling);
    struct node_spec spec = version_nodes_spec(false, false, spelling, strlen(spelling));
    return version_nodes_get(mount, repo, repo->node, &spec, child);
}

/* A name that the repository's folder, or a prefix in it, shows. 0, -ENOENT or what failed. */
static int find_shown(struct mount *mount, struct repo *repo, uint32_t folder, const char *name,
                      const char *full, uint32_t *child)
{
    struct shown *shown = repo_shown(repo);
    bool is_branch = false;

    enum shown_kind kind = shown ? shown_find(shown, full, &is_branch) : SHOWN_NOTHING;
    shown_put(shown);
    if (kind == SHOWN_NOTHING)
        return -ENOENT;
    struct node_spec spec = version_nodes_spec(kind == SHOWN_PREFIX, is_branch, name, strlen(name));
    return version_nodes_get(mount, repo, folder, &spec, child);
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
    struct repo_version *damaged = repo_version_named(repo, name);

    return damaged ? ask_damaged(mount, damaged, ask) : -ENOMEM;
}

static int find_missing(struct mount *mount, struct repo *repo, uint32_t folder, const char *name,
                        const char *full, struct ask *ask, uint32_t *child)
{
    bool is_commit = folder == repo->node && oid_is_abbreviation(full, strlen(full));
    bool known = repo_listing_age(repo) >= 0;
    int r = known ? 0 : repository_listing_fault(repo->repository);
    struct version version;

    if (!refname_is_valid(full, strlen(full)))
        return -ENOENT;
    if (r < 0)
        return r;
    /* Another mount, or `startpointfs fetch`, may have cached it. */
    r = versions_find(repo->repository, full, NULL, &version, NULL);
    if (r == -EIO)
        return find_damaged(mount, repo, full, ask);
    if (r == 0) {
        if (version.kind == VERSION_COMMIT)
            return find_commit(mount, repo, name, ask, child);
        publish_repo(mount, repo);
        r = find_shown(mount, repo, folder, name, full, child);
        if (r != -ENOENT)
            return r;
    }
    if (mount->settings->offline)
        return known ? -ENOENT : -EHOSTUNREACH;
    if (may_ask_for_missing(repo, known, ask))
        return ask_listing(mount, repo, ask);
    /* The remote's answer may have been published since the caller looked. */
    r = find_shown(mount, repo, folder, name, full, child);
    if (r != -ENOENT)
        return r;
    r = repo_backoff(repo);
    if (r == 0 && is_commit)
        return find_commit(mount, repo, name, ask, child);
    return r < 0 ? r : -ENOENT;
}

/* Nobody comes to a set's folder but through this one. */
static bool is_folder_of_sets(const struct mount *mount, uint32_t folder)
{
    uint32_t sets;

    return control_folder_sets(mount, &sets) == 0 && sets == folder;
}

/* A repository's folder is made when somebody first looks into it, or into a folder of its tags. */
static int prepare_folder(struct mount *mount, uint32_t folder, const struct node *node,
                          struct ask *ask)
{
    if (node->kind == NODE_CONTROL && is_folder_of_sets(mount, folder))
        return lists_published(mount, ask);
    if (node->kind != NODE_REPO && node->kind != NODE_PREFIX)
        return 0;
    struct repo *repo = repos_of_node(&mount->repos, folder);
    int r = repo ? publish_repo_once(mount, repo) : 0;
    return repo && repo->left_out ? r : 0;
}

/* Below a repository's folder. */
static int find_version(struct mount *mount, uint32_t folder, const char *name, struct ask *ask,
                        uint32_t *child)
{
    struct repo *repo = repos_of_node(&mount->repos, folder);

    if (name[0] == '.' || !repo)
        return -ENOENT;
    char *full = full_name(mount->nodes, node_get(mount->nodes, folder), name);
    int r = full ? find_shown(mount, repo, folder, name, full, child) : -ENOMEM;
    if (r == -ENOENT)
        r = find_missing(mount, repo, folder, name, full, ask, child);
    free(full);
    if ((r == -ENOSPC || r == -EDQUOT) && !ask->reclaim) {
        ask->reclaim = true;
        return readings_reclaim(mount, ask);
    }
    if (r == -EDQUOT)
        version_nodes_no_room(mount, repo);
    return r == -EDQUOT ? -ENOSPC : r;
}

int namespace_lookup(struct mount *mount, uint32_t folder, const char *name, struct ask *ask,
                     uint32_t *child)
{
    const struct node *node = node_get(mount->nodes, folder);
    size_t length = strlen(name);
    int r;

    if (!node)
        return -EIO;
    r = prepare_folder(mount, folder, node, ask);
    if (r < 0)
        return r;
    if (node->kind == NODE_REPO || node->kind == NODE_PREFIX)
        return find_version(mount, folder, name, ask, child);
    r = node_lookup(mount->nodes, folder, name, length, child);
    switch ((unsigned)node->kind) {
    case NODE_VERSION:
        if (r != -EAGAIN)
            return r;
        r = enter_version(mount, folder, ask);
        return r < 0 ? r : node_lookup(mount->nodes, folder, name, length, child);
    case NODE_TREE:
        if (r != -EAGAIN)
            return r;
        r = open_tree(mount, folder, ask);
        return r < 0 ? r : node_lookup(mount->nodes, folder, name, length, child);
    }
    return r == -EAGAIN ? -ENOENT : r;
}

/* ---- listing ---- */

/* Whether the names of a folder get nodes when they are listed: then their attributes come with them. */
static bool may_make_nodes(const struct mount *mount, const struct repo *repo, size_t count)
{
    return count <= LISTED_WITH_NODES &&
           nodes_charged(mount->nodes, repo->node) < nodes_share(mount->nodes) / 4;
}

static int next_version(struct mount *mount, struct repo *repo, uint32_t folder, const char *path,
                        uint64_t *offset, struct namespace_entry *out)
{
    struct shown_child child;
    int r = publish_repo_once(mount, repo); /* a worker may take over in the middle of a listing */
    struct shown *shown = r == 0 ? repo_shown(repo) : NULL;

    if (r == 0)
        r = shown ? shown_next(shown, path, offset, &child) : -ENOENT;

    if (r == 0) {
        struct node_spec spec =
            version_nodes_spec(child.kind == SHOWN_PREFIX, child.branch, child.name, child.length);
        r = version_nodes_find(mount, repo, folder, &spec, &out->node);
        if (r == -ENOENT && may_make_nodes(mount, repo, shown_count(shown, path)))
            r = version_nodes_get(mount, repo, folder, &spec, &out->node);
        out->with_attributes = r == 0;
        out->inode = out->with_attributes ? node_id(mount->nodes, out->node)
                                          : NAMESPACE_UNKNOWN_INODES + child.number;
        memcpy(out->name, child.name, child.length);
        out->name[child.length] = '\0';
        r = r == -ENOENT || r == -ENOSPC || r == -EDQUOT ? 0 : r;
    }
    shown_put(shown);
    return r;
}

int namespace_next(struct mount *mount, uint32_t folder, uint64_t *offset,
                   struct namespace_entry *out)
{
    const struct node *node = node_get(mount->nodes, folder);
    int r;

    if (node && (node->kind == NODE_REPO || node->kind == NODE_PREFIX)) {
        struct repo *repo = repos_of_node(&mount->repos, folder);
        char *path = full_name(mount->nodes, node, NULL);
        r = !path ? -ENOMEM : repo ? next_version(mount, repo, folder, path, offset, out) : -EIO;
        free(path);
        return r;
    }
    r = node_next(mount->nodes, folder, offset, &out->node);
    if (r < 0)
        return r;
    node = node_get(mount->nodes, out->node);
    out->with_attributes =
        folder != NODE_ROOT_INDEX || !repos_at(&mount->repos, LISTED_WITH_ATTRIBUTES);
    out->inode = node_id(mount->nodes, out->node);
    memcpy(out->name, node_name(mount->nodes, node), node->name_length);
    out->name[node->name_length] = '\0';
    return 0;
}

/* The listing of a repository: asked for where it is unknown or old. A remote that is slow or gone
 * does not keep anybody from what is known. */
static int open_repo(struct mount *mount, struct repo *repo, uint32_t folder, struct ask *ask)
{
    int64_t age = repo_listing_age(repo);
    struct namespace_entry entry;
    uint64_t offset = 0;
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
    bool shows_something = age >= 0 || namespace_next(mount, folder, &offset, &entry) == 0;
    return shows_something ? 0 : r;
}

int namespace_open_folder(struct mount *mount, uint32_t folder, struct ask *ask)
{
    const struct node *node = node_get(mount->nodes, folder);
    struct repo *repo;

    if (!node)
        return -EIO;
    int r = prepare_folder(mount, folder, node, ask);
    if (r < 0)
        return r;
    switch ((unsigned)node->kind) {
    case NODE_REPO:
    case NODE_PREFIX:
        repo = repos_of_node(&mount->repos, folder);
        return repo ? open_repo(mount, repo, folder, ask) : -EIO;
    case NODE_VERSION:
        return enter_version(mount, folder, ask);
    case NODE_TREE:
        return node_has_children(node) ? 0 : open_tree(mount, folder, ask);
    }
    return node_is_folder(node) ? 0 : -ENOTDIR;
}
