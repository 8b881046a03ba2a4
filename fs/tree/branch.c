#include "fs/tree/branch.h"

#include "fs/shared/children.h"

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

void branch_follow(struct mount *mount, uint32_t index, struct ask *ask)
{
    uint32_t checkout;

    /* What is not there yet is asked for by who looks into it. */
    if (!is_branch(mount, index) || node_checkout(mount->nodes, index, &checkout) < 0)
        return;
    struct repo *repo = repos_of_node(&mount->repos, index);
    int64_t age = repo ? repo_listing_age(repo) : 0;
    if (repo && (age < 0 || age >= (int64_t)mount->settings->refs_ttl))
        ask_listing_later(mount, repo, ask);
}
