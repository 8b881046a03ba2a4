#include "fs/tree/file_order.h"

#include "fs/shared/children.h"

#define FEW     4  /* files that a reader passes over */
#define NEAR_BY 64 /* nodes between a file and the next */

static bool is_file(const struct node *node)
{
    return node && (node->kind == NODE_FILE || node->kind == NODE_EXECUTABLE);
}

/* A folder's children lie side by side. */
static bool is_sibling(const struct node *node, const struct node *next)
{
    return next && next->parent == node->parent && next->checkout == node->checkout &&
           next->kind >= NODE_TREE && next->kind <= NODE_SUBMODULE;
}

static uint32_t next_node(const struct nodes *nodes, uint32_t index, bool descends)
{
    const struct node *node = node_get(nodes, index);
    uint64_t offset = 0;
    uint32_t child;

    if (descends && node && node->kind == NODE_TREE && node_has_children(node) &&
        node_next(nodes, index, &offset, &child) == 0)
        return child;
    while (node && node->kind >= NODE_TREE && node->kind <= NODE_SUBMODULE) {
        if (is_sibling(node, node_get(nodes, index + 1)))
            return index + 1;
        if (!descends)
            break;
        index = node->parent;
        node = node_parent(nodes, node);
    }
    return NODE_ROOT_INDEX;
}

uint32_t file_order_next(const struct nodes *nodes, uint32_t file, bool descends)
{
    uint32_t index = file;

    for (int i = 0; i < NEAR_BY; i++) {
        index = next_node(nodes, index, descends);
        if (index == NODE_ROOT_INDEX || is_file(node_get(nodes, index)))
            return index;
    }
    return NODE_ROOT_INDEX;
}

bool file_order_follows(const struct nodes *nodes, uint32_t file, uint32_t next, bool descends)
{
    for (int i = 0; i < FEW; i++) {
        file = file_order_next(nodes, file, descends);
        if (file == NODE_ROOT_INDEX || file == next)
            return file == next;
    }
    return false;
}
