#include "fs/tree/sizes.h"

#include "fs/tree/checkout.h"
#include "gitcache/checkout/blob.h"
#include "gitcache/fetch/pool.h"

static bool has_plain_bytes(const struct node *node)
{
    return (node->kind == NODE_FILE || node->kind == NODE_EXECUTABLE ||
            node->kind == NODE_SYMLINK) &&
           !(node->flags >> NODE_CONVERSION_SHIFT);
}

static bool is_of(struct mount *mount, uint32_t index, const struct repo *repo)
{
    struct repo *owner;
    uint32_t version;

    return checkout_owner(mount, index, &version, &owner) == 0 && owner == repo;
}

/* Whether another size was told. */
static bool correct_one(struct mount *mount, uint32_t index, const struct repo *repo)
{
    const struct node *node = node_get(mount->nodes, index);
    uint64_t told, size;

    if (!node || !has_plain_bytes(node) || !is_of(mount, index, repo))
        return false;
    told = node->size;
    return blob_size(repo->repository, &node->oid, &size, NULL) == 0 && size != told &&
           node_correct_size(mount->nodes, index, told, size);
}

void sizes_correct(struct mount *mount, const struct repo *repo)
{
    uint32_t used = nodes_used(mount->nodes), corrected = 0;

    for (uint32_t i = 0; i < used && !pool_is_stopping(mount->pool); i++) {
        /* Nodes are looked at that nothing may lead to: none may be freed meanwhile. */
        pthread_mutex_lock(&mount->reclaim);
        bool is_other = correct_one(mount, i, repo);
        pthread_mutex_unlock(&mount->reclaim);
        if (is_other && mount->observer.file_corrected)
            mount->observer.file_corrected(mount->observer.data, i);
        corrected += is_other;
    }
    if (corrected)
        log_warning(mount->log,
                    "%s: the sizes of %u files came from damaged data, and have been corrected",
                    repo->name, corrected);
}
