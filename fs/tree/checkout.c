#include "fs/tree/checkout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/children.h"
#include "fs/tree/folders.h"
#include "fs/tree/reclaim.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/spool.h"
#include "gitcache/checkout/blob.h"
#include "gitcache/checkout/tree.h"
#include "gitcache/store/last_read.h"

#define READ_PERIOD 10000 /* milliseconds for which one mark is enough */

int checkout_init(struct mount *mount)
{
    mount->checkout_cache = checkout_cache_new();
    return mount->checkout_cache ? 0 : -ENOMEM;
}

void checkout_release(struct mount *mount)
{
    checkout_cache_free(mount->checkout_cache);
}

static enum node_kind node_kind_of(enum entry_kind kind)
{
    switch (kind) {
    case ENTRY_FILE:
        return NODE_FILE;
    case ENTRY_EXECUTABLE:
        return NODE_EXECUTABLE;
    case ENTRY_SYMLINK:
        return NODE_SYMLINK;
    case ENTRY_TREE:
        return NODE_TREE;
    case ENTRY_SUBMODULE:
        break;
    }
    return NODE_SUBMODULE;
}

/* A node's path from its checkout's root, malloc'd. -ENOMEM or, in a damaged table, -EIO. */
static int path_of(const struct nodes *nodes, const struct node *node, char **out)
{
    const struct node *n;
    size_t length = 0;

    for (n = node; n && n->kind != NODE_CHECKOUT; n = node_parent(nodes, n))
        length += n->name_length + 1u;
    if (!n)
        return -EIO;
    char *path = malloc(length + 1);
    if (!path)
        return -ENOMEM;
    char *at = path + length;
    *at = '\0';
    for (n = node; n && n->kind != NODE_CHECKOUT; n = node_parent(nodes, n)) {
        if (at != path + length)
            *--at = '/';
        at -= n->name_length;
        memcpy(at, node_name(nodes, n), n->name_length);
    }
    memmove(path, at, strlen(at) + 1);
    *out = path;
    return 0;
}

/* Where there is no room, what nobody can reach is looked for first: it takes its time. */
static int append(struct mount *mount, const struct node_spec *specs, size_t count, bool looks,
                  uint32_t *first)
{
    int r = nodes_append(mount->nodes, specs, count, first);

    if (looks && (r == -ENOSPC || r == -EDQUOT) && reclaim_now(mount) > 0)
        r = nodes_append(mount->nodes, specs, count, first);
    return r;
}

/* Appends a tree's entries as nodes; *first and *count are the block. */
static int append_entries(struct mount *mount, const struct repo *repo, const struct tree *tree,
                          uint32_t parent, uint32_t checkout, bool looks, uint32_t *first)
{
    struct node_spec *specs = calloc(tree->count + 1, sizeof *specs);
    unsigned flags = tree->attributes ? NODE_ATTRIBUTES : 0;

    if (!specs)
        return -ENOMEM;
    for (size_t i = 0; i < tree->count; i++) {
        const struct tree_entry *entry = &tree->entries[i];
        specs[i] = (struct node_spec){
            .kind = node_kind_of(entry->kind),
            .flags = flags | (unsigned)entry->conversion << NODE_CONVERSION_SHIFT,
            .name = entry->name,
            .name_length = entry->name_length,
            .parent = parent,
            .checkout = checkout,
            .data = entry->size,
            .oid = entry->oid,
            .account = repo->node,
        };
    }
    int r = append(mount, specs, tree->count, looks, first);
    free(specs);
    return r;
}

static int table_error(struct mount *mount, struct repo *repo, int r, struct error *e)
{
    if (r == -EDQUOT) {
        repo_has_no_room(repo);
        return error_set(e, ENOSPC, REPO_NO_ROOM, repo->name, nodes_share(mount->nodes));
    }
    if (r == -ENOSPC)
        return error_set(e, ENOSPC,
                         "the node table is full (%u nodes): unmount, and mount with a larger "
                         "max_nodes=",
                         nodes_max(mount->nodes));
    return r < 0 ? error_set(e, -r, "out of memory") : 0;
}

