#include "fs/shared/names.h"

#include <string.h>

const char *node_string(const struct nodes *nodes, uint64_t offset)
{
    uint64_t used = places_used(&nodes->pieces) * NAMES_PIECE;

    if (offset >= used)
        return "";
    if (!memchr(nodes->names + offset, '\0', used - offset))
        return "";
    return nodes->names + offset;
}

const char *node_name(const struct nodes *nodes, const struct node *node)
{
    static const char damaged[UINT8_MAX + 1]; /* as long as any name_length says */
    uint64_t end = node->name + node->name_length;

    if (end < node->name || end >= nodes->max_names || nodes->names[end] != '\0')
        return damaged;
    return nodes->names + node->name;
}

/* NULL: it has none, or the table is damaged. */
static const struct node_more *more_of(const struct nodes *nodes, const struct node *node)
{
    if (kind_is_in_checkout(node->kind) || node->name < sizeof(struct node_more) ||
        node->name > nodes->max_names || node->name % sizeof(uint64_t) != 0)
        return NULL;
    return (const struct node_more *)(nodes->names + node->name - sizeof(struct node_more));
}

int64_t node_mtime(const struct nodes *nodes, const struct node *node)
{
    if (kind_is_in_checkout(node->kind))
        node = node_get(nodes, node->checkout);
    const struct node_more *more = node ? more_of(nodes, node) : NULL;
    return more ? more->mtime : 0;
}

uint64_t node_data(const struct nodes *nodes, const struct node *node)
{
    const struct node_more *more = more_of(nodes, node);
    return more ? more->data : 0;
}

size_t names_pieces(size_t bytes)
{
    return (bytes + NAMES_PIECE - 1) / NAMES_PIECE;
}

uint64_t names_begin(uint64_t at, enum node_kind kind)
{
    if (kind_is_in_checkout(kind))
        return at;
    return (at + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t) +
           sizeof(struct node_more);
}

void names_write(struct nodes *nodes, const struct node_spec *spec, uint64_t name)
{
    const struct node_more more = {.mtime = spec->mtime, .data = spec->data};

    if (!kind_is_in_checkout(spec->kind))
        memcpy(nodes->names + name - sizeof more, &more, sizeof more);
    memcpy(nodes->names + name, spec->name, spec->name_length);
    nodes->names[name + spec->name_length] = '\0';
}

void names_own(struct nodes *nodes, uint32_t piece, size_t pieces, uint32_t unit)
{
    for (size_t i = piece; i < piece + pieces; i++)
        atomic_store_explicit(&nodes->owners[i], unit + 1, memory_order_release);
}

int nodes_keep_string(struct nodes *nodes, const char *text, uint64_t *offset)
{
    size_t size = strlen(text) + 1, pieces = names_pieces(size);
    uint32_t piece;

    pthread_mutex_lock(&nodes->append);
    int r = places_take(&nodes->pieces, pieces, &piece);
    if (r == 0) {
        *offset = piece * NAMES_PIECE;
        memcpy(nodes->names + *offset, text, size);
        names_own(nodes, piece, pieces, NODE_ROOT_INDEX);
    }
    pthread_mutex_unlock(&nodes->append);
    return r;
}
