#include "gitcache/store/pack_sizes.h"

#define WINDOW ((size_t)8 << 10)

/* Some bytes of the pack. */
struct window {
    uint64_t begin;
    size_t size;
    unsigned char bytes[WINDOW];
};

/* Where an entry's bytes are in memory, all of them; NULL: they are too many, or the pack is cut short. */
static unsigned char *bytes_of(const struct pack_reader *reader, uint32_t position,
                               struct window *window)
{
    uint64_t begin = pack_index_offset(reader->index, position);
    uint64_t end = pack_index_end(reader->index, position);

    if (end - begin > WINDOW)
        return NULL;
    if (begin < window->begin || end > window->begin + window->size) {
        window->begin = begin;
        window->size = pack_entry_bytes(reader->fd, window->bytes, WINDOW, begin);
    }
    return end <= window->begin + window->size ? window->bytes + (begin - window->begin) : NULL;
}

void pack_sizes_find(const struct pack_reader *reader, const struct oid *ids, size_t count,
                     uint64_t *sizes)
{
    struct window window;

    window.begin = window.size = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t position;
        unsigned char *bytes = NULL;

        if (pack_index_find(reader->index, &ids[i], &position))
            bytes = bytes_of(reader, position, &window);
        if (!bytes || pack_entry_size_of(reader, position, bytes, &sizes[i], NULL) < 0)
            sizes[i] = PACK_SIZES_UNKNOWN;
    }
}