static struct version_reader reader_of(struct mount *mount, struct repo *repo,
                                       const struct oid *commit, const struct watch *watch)
{
    return (struct version_reader){
        .repository = repo->repository,
        .commit = commit,
        .cache = mount->checkout_cache,
        .watch = watch,
        .max_file = mount->settings->max_file,
        .spool_folder = mount->settings->cache,
        .spool_above = SPOOL_ABOVE,
    };
}

/* Makes the entries the children of `folder`, unless it has some. */
static int publish_entries(struct mount *mount, struct repo *repo, uint32_t folder,
                           uint32_t checkout, bool looks, const struct tree *tree, struct error *e)
{
    uint32_t first = 0;
    int r = append_entries(mount, repo, tree, folder, checkout, looks, &first);

    if (r < 0 && !looks)
        return error_set(e, -r, "there is no room for it at once");
    r = table_error(mount, repo, r, e);
    if (r < 0)
        return r;
    pthread_mutex_lock(&repo->trees);
    if (!node_has_children(node_get(mount->nodes, folder)))
        node_publish_block(mount->nodes, folder, first, (uint32_t)tree->count);
    pthread_mutex_unlock(&repo->trees);
    return 0;
}

/* Whether the version shows what it shall: any commit, or with `replace`, if it is a branch, this
 * one. */
static bool shows(const struct nodes *nodes, uint32_t version, const struct oid *commit,
                  bool replace)
{
    uint32_t checkout;

    if (node_checkout(nodes, version, &checkout) < 0)
        return false;
    const struct node *node = node_get(nodes, checkout);
    const struct node *owner = node_get(nodes, version);
    return !replace || !(owner->flags & NODE_BRANCH) || oid_equal(&node->oid, commit);
}

/* Whether the cache is to be told that a version is being read: not again within READ_PERIOD. */
static bool note_mark(struct mount *mount, uint32_t checkout)
{
    uint64_t mark = (uint64_t)checkout << 32 | (uint32_t)(clock_now() / READ_PERIOD);

    return atomic_exchange(&mount->read_marks[checkout % MOUNT_READ_MARKS], mark) != mark;
}

/* Makes a checkout with these top-level entries, and publishes it unless somebody was faster. */
static int publish_checkout(struct mount *mount, struct repo *repo, uint32_t node,
                            const struct version *version, bool replace, const struct tree *tree,
                            struct error *e)
{
    struct node_spec spec = {
        .kind = NODE_CHECKOUT,
        .name = "",
        .parent = node,
        .mtime = version->time,
        .oid = version->commit,
        .is_pinned = true,
        .account = repo->node,
    };
    uint32_t checkout;
    int r = table_error(mount, repo, append(mount, &spec, 1, true, &checkout), e);

    if (r < 0)
        return r;
    r = publish_entries(mount, repo, checkout, checkout, true, tree, e);
    pthread_mutex_lock(&repo->trees);
    if (r == 0 && !shows(mount->nodes, node, &version->commit, replace)) {
        note_mark(mount, checkout); /* checkout_publish has told it */
        node_publish_checkout(mount->nodes, node, checkout);
    }
    pthread_mutex_unlock(&repo->trees);
    nodes_unpin(mount->nodes, checkout);
    if (r == 0)
        folders_tell(mount, node, false); /* it has the commit's time now */
    return r;
}

int checkout_publish(struct mount *mount, struct repo *repo, uint32_t node,
                     const struct version *version, bool replace, const struct watch *watch,
                     struct error *e)
{
    struct version_reader reader = reader_of(mount, repo, &version->commit, watch);
    struct tree tree;
    int r;

    if (shows(mount->nodes, node, &version->commit, replace))
        return 0;
    r = last_read_now(repo->repository, version);
    if (r == -ENOENT)
        return error_set(e, ENOENT, "gc has removed the version from the cache");
    if (r < 0)
        return error_set(e, -r, "cannot tell gc that the version is in use: %s", strerror(-r));
    r = tree_read(&reader, &version->tree, "", false, &tree, e);
    if (r < 0)
        return r;
    r = publish_checkout(mount, repo, node, version, replace, &tree, e);
    tree_release(&tree);
    return r;
}

