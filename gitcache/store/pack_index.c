#include "gitcache/store/pack_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The file: 8 bytes of magic and version, 256 counts, then for each object an id, a CRC and an
 * offset (with its highest bit set: the number of an 8-byte one, which follow), then the pack's
 * checksum and its own. All numbers are big-endian. */
#define HEADER_SIZE      8
#define FANOUT_SIZE      1024
#define LARGE_OFFSET     UINT32_C(0x80000000)
#define SMALLEST_OFFSET  12 /* of an object: behind the pack's header */
#define BYTES_PER_OBJECT (OID_SIZE + 4 + 4)

static uint32_t read_32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t read_64(const unsigned char *at)
{
    return (uint64_t)read_32(at) << 32 | read_32(at + 4);
}

static const char *check_frame(const unsigned char *bytes, size_t size)
{
    static const unsigned char magic[HEADER_SIZE] = {0xff, 't', 'O', 'c', 0, 0, 0, 2};
    unsigned char sum[SHA1_SIZE];

    if (size < HEADER_SIZE + FANOUT_SIZE + 2 * SHA1_SIZE)
        return "it is too short";
    sha1_of(bytes, size - SHA1_SIZE, sum);
    if (memcmp(sum, bytes + size - SHA1_SIZE, SHA1_SIZE) != 0)
        return "its checksum does not match";
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return "it is not an index of version 2";
    return NULL;
}

/* The fan-out says for each first byte how many ids begin with that or a lower one. */
static const char *check_ids(const struct pack_index *index)
{
    uint32_t before = 0;

    for (int byte = 0; byte < 256; byte++) {
        uint32_t until = read_32(index->fanout + 4 * byte);

        if (until < before || until > index->count)
            return "its fan-out is not in order";
        for (uint32_t i = before; i < until; i++) {
            const unsigned char *id = index->ids + (size_t)i * OID_SIZE;

            if (id[0] != byte || (i && memcmp(id - OID_SIZE, id, OID_SIZE) >= 0))
                return "its ids are not in order";
        }
        before = until;
    }
    return NULL;
}

static int compare_offsets(const void *a, const void *b, void *data)
{
    uint64_t x = pack_index_offset(data, *(const uint32_t *)a);
    uint64_t y = pack_index_offset(data, *(const uint32_t *)b);

    return (x > y) - (x < y);
}

static const char *check_offsets(struct pack_index *index, size_t large_count)
{
    static const char outside[] = "it has an offset that is not within the pack";

    for (uint32_t i = 0; i < index->count; i++) {
        uint32_t offset = read_32(index->offsets + (size_t)4 * i);

        if (offset & LARGE_OFFSET && (offset & ~LARGE_OFFSET) >= large_count)
            return outside;
        if (pack_index_offset(index, i) < SMALLEST_OFFSET ||
            pack_index_offset(index, i) >= index->pack_size - SHA1_SIZE)
            return outside;
        index->by_offset[i] = i;
    }
    qsort_r(index->by_offset, index->count, sizeof *index->by_offset, compare_offsets, index);
    for (uint32_t i = 1; i < index->count; i++)
        if (pack_index_offset(index, index->by_offset[i - 1]) ==
            pack_index_offset(index, index->by_offset[i]))
            return "two of its objects have one place";
    return NULL;
}

static const char *lay_out(struct pack_index *index, const unsigned char *bytes, size_t size,
                           size_t *large_count)
{
    size_t rest = size - HEADER_SIZE - FANOUT_SIZE - 2 * (size_t)SHA1_SIZE;

    index->fanout = bytes + HEADER_SIZE;
    index->count = read_32(index->fanout + FANOUT_SIZE - 4);
    if (rest / BYTES_PER_OBJECT < index->count)
        return "it is too short for its objects";
    rest -= (size_t)index->count * BYTES_PER_OBJECT;
    if (rest % 8 || rest / 8 > index->count)
        return "its size does not match its objects";
    *large_count = rest / 8;
    index->ids = index->fanout + FANOUT_SIZE;
    index->crcs = index->ids + (size_t)index->count * OID_SIZE;
    index->offsets = index->crcs + (size_t)index->count * 4;
    index->large = index->offsets + (size_t)index->count * 4;
    memcpy(index->pack_sum, bytes + size - 2 * (size_t)SHA1_SIZE, SHA1_SIZE);
    return NULL;
}

int pack_index_parse(struct pack_index *out, unsigned char *bytes, size_t size, uint64_t pack_size,
                     const char *shown, struct error *e)
{
    struct pack_index index = {.pack_size = pack_size};
    size_t large_count = 0;
    const char *fault = check_frame(bytes, size);

    if (!fault)
        fault = lay_out(&index, bytes, size, &large_count);
    if (!fault)
        fault = check_ids(&index);
    if (!fault && pack_size < SMALLEST_OFFSET + SHA1_SIZE)
        fault = "its pack is too short";
    if (!fault) {
        index.by_offset = calloc((size_t)index.count + 1, sizeof *index.by_offset);
        if (!index.by_offset)
            return error_no_memory(e);
        fault = check_offsets(&index, large_count);
    }
    if (fault) {
        free(index.by_offset);
        return error_set(e, EIO, "the pack's index %s is damaged: %s", shown, fault);
    }
    index.bytes = bytes;
    *out = index;
    return 0;
}

void pack_index_release(struct pack_index *index)
{
    free(index->bytes);
    free(index->by_offset);
    *index = (struct pack_index){.count = 0};
}

bool pack_index_find(const struct pack_index *index, const struct oid *id, uint32_t *position)
{
    uint32_t low = id->id[0] ? read_32(index->fanout + 4 * (id->id[0] - 1)) : 0;
    uint32_t high = read_32(index->fanout + 4 * id->id[0]);

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = memcmp(index->ids + (size_t)middle * OID_SIZE, id->id, OID_SIZE);

        if (order == 0) {
            *position = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

void pack_index_id(const struct pack_index *index, uint32_t position, struct oid *out)
{
    memcpy(out->id, index->ids + (size_t)position * OID_SIZE, OID_SIZE);
}

uint64_t pack_index_offset(const struct pack_index *index, uint32_t position)
{
    uint32_t offset = read_32(index->offsets + (size_t)4 * position);

    if (offset & LARGE_OFFSET)
        return read_64(index->large + (size_t)8 * (offset & ~LARGE_OFFSET));
    return offset;
}

/* The place in by_offset of what begins at the offset, or of the first that begins behind it. */
static uint32_t place_of(const struct pack_index *index, uint64_t offset)
{
    uint32_t low = 0, high = index->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (pack_index_offset(index, index->by_offset[middle]) < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t pack_index_end(const struct pack_index *index, uint32_t position)
{
    uint32_t next = place_of(index, pack_index_offset(index, position)) + 1;

    return next < index->count ? pack_index_offset(index, index->by_offset[next])
                               : index->pack_size - SHA1_SIZE;
}

bool pack_index_at(const struct pack_index *index, uint64_t offset, uint32_t *position)
{
    uint32_t place = place_of(index, offset);

    if (place == index->count || pack_index_offset(index, index->by_offset[place]) != offset)
        return false;
    *position = index->by_offset[place];
    return true;
}

uint32_t pack_index_crc(const struct pack_index *index, uint32_t position)
{
    return read_32(index->crcs + (size_t)4 * position);
}
