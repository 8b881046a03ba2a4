#include "gitcache/store/pack_inflater.h"

#include <stdlib.h>

#define CHUNK ((size_t)128 << 10)

/* zlib's own header of two bytes is passed over, and the checksum at the end not made: the object's
 * hash finds whatever they would, and to make both takes half as long again as inflating. */
#define ZLIB_HEADER 2

int pack_inflater_begin(struct pack_inflater *inflater, const struct pack_reader *reader,
                        uint32_t position, const struct pack_entry *entry, struct error *e)
{
    *inflater = (struct pack_inflater){.reader = reader,
                                       .position = position,
                                       .at = entry->begin + ZLIB_HEADER,
                                       .end = entry->end};
    inflater->chunk = malloc(CHUNK);
    if (inflater->chunk && inflateInit2(&inflater->stream, -MAX_WBITS) == Z_OK)
        return 0;
    free(inflater->chunk);
    return error_no_memory(e);
}

void pack_inflater_end(struct pack_inflater *inflater)
{
    inflateEnd(&inflater->stream);
    free(inflater->chunk);
}

/* Gives zlib more of the compressed bytes, if there are any. */
static void feed(struct pack_inflater *inflater)
{
    uint64_t left = inflater->at < inflater->end ? inflater->end - inflater->at : 0;
    size_t n = pack_entry_bytes(inflater->reader->fd, inflater->chunk,
                                left < CHUNK ? (size_t)left : CHUNK, inflater->at);

    inflater->stream.next_in = inflater->chunk;
    inflater->stream.avail_in = (uInt)n;
    inflater->at += n;
}

int pack_inflater_next(struct pack_inflater *inflater, void *out, size_t room, size_t *got,
                       struct error *e)
{
    z_stream *stream = &inflater->stream;
    int z = Z_OK;

    stream->next_out = out;
    stream->avail_out = (uInt)room;
    while (stream->avail_out > 0 && !inflater->ended) {
        if (stream->avail_in == 0)
            feed(inflater);
        z = inflate(stream, Z_NO_FLUSH);
        inflater->ended = z == Z_STREAM_END;
        if (z != Z_OK && z != Z_STREAM_END)
            break;
    }
    *got = room - stream->avail_out;
    if (z == Z_OK || z == Z_STREAM_END)
        return 0;
    if (z == Z_MEM_ERROR)
        return error_no_memory(e);
    return pack_entry_damaged(inflater->reader, inflater->position, "it cannot be inflated", e);
}

int pack_inflater_expect_end(struct pack_inflater *inflater, struct error *e)
{
    unsigned char more[1];
    size_t got;
    int r = pack_inflater_next(inflater, more, sizeof more, &got, e);

    if (r == 0 && got > 0)
        r = pack_entry_damaged(inflater->reader, inflater->position,
                               "it is longer than its header says", e);
    return r;
}