int checkout_owner(struct mount *mount, uint32_t index, uint32_t *version, struct repo **repo)
{
    const struct node *node = node_get(mount->nodes, index);
    const struct node *checkout = node ? node_get(mount->nodes, node->checkout) : NULL;
    const struct node *owner = checkout && checkout->kind == NODE_CHECKOUT
                                   ? node_get(mount->nodes, checkout->parent)
                                   : NULL;

    if (!owner || owner->kind != NODE_VERSION)
        return -EIO;
    *version = checkout->parent;
    *repo = repos_of_node(&mount->repos, checkout->parent);
    return *repo ? 0 : -EIO;
}

static int node_error(uint32_t index, int r, struct error *e)
{
    if (r == -ENOMEM)
        return error_no_memory(e);
    return error_set(e, EIO, "the node table is damaged at inode %u: unmount and mount again",
                     index + 1u);
}

bool checkout_is_cheap(const struct node *node)
{
    return conversion_is_cheap(node->flags >> NODE_CONVERSION_SHIFT);
}

/* Tells the cache now and then that a version is being read. */
static void mark_read(struct mount *mount, struct repo *repo, uint32_t checkout)
{
    const struct version version = {.commit = node_get(mount->nodes, checkout)->oid};

    if (note_mark(mount, checkout))
        last_read_now(repo->repository, &version);
}

/* What is needed to read a node, and its path, which the caller frees. */
static int reader_of_node(struct mount *mount, uint32_t index, const struct watch *watch,
                          struct version_reader *reader, struct repo **repo, char **path,
                          struct error *e)
{
    const struct node *node = node_get(mount->nodes, index);
    uint32_t version;
    int r = node ? checkout_owner(mount, index, &version, repo) : -EIO;

    if (r == 0)
        r = path_of(mount->nodes, node, path);
    if (r < 0)
        return node_error(index, r, e);
    mark_read(mount, *repo, node->checkout);
    *reader = reader_of(mount, *repo, &node_get(mount->nodes, node->checkout)->oid, watch);
    return 0;
}

/* `max_tree` as in struct version_reader. */
static int open_tree(struct mount *mount, uint32_t index, uint64_t max_tree,
                     const struct watch *watch, struct error *e)
{
    const struct node *node = node_get(mount->nodes, index);
    struct version_reader reader;
    struct repo *repo;
    struct tree tree;
    char *path;

    if (!node)
        return node_error(index, -EIO, e);
    if (node_has_children(node))
        return 0;
    int r = reader_of_node(mount, index, watch, &reader, &repo, &path, e);
    if (r < 0)
        return r;
    reader.max_tree = max_tree;
    r = tree_read(&reader, &node->oid, path, node->flags & NODE_ATTRIBUTES, &tree, e);
    free(path);
    if (r < 0)
        return r;
    r = publish_entries(mount, repo, index, node->checkout, max_tree == 0, &tree, e);
    tree_release(&tree);
    return r;
}

int checkout_open_tree(struct mount *mount, uint32_t index, const struct watch *watch,
                       struct error *e)
{
    return open_tree(mount, index, 0, watch, e);
}

int checkout_open_small_tree(struct mount *mount, uint32_t index, uint64_t max_tree,
                             const struct watch *watch, struct error *e)
{
    return open_tree(mount, index, max_tree, watch, e);
}

int checkout_read(struct mount *mount, uint32_t index, const struct watch *watch,
                  struct content *out, struct error *e)
{
    const struct node *node = node_get(mount->nodes, index);
    struct version_reader reader;
    struct repo *repo;
    char *path;
    int r = reader_of_node(mount, index, watch, &reader, &repo, &path, e);

    if (r < 0)
        return r;
    const struct blob_request request = {
        .oid = node->oid,
        .conversion = node->flags >> NODE_CONVERSION_SHIFT,
        .size = node->size,
        .path = path,
    };
    r = blob_read(&reader, &request, out, e);
    /* The bytes are those of their hash: what told the size was wrong (sizes.h). */
    if (r == 0 && out->size != node->size) {
        r = error_set(e, EIO, "%s has %zu bytes, and a different size was reported", path,
                      out->size);
        content_release(out);
    }
    free(path);
    return r;
}
