#include "fs/worker/stat.h"

#include <errno.h>

#include "fs/shared/children.h"
#include "fs/worker/texts.h"
#include "gitcache/base/clock.h"

#define BLOCK_SIZE 4096

static mode_t mode_of(const struct node *node)
{
    switch ((unsigned)node->kind) {
    case NODE_FILE:
    case NODE_CONTROL_FILE:
        return S_IFREG | 0444;
    case NODE_EXECUTABLE:
        return S_IFREG | 0555;
    case NODE_SYMLINK:
        return S_IFLNK | 0777;
    }
    return S_IFDIR | 0555;
}

/* A repository's folder has the time of its last change. While its listing is older than refs_ttl
 * the time differs by some nanoseconds: the kernel then drops the listing that it cached, and the
 * next `ls` reaches us. They count seconds, so that this goes on for as long as the remote cannot be
 * reached. */
static void fill_changing(struct mount *mount, struct repo *repo, struct stat *st)
{
    int64_t age = repo_listing_age(repo), changed_at = repo->changed_at;

    if (age < 0 || age >= (int64_t)mount->settings->refs_ttl)
        changed_at += 1 + clock_now() / 1000 % 1000000;
    st->st_mtim.tv_sec = changed_at / 1000000000;
    st->st_mtim.tv_nsec = changed_at % 1000000000;
}

/* The root and the control folders change with the lists. */
static void fill_with_lists(struct mount *mount, struct stat *st)
{
    int64_t changed_at = atomic_load(&mount->changed_at);

    st->st_mtim.tv_sec = changed_at / 1000000000;
    st->st_mtim.tv_nsec = changed_at % 1000000000;
}

static int fill_control_file(struct worker *worker, uint32_t index, struct ask *ask,
                             struct stat *st)
{
    struct text *text;
    int r = texts_get(worker->texts, index, ask, &text);

    if (r < 0)
        return ask ? r : 0;
    st->st_size = (off_t)texts_size(text);
    st->st_mtim.tv_sec = texts_made_at(text) / 1000000000;
    st->st_mtim.tv_nsec = texts_made_at(text) % 1000000000;
    texts_put(text);
    return 0;
}

/* A version has its commit's time once it is fetched, and then for ever. Before, the kernel may keep what it was told:
 * it is told when that changes (folders_tell), so that listing many versions asks for none of them again. A branch's
 * folder is another node then. */
static void fill_version(struct mount *mount, uint32_t index, struct stat *st, double *timeout)
{
    uint32_t checkout;

    if (node_checkout(mount->nodes, index, &checkout) < 0)
        *timeout = node_get(mount->nodes, index)->flags & NODE_BRANCH ? 0 : FOR_EVER;
    else
        st->st_mtim.tv_sec = node_mtime(mount->nodes, node_get(mount->nodes, checkout));
}

int stat_fill(struct worker *worker, uint32_t index, struct ask *ask, struct stat *st,
              double *timeout)
{
    struct mount *mount = &worker->mount;
    const struct node *node = node_get(mount->nodes, index);
    struct repo *repo;
    int r = 0;

    if (!node)
        return -EIO;
    *st = (struct stat){
        .st_ino = node_id(mount->nodes, index),
        .st_mode = mode_of(node),
        .st_nlink = 1,
        .st_uid = mount->settings->uid,
        .st_gid = mount->settings->gid,
        .st_blksize = BLOCK_SIZE,
        .st_mtim.tv_sec = node_mtime(mount->nodes, node),
    };
    *timeout = FOR_EVER;
    switch ((unsigned)node->kind) {
    case NODE_FILE:
    case NODE_EXECUTABLE:
    case NODE_SYMLINK:
        st->st_size = (off_t)node->size;
        break;
    case NODE_CONTROL_FILE:
        *timeout = 0;
        r = fill_control_file(worker, index, ask, st);
        break;
    case NODE_VERSION:
        fill_version(mount, index, st, timeout);
        break;
    case NODE_REPO:
    case NODE_PREFIX:
        *timeout = 1;
        repo = repos_of_node(&mount->repos, index);
        if (repo)
            fill_changing(mount, repo, st);
        break;
    case NODE_ROOT:
    case NODE_CONTROL:
        *timeout = 1;
        fill_with_lists(mount, st);
        break;
    }
    st->st_blocks = (st->st_size + 511) / 512;
    st->st_atim = st->st_ctim = st->st_mtim;
    return r;
}

double stat_entry_timeout(const struct mount *mount, uint32_t folder, uint32_t child)
{
    const struct node *parent = node_get(mount->nodes, folder),
                      *node = node_get(mount->nodes, child);

    /* A branch's name may mean another commit soon. */
    if (!parent || !node || (node->kind == NODE_VERSION && node->flags & NODE_BRANCH))
        return 1;
    /* What a change of the lists takes away or renames, the kernel is told, if it can be. */
    if ((parent->kind == NODE_ROOT || parent->kind == NODE_CONTROL) &&
        !state_has_epochs(mount->state))
        return 1;
    return FOR_EVER;
}

double stat_missing_timeout(const struct mount *mount, uint32_t folder)
{
    const struct node *node = node_get(mount->nodes, folder);

    if (!node)
        return 0;
    switch ((unsigned)node->kind) {
    case NODE_CHECKOUT:
    case NODE_TREE:
    case NODE_SUBMODULE:
        return FOR_EVER;
    case NODE_VERSION: /* of a branch: a placeholder until its checkout is there */
        return node->flags & NODE_BRANCH ? 0 : FOR_EVER;
    }
    return 0;
}

uint64_t stat_parent(const struct mount *mount, uint32_t index)
{
    const struct node *node = node_get(mount->nodes, index);
    uint32_t shown = index;

    /* A checkout stands for its version, below and above. */
    if (node && node->kind == NODE_CHECKOUT)
        node = node_get(mount->nodes, node->parent);
    if (!node)
        return 1;
    shown = node->parent;
    const struct node *parent = node_get(mount->nodes, shown);
    if (parent && parent->kind == NODE_CHECKOUT) {
        const struct node *version = node_get(mount->nodes, parent->parent);
        if (version && !(version->flags & NODE_BRANCH))
            shown = parent->parent;
    }
    return node_id(mount->nodes, shown);
}
