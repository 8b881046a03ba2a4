#include "gitcache/store/pack_object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/store/pack_delta.h"

/* Compressed bytes of a chain of deltas that are held until they are applied; what does not fit is
 * read once more. */
#define MAX_HELD ((size_t)1 << 20)

struct chain_link {
    uint32_t position;
    struct pack_entry entry; /* its chunk may be NULL */
};

/* From an object down to one that is no delta, or whose base is kept. */
struct chain {
    struct chain_link *links;
    size_t count, room, held;
    struct pack_base *base; /* NULL: the last link is no delta */
};

static int add_link(struct chain *chain)
{
    if (chain->count == chain->room) {
        size_t room = chain->room ? 2 * chain->room : 8;
        struct chain_link *links = reallocarray(chain->links, room, sizeof *links);

        if (!links)
            return -ENOMEM;
        chain->links = links;
        chain->room = room;
    }
    chain->links[chain->count++] = (struct chain_link){.position = 0};
    return 0;
}

static void close_link(struct chain_link *link)
{
    free(link->entry.chunk);
    link->entry.chunk = NULL;
}

static void release_chain(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        close_link(&chain->links[i]);
    free(chain->links);
    pack_base_put(chain->base);
}

static int open_chain(const struct pack_reader *reader, uint32_t position, struct chain *chain,
                      struct error *e)
{
    struct chain_link *link;
    int r;

    do {
        if (chain->count > reader->index->count)
            return pack_entry_damaged(reader, position, "it is a delta to itself", e);
        if (add_link(chain) < 0)
            return error_no_memory(e);
        link = &chain->links[chain->count - 1];
        link->position = position;
        r = pack_entry_open(reader, position, &link->entry, e);
        if (r < 0 || !pack_entry_is_delta(&link->entry))
            return r;
        if (chain->held + link->entry.chunk_size > MAX_HELD)
            close_link(link);
        else
            chain->held += link->entry.chunk_size;
        position = link->entry.base;
        chain->base = pack_bases_get(reader->bases, reader->index->pack_sum, position);
    } while (!chain->base);
    return 0;
}

/* The delta of a link, and the sizes that it begins with. The caller frees *delta. */
static int inflate_delta(const struct pack_reader *reader, struct chain_link *link,
                         unsigned char **delta, size_t *taken, uint64_t *base_size, uint64_t *size,
                         struct error *e)
{
    size_t room = (size_t)link->entry.size;
    int r = 0;

    if (!link->entry.chunk)
        r = pack_entry_open(reader, link->position, &link->entry, e);
    *delta = r == 0 && link->entry.size < SIZE_MAX ? malloc(room + 1) : NULL;
    if (r == 0 && !*delta)
        r = error_no_memory(e);
    if (r == 0)
        r = pack_entry_inflate(reader, link->position, &link->entry, *delta, room, e);
    if (r == 0) {
        *taken = pack_delta_sizes(*delta, room, base_size, size);
        if (!*taken)
            r = pack_entry_damaged(reader, link->position, "it is not a delta", e);
    }
    close_link(link);
    return r;
}

static int allocate(const struct pack_reader *reader, uint64_t size, void **out, struct error *e)
{
    unsigned char *bytes =
        size < SIZE_MAX / 2 ? reader->allocate(reader->data, (size_t)size + 1) : NULL;

    *out = bytes;
    if (!bytes)
        return error_no_memory(e);
    bytes[size] = '\0';
    return 0;
}

/* Applies a link's delta to the base. What comes out goes to *next, or, where `next` is NULL, to
 * *bytes: it is the object itself then. */
