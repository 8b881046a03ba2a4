#include "fs/tree/cheap_file.h"

#include "fs/tree/checkout.h"
#include "fs/tree/reading.h"

#define CHEAP_SIZE (128u << 10)
#define TRY_TIME   5 /* milliseconds */

static bool is_small(const struct node *node, const struct repo *repo)
{
    return node->size <= CHEAP_SIZE && !atomic_load(&repo->is_costly);
}

bool cheap_file_is(const struct node *node, const struct repo *repo)
{
    return is_small(node, repo) && checkout_is_cheap(node);
}

int cheap_file_read(struct mount *mount, struct repo *repo, uint32_t node, struct blob **out,
                    struct error *e)
{
    struct content content;
    int64_t began = reading_processor_time();
    int r = checkout_read(mount, node, NULL, &content, e);

    if (reading_processor_time() - began > READING_CHEAP_TIME)
        atomic_store(&repo->is_costly, true);
    return r < 0 ? r : blobs_add(mount->blobs, node_id(mount->nodes, node), &content, out);
}

bool cheap_file_may_be(const struct node *node, const struct repo *repo)
{
    return is_small(node, repo) &&
           (checkout_is_cheap(node) || !atomic_load(&repo->converts_slowly));
}

static bool is_beyond(void *data)
{
    const int64_t *began = data;
    return reading_processor_time() - *began > TRY_TIME;
}

int cheap_file_try(struct mount *mount, struct repo *repo, uint32_t node, struct blob **out)
{
    int64_t began = reading_processor_time();
    const struct watch watch = {.cancelled = is_beyond, .data = &began};
    struct error error = {0};
    struct content content;
    int r;

    if (cheap_file_is(node_get(mount->nodes, node), repo))
        return cheap_file_read(mount, repo, node, out, &error);
    r = checkout_read(mount, node, &watch, &content, &error);
    if (is_beyond(&began))
        atomic_store(&repo->converts_slowly, true);
    return r < 0 ? r : blobs_add(mount->blobs, node_id(mount->nodes, node), &content, out);
}
