#include "fs/tree/branch.h"

#include "fs/shared/children.h"
#include "fs/tree/namespace.h"

static bool is_branch(const struct mount *mount, uint32_t index)
{
    const struct node *node = node_get(mount->nodes, index);
    return node && node->kind == NODE_VERSION && node->flags & NODE_BRANCH;
}

uint32_t branch_shown(const struct mount *mount, uint32_t index)
{
    uint32_t checkout;

    return is_branch(mount, index) && node_checkout(mount->nodes, index, &checkout) == 0 ? checkout
                                                                                         : index;
}

/* A worker that took over has nodes that show the branch, and knows no more of it: without this it would not
 * see that the branch has moved. */
static void remember(struct mount *mount, struct repo *repo, uint32_t index, uint32_t checkout)
{
    struct repo_version *version = namespace_version(mount, index);
    const struct node *shown = node_get(mount->nodes, checkout);
    struct version cached;

    if (!version || !shown ||
        versions_find(repo->repository, version->name, version->commit, &cached, NULL) < 0)
        return;
    pthread_mutex_lock(&repo->lock);
    if (version->state == VERSION_LISTED) {
        version->version = cached;
        version->version.commit = shown->oid;
        version->state = VERSION_READY;
    }
    pthread_mutex_unlock(&repo->lock);
}

void branch_follow(struct mount *mount, uint32_t index, struct ask *ask)
{
    uint32_t checkout;

    /* What is not there yet is asked for by who looks into it. */
    if (!is_branch(mount, index) || node_checkout(mount->nodes, index, &checkout) < 0)
        return;
    struct repo *repo = repos_of_node(&mount->repos, index);
    int64_t age = repo ? repo_listing_age(repo) : 0;
    if (!repo || (age >= 0 && age < (int64_t)mount->settings->refs_ttl))
        return;
    remember(mount, repo, index, checkout);
    ask_listing_later(mount, repo, ask);
}