static int apply(const struct pack_reader *reader, struct chain_link *link,
                 const struct pack_base *base, struct pack_base **next, void **bytes,
                 uint64_t *size, struct error *e)
{
    unsigned char *delta, *out = NULL;
    uint64_t base_size;
    size_t taken;
    int r = inflate_delta(reader, link, &delta, &taken, &base_size, size, e);

    if (r == 0 && base_size != base->size)
        r = pack_entry_damaged(reader, link->position, "it is a delta to something else", e);
    if (r == 0 && next) {
        *next = *size < SIZE_MAX ? pack_base_new((size_t)*size) : NULL;
        out = *next ? (*next)->bytes : NULL;
        r = out ? 0 : error_no_memory(e);
    } else if (r == 0 && bytes) {
        r = allocate(reader, *size, bytes, e);
        out = *bytes;
    }
    if (r == 0 && !pack_delta_apply(delta + taken, (size_t)link->entry.size - taken, base->bytes,
                                    base->size, out, (size_t)*size))
        r = pack_entry_damaged(reader, link->position, "its delta does not match", e);
    free(delta);
    return r;
}

/* The object at the end of the chain, for others to be applied to. */
static int read_base(const struct pack_reader *reader, struct chain_link *link,
                     struct pack_base **out, struct error *e)
{
    struct pack_base *base =
        link->entry.size < SIZE_MAX ? pack_base_new((size_t)link->entry.size) : NULL;
    int r = base ? 0 : error_no_memory(e);

    if (r == 0) {
        base->type = (int)link->entry.type;
        r = pack_entry_inflate(reader, link->position, &link->entry, base->bytes, base->size, e);
    }
    close_link(link);
    if (r < 0)
        pack_base_put(base);
    else
        *out = base;
    return r;
}

static void keep(const struct pack_reader *reader, const struct chain_link *link,
                 struct pack_base *base)
{
    pack_bases_keep(reader->bases, reader->index->pack_sum, link->position, base);
}

/* Puts a delta's object together, from the end of the chain up. */
static int put_together(const struct pack_reader *reader, struct chain *chain, void **bytes,
                        uint64_t *size, struct error *e)
{
    size_t i = chain->count;
    int r = 0;

    if (!chain->base) {
        r = read_base(reader, &chain->links[--i], &chain->base, e);
        if (r == 0)
            keep(reader, &chain->links[i], chain->base);
    }
    while (r == 0 && i-- > 1) {
        struct pack_base *next = NULL;

        r = apply(reader, &chain->links[i], chain->base, &next, NULL, size, e);
        if (r == 0) {
            next->type = chain->base->type;
            keep(reader, &chain->links[i], next);
            pack_base_put(chain->base);
            chain->base = next;
        } else {
            pack_base_put(next);
        }
    }
    return r ? r : apply(reader, &chain->links[0], chain->base, NULL, bytes, size, e);
}

/* What others are deltas to is often a file of the same version. */
static int copy_base(const struct pack_reader *reader, const struct pack_base *base, void **bytes,
                     uint64_t *size, struct error *e)
{
    int r = allocate(reader, base->size, bytes, e);

    if (r == 0)
        memcpy(*bytes, base->bytes, base->size);
    *size = base->size;
    return r;
}

int pack_object_read(const struct pack_reader *reader, uint32_t position, void **bytes,
                     size_t *size, git_object_t *type, struct error *e)
{
    struct chain chain = {.base = pack_bases_get(reader->bases, reader->index->pack_sum, position)};
    uint64_t found = 0;
    int r = chain.base ? 0 : open_chain(reader, position, &chain, e);

    *bytes = NULL;
    if (r == 0 && chain.count == 0) {
        r = copy_base(reader, chain.base, bytes, &found, e);
        *type = (git_object_t)chain.base->type;
    } else if (r == 0 && chain.count == 1 && !chain.base) {
        struct pack_entry *entry = &chain.links[0].entry;

        found = entry->size;
        *type = (git_object_t)entry->type;
        r = allocate(reader, found, bytes, e);
        if (r == 0)
            r = pack_entry_inflate(reader, position, entry, *bytes, (size_t)found, e);
    } else if (r == 0) {
        r = put_together(reader, &chain, bytes, &found, e);
        if (r == 0)
            *type = (git_object_t)chain.base->type;
    }
    release_chain(&chain);
    if (r < 0 && *bytes) {
        reader->release(reader->data, *bytes);
        *bytes = NULL;
    }
    *size = (size_t)found;
    return r;
}
