#include "gitcache/store/pack_entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "gitcache/store/deflated.h"
#include "gitcache/store/pack_delta.h"

#define CHUNK       ((size_t)1 << 20)
#define HEADER_ROOM 64 /* more than type, size and base can take */
#define MAX_ROOM    ((uInt)1 << 30)
#define DELTA_ROOM  18 /* the two sizes that a delta begins with */
/* zlib's own header is passed over, and the checksum at the end not made: the index has one of the same bytes, and
 * what they unpack to has its hash. */
#define ZLIB_HEADER 2

void pack_entry_tell_damage(const struct pack_reader *reader, uint32_t position, const char *what,
                            struct error *e)
{
    char hex[OID_HEX_SIZE];
    struct oid id;

    pack_index_id(reader->index, position, &id);
    error_set(e, EIO, "the object %s in the pack %s is damaged: %s", oid_format(&id, hex),
              reader->shown, what);
}

size_t pack_entry_bytes(int fd, unsigned char *bytes, size_t size, uint64_t offset)
{
    size_t got = 0;

    while (got < size) {
        ssize_t n = pread(fd, bytes + got, size - got, (off_t)(offset + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return got;
}

/* Reads all bytes of the object and compares their CRC; `first` gets the first ones. */
static int check_bytes(const struct pack_reader *reader, uint32_t position, unsigned char *first,
                       size_t *first_size, struct error *e)
{
    uint64_t begin = pack_index_offset(reader->index, position);
    uint64_t end = pack_index_end(reader->index, position);
    unsigned char *chunk = first;
    uint32_t crc = 0;

    *first_size = 0;
    for (uint64_t at = begin; at < end;) {
        size_t wanted = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

        if (at > begin && chunk == first && !(chunk = malloc(CHUNK)))
            return error_no_memory(e);
        if (pack_entry_bytes(reader->fd, chunk, wanted, at) != wanted) {
            if (chunk != first)
                free(chunk);
            return pack_entry_damaged(reader, position, "its bytes cannot be read", e);
        }
        if (at == begin)
            *first_size = wanted;
        crc = deflated_crc(crc, chunk, wanted);
        at += wanted;
    }
    if (chunk != first)
        free(chunk);
    return crc == pack_index_crc(reader->index, position)
               ? 0
               : pack_entry_damaged(reader, position, "its checksum does not match", e);
}

/* The type, three bits, and the size: four bits, then seven a byte. Bytes taken, or 0. */
static size_t parse_header(const unsigned char *at, size_t size, struct pack_entry *entry)
{
    int shift = 4;

    if (!size)
        return 0;
    entry->type = at[0] >> 4 & 7;
    entry->size = at[0] & 0xf;
    for (size_t i = 0; i < size && shift < 60; shift += 7) {
        if (!(at[i++] & 0x80))
            return i;
        if (i < size)
            entry->size |= (uint64_t)(at[i] & 0x7f) << shift;
    }
    return 0;
}

/* How far before the delta its base begins: seven bits a byte, the highest first, each further byte
 * adding one. Bytes taken, or 0. */
static size_t parse_distance(const unsigned char *at, size_t size, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < size && i < 9; i++) {
        *out = (*out << 7) + (at[i] & 0x7f) + (i > 0 ? (uint64_t)1 << 7 : 0);
        if (!(at[i] & 0x80))
            return i + 1;
    }
    return 0;
}

/* Bytes taken, or 0 if the pack has no such base. */
static size_t parse_base(const struct pack_reader *reader, uint64_t offset, const unsigned char *at,
                         size_t size, struct pack_entry *entry)
{
    uint64_t distance;
    struct oid id;
    size_t taken;

    if (entry->type == ID_DELTA) {
        if (size < OID_SIZE)
            return 0;
        memcpy(id.id, at, OID_SIZE);
        return pack_index_find(reader->index, &id, &entry->base) ? OID_SIZE : 0;
    }
    taken = parse_distance(at, size, &distance);
    if (!taken || distance == 0 || distance > offset ||
        !pack_index_at(reader->index, offset - distance, &entry->base))
        return 0;
    return taken;
}

bool pack_entry_is_delta(const struct pack_entry *entry)
{
    return entry->type == OFFSET_DELTA || entry->type == ID_DELTA;
}

static int parse_entry(const struct pack_reader *reader, uint32_t position, const unsigned char *at,
                       size_t size, struct pack_entry *entry, struct error *e)
{
    uint64_t offset = pack_index_offset(reader->index, position);
    size_t taken = parse_header(at, size, entry), base;

    if (!taken || entry->type == 0 || entry->type == 5)
        return pack_entry_damaged(reader, position, "it has no valid header", e);
    if (pack_entry_is_delta(entry)) {
        base = parse_base(reader, offset, at + taken, size - taken, entry);
        if (!base)
            return pack_entry_damaged(reader, position, "what it is a delta to is missing", e);
        taken += base;
    }
    entry->begin = offset + taken;
    entry->end = pack_index_end(reader->index, position);
    return 0;
}

int pack_entry_peek(const struct pack_reader *reader, uint32_t position, struct pack_entry *entry,
                    struct error *e)
{
    unsigned char header[HEADER_ROOM];
    uint64_t offset = pack_index_offset(reader->index, position);
    uint64_t size = pack_index_end(reader->index, position) - offset;

    *entry = (struct pack_entry){.type = 0};
    size =
        pack_entry_bytes(reader->fd, header, size < sizeof header ? size : sizeof header, offset);
    return parse_entry(reader, position, header, (size_t)size, entry, e);
}

int pack_entry_open(const struct pack_reader *reader, uint32_t position, struct pack_entry *entry,
                    struct error *e)
{
    uint64_t length =
        pack_index_end(reader->index, position) - pack_index_offset(reader->index, position);
    unsigned char *chunk = malloc(length < CHUNK ? (size_t)length + 1 : CHUNK);
    size_t size = 0, taken;
    int r = chunk ? check_bytes(reader, position, chunk, &size, e) : error_no_memory(e);

    *entry = (struct pack_entry){.type = 0};
    if (r == 0)
        r = parse_entry(reader, position, chunk, size, entry, e);
    if (r < 0) {
        free(chunk);
        return r;
    }
    taken = (size_t)(entry->begin - pack_index_offset(reader->index, position));
    entry->chunk_size = size - taken;
    memmove(chunk, chunk + taken, entry->chunk_size);
    entry->chunk = chunk;
    return 0;
}

/* Gives zlib the next of the compressed bytes; false if there are none. */
static bool feed(const struct pack_reader *reader, struct pack_entry *entry, z_stream *stream,
                 uint64_t *at)
{
    size_t n = entry->chunk_size, skip = *at == entry->begin ? ZLIB_HEADER : 0;

    if (*at > entry->begin) {
        n = entry->end - *at < CHUNK ? (size_t)(entry->end - *at) : CHUNK;
        n = pack_entry_bytes(reader->fd, entry->chunk, n, *at);
    }
    if (n <= skip)
        return false;
    stream->next_in = entry->chunk + skip;
    stream->avail_in = (uInt)(n - skip);
    *at += n;
    return true;
}

/* Of a large entry, or only its beginning: piece by piece. */
static int inflate_pieces(const struct pack_reader *reader, struct pack_entry *entry,
                          unsigned char *out, size_t size)
{
    z_stream stream = {.next_in = NULL};
    uint64_t at = entry->begin;
    unsigned char end[1]; /* zlib wants room even for nothing */
    size_t left = size;
    int z = inflateInit2(&stream, -MAX_WBITS);

    if (z != Z_OK)
        return -ENOMEM;
    stream.next_out = left ? out : end;
    while (z == Z_OK && (left || size == entry->size)) {
        uInt room = left < MAX_ROOM ? (uInt)left : MAX_ROOM;

        if (stream.avail_in == 0 && !feed(reader, entry, &stream, &at))
            break;
        stream.avail_out = room;
        /* With all of the input at hand zlib needs no window of its own. */
        z = inflate(&stream, at == entry->end && room == left ? Z_FINISH : Z_NO_FLUSH);
        left -= room - stream.avail_out;
        if (z == Z_BUF_ERROR && stream.avail_in == 0)
            z = Z_OK;
    }
    inflateEnd(&stream);
    if (z == Z_MEM_ERROR)
        return -ENOMEM;
    return left || (size == entry->size && z != Z_STREAM_END) ? -EIO : 0;
}

int pack_entry_inflate(const struct pack_reader *reader, uint32_t position,
                       struct pack_entry *entry, unsigned char *out, size_t size, struct error *e)
{
    bool is_whole = size == entry->size && entry->chunk_size == entry->end - entry->begin;
    int r = is_whole ? deflated_inflate(entry->chunk, entry->chunk_size, out, size)
                     : inflate_pieces(reader, entry, out, size);

    return r == -ENOMEM ? error_no_memory(e)
           : r < 0      ? pack_entry_damaged(reader, position, "it cannot be inflated", e)
                        : 0;
}

/* What comes out of a delta is as large as it says at its beginning. */
static int size_of_delta(const struct pack_reader *reader, uint32_t position,
                         struct pack_entry *entry, uint64_t *out, struct error *e)
{
    unsigned char begin[DELTA_ROOM];
    size_t size = entry->size < sizeof begin ? (size_t)entry->size : sizeof begin;
    uint64_t base;
    int r = pack_entry_inflate(reader, position, entry, begin, size, e);

    if (r == 0 && !pack_delta_sizes(begin, size, &base, out))
        r = pack_entry_damaged(reader, position, "it is not a delta", e);
    return r;
}

/* The type of what a delta is applied to, at the end of all deltas; read without a checksum, as
 * nothing hangs on it. */
static int type_of_base(const struct pack_reader *reader, uint32_t position,
                        struct pack_entry *entry, struct error *e)
{
    struct pack_entry at = *entry;
    int r = 0;

    for (uint32_t steps = 0; r == 0 && pack_entry_is_delta(&at); steps++) {
        if (steps == reader->index->count)
            return pack_entry_damaged(reader, position, "it is a delta to itself", e);
        position = at.base;
        r = pack_entry_peek(reader, position, &at, e);
    }
    entry->type = at.type;
    return r;
}

int pack_entry_size(const struct pack_reader *reader, uint32_t position, size_t *size,
                    git_object_t *type, struct error *e)
{
    struct pack_entry entry;
    uint64_t found;
    int r = pack_entry_open(reader, position, &entry, e);

    if (r < 0)
        return r;
    found = entry.size;
    if (pack_entry_is_delta(&entry)) {
        r = size_of_delta(reader, position, &entry, &found, e);
        if (r == 0)
            r = type_of_base(reader, position, &entry, e);
    }
    free(entry.chunk);
    *size = (size_t)found;
    *type = (git_object_t)entry.type;
    return r;
}

int pack_entry_size_of(const struct pack_reader *reader, uint32_t position, unsigned char *bytes,
                       uint64_t *size, struct error *e)
{
    uint64_t begin = pack_index_offset(reader->index, position);
    size_t length = (size_t)(pack_index_end(reader->index, position) - begin);
    struct pack_entry entry = {.type = 0};
    int r;

    if (deflated_crc(0, bytes, length) != pack_index_crc(reader->index, position))
        return pack_entry_damaged(reader, position, "its checksum does not match", e);
    r = parse_entry(reader, position, bytes, length, &entry, e);
    if (r < 0)
        return r;
    entry.chunk = bytes + (entry.begin - begin);
    entry.chunk_size = (size_t)(entry.end - entry.begin);
    *size = entry.size;
    return pack_entry_is_delta(&entry) ? size_of_delta(reader, position, &entry, size, e) : 0;
}
