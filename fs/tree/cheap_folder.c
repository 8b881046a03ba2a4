#include "fs/tree/cheap_folder.h"

#include "fs/tree/checkout.h"
#include "fs/tree/reading.h"
#include "fs/tree/reclaim.h"

#define CHEAP_TREE (16u << 10) /* bytes: some 400 names */

bool cheap_folder_may_be(struct mount *mount, const struct repo *repo, uint32_t index)
{
    const struct node *node = node_get(mount->nodes, index);
    struct crash_record *crashes = &mount->state->crashes;

    return node && node->kind == NODE_TREE && !(node->flags & NODE_ATTRIBUTES) &&
           !atomic_load(&repo->is_costly) && !reclaim_is_due(mount, repo) &&
           crash_record_deaths(crashes, reading_crash_key(mount, READING_TREE, index)) == 0;
}

static bool is_beyond(void *data)
{
    const int64_t *began = data;
    return reading_processor_time() - *began > READING_CHEAP_TIME;
}

bool cheap_folder_try(struct mount *mount, struct repo *repo, uint32_t index)
{
    struct crash_record *crashes = &mount->state->crashes;
    uint64_t key = reading_crash_key(mount, READING_TREE, index);
    int64_t began = reading_processor_time();
    const struct watch watch = {.cancelled = is_beyond, .data = &began};
    struct error error = {0};

    crash_record_work(crashes, key);
    int r = checkout_open_small_tree(mount, index, CHEAP_TREE, &watch, &error);
    crash_record_end(crashes, key);
    if (is_beyond(&began))
        atomic_store(&repo->is_costly, true);
    return r == 0;
}
