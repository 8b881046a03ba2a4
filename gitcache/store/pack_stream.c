#include "gitcache/store/pack_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/spool.h"
#include "gitcache/store/object_writer.h"
#include "gitcache/store/pack_delta.h"
#include "gitcache/store/pack_inflater.h"

#define MAX_CHAIN 5000 /* git's own longest chain is 4095 */

/* What every step needs. */
struct pack_stream {
    const struct pack_reader *reader;
    const struct pack_stream_request *request;
    uint32_t position; /* of the entry in work */
    struct object_writer writer;
    char *buffer; /* of the writer, being filled */
    size_t used;
    struct error *error;
};

static int damaged(struct pack_stream *stream, const char *what)
{
    return pack_entry_damaged(stream->reader, stream->position, what, stream->error);
}

/* The rest of the buffer that is being filled; a new one where there is none. Its size is in *room,
 * and never 0. */
static int make_room(struct pack_stream *stream, char **out, size_t *room)
{
    if (stream->buffer && stream->used == OBJECT_WRITER_BUFFER) {
        object_writer_commit(&stream->writer, stream->used);
        stream->buffer = NULL;
        if (watch_is_cancelled(stream->request->watch))
            return error_set(stream->error, ECANCELED, "reading a large file was cancelled");
    }
    if (!stream->buffer) {
        stream->buffer = object_writer_buffer(&stream->writer);
        stream->used = 0;
    }
    *out = stream->buffer + stream->used;
    *room = OBJECT_WRITER_BUFFER - stream->used;
    return 0;
}

static void flush(struct pack_stream *stream)
{
    if (stream->buffer && stream->used > 0)
        object_writer_commit(&stream->writer, stream->used);
    stream->buffer = NULL;
}

/* Inflates the whole of an entry that is no delta. */
static int copy_whole(struct pack_stream *stream, struct pack_entry *entry)
{
    struct pack_inflater inflater;
    uint64_t left = entry->size;
    int r = pack_inflater_begin(&inflater, stream->reader, stream->position, entry, stream->error);

    if (r < 0)
        return r;
    while (r == 0 && left > 0) {
        size_t room = 0, got = 0;
        char *to = NULL;

        r = make_room(stream, &to, &room);
        if (r == 0)
            r = pack_inflater_next(&inflater, to, left < room ? (size_t)left : room, &got,
                                   stream->error);
        if (r == 0 && got == 0)
            r = damaged(stream, "it cannot be inflated");
        stream->used += got;
        left -= got;
    }
    if (r == 0)
        r = pack_inflater_expect_end(&inflater, stream->error);
    pack_inflater_end(&inflater);
    return r;
}

/* A delta, inflated piece by piece. */
struct delta_stream {
    struct pack_stream *stream;
    struct pack_inflater inflater;
    unsigned char piece[16384];
    size_t at, size;
};

static int next_piece(struct delta_stream *delta)
{
    delta->at = 0;
    return pack_inflater_next(&delta->inflater, delta->piece, sizeof delta->piece, &delta->size,
                              delta->stream->error);
}

/* 1 and a byte, 0 at the end, or an errno. */
static int next_byte(struct delta_stream *delta, unsigned char *out)
{
    int r = delta->at == delta->size ? next_piece(delta) : 0;

    if (r < 0)
        return r;
    if (delta->size == 0)
        return 0;
    *out = delta->piece[delta->at++];
    return 1;
}

/* The same where the delta must go on. */
static int need_byte(struct delta_stream *delta, unsigned char *out)
{
    int r = next_byte(delta, out);

    return r > 0 ? 0 : r < 0 ? r : damaged(delta->stream, "its delta is cut short");
}

static int copy_from_delta(struct delta_stream *delta, size_t size)
{
    struct pack_stream *stream = delta->stream;
    int r = 0;

    while (r == 0 && size > 0) {
        size_t room = 0;
        char *to = NULL;

        r = make_room(stream, &to, &room);
        if (r == 0)
            r = need_byte(delta, (unsigned char *)to);
        if (r == 0)
            stream->used++;
        size--;
    }
    return r;
}

static int copy_from_base(struct pack_stream *stream, int base, uint64_t offset, size_t size)
{
    int r = 0;

    while (r == 0 && size > 0) {
        size_t room = 0;
        char *to = NULL;
        ssize_t n;

        r = make_room(stream, &to, &room);
        if (r < 0)
            return r;
        n = pread(base, to, size < room ? size : room, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return damaged(stream, "its delta does not match");
        stream->used += (size_t)n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return r;
}

/* The little-endian number whose bytes are there as the bits of `which` say. */
static int read_number(struct delta_stream *delta, unsigned which, int bytes, uint64_t *out)
{
    int r = 0;

    *out = 0;
    for (int i = 0; i < bytes && r == 0; i++) {
        unsigned char c = 0;

        if (which >> i & 1)
            r = need_byte(delta, &c);
        *out |= (uint64_t)c << 8 * i;
    }
    return r;
}

/* One instruction: bytes of the base, or of the delta itself. */
static int run_instruction(struct delta_stream *delta, unsigned char code, int base, uint64_t *made)
{
    uint64_t offset, size = code;
    int r;

    if (code == 0)
        return damaged(delta->stream, "its delta has an invalid instruction");
    if (!(code & 0x80)) {
        *made += size;
        return copy_from_delta(delta, (size_t)size);
    }
    r = read_number(delta, code, 4, &offset);
    if (r == 0)
        r = read_number(delta, code >> 4 & 7, 3, &size);
    if (size == 0)
        size = 0x10000;
    *made += size;
    return r ? r : copy_from_base(delta->stream, base, offset, (size_t)size);
}

/* Applies a delta, behind its sizes, to a base in a file. */
static int copy_delta(struct delta_stream *delta, int base, uint64_t result)
{
    uint64_t made = 0;
    unsigned char code;
    int r = 0, more = 0;

    while (r == 0 && made <= result && (more = next_byte(delta, &code)) > 0)
        r = run_instruction(delta, code, base, &made);
    if (r < 0 || more < 0)
        return r < 0 ? r : more;
    return made == result ? 0 : damaged(delta->stream, "its delta does not match");
}

static int open_delta(struct delta_stream *delta, struct pack_entry *entry, uint64_t *base,
                      uint64_t *result)
{
    struct pack_stream *stream = delta->stream;
    int r = pack_inflater_begin(&delta->inflater, stream->reader, stream->position, entry,
                                stream->error);

    if (r < 0)
        return r;
    delta->at = 0;
    r = next_piece(delta);
    if (r == 0) {
        delta->at = pack_delta_sizes(delta->piece, delta->size, base, result);
        r = delta->at ? 0 : damaged(stream, "it is not a delta");
    }
    if (r < 0)
        pack_inflater_end(&delta->inflater);
    return r;
}

/* Writes what comes out of one entry to `fd`, its base (of a delta) being in the file `base`. */
static int write_entry(struct pack_stream *stream, struct pack_entry *entry, int base, int fd,
                       git_object_t type, unsigned char sum[SHA1_SIZE])
{
    struct delta_stream *delta = NULL;
    uint64_t base_size, size = entry->size;
    int r = 0, written;

    if (pack_entry_is_delta(entry)) {
        delta = calloc(1, sizeof *delta);
        if (!delta)
            return error_no_memory(stream->error);
        delta->stream = stream;
        r = open_delta(delta, entry, &base_size, &size);
        if (r < 0) {
            free(delta);
            return r;
        }
    }
    if (fd == stream->request->fd && size != stream->request->size)
        r = damaged(stream, "it has another size");
    else if (fd == stream->request->fd)
        r = spool_reserve(fd, size, stream->request->folder, stream->error);
    if (r == 0 && object_writer_begin(&stream->writer, fd, type, size) < 0)
        r = error_no_memory(stream->error);
    if (r == 0) {
        r = delta ? copy_delta(delta, base, size) : copy_whole(stream, entry);
        flush(stream);
        written = object_writer_end(&stream->writer, sum);
        if (written < 0 && r == 0)
            r = error_set(stream->error, -written, "cannot write a large file in %s: %s",
                          stream->request->folder, strerror(-written));
    }
    if (delta)
        pack_inflater_end(&delta->inflater);
    free(delta);
    return r;
}

/* The positions from an object to the one that is no delta, whose type is *type. */
static int find_chain(struct pack_stream *stream, uint32_t *chain, size_t *count,
                      git_object_t *type)
{
    uint32_t position = stream->position;
    struct pack_entry entry;
    int r;

    for (*count = 0; *count < MAX_CHAIN; position = entry.base) {
        chain[(*count)++] = position;
        r = pack_entry_peek(stream->reader, position, &entry, stream->error);
        if (r < 0)
            return r;
        *type = (git_object_t)entry.type;
        if (!pack_entry_is_delta(&entry))
            return 0;
    }
    return damaged(stream, "it has too many deltas");
}

/* From the end of the chain up; each but the last goes to a spool. */
static int write_chain(struct pack_stream *stream, const uint32_t *chain, size_t count,
                       git_object_t type, unsigned char sum[SHA1_SIZE])
{
    int base = -1, r = 0;

    while (r == 0 && count-- > 0) {
        int fd = count ? spool_open(stream->request->folder, stream->error) : stream->request->fd;
        struct pack_entry entry;

        if (fd < 0)
            r = fd;
        stream->position = chain[count];
        if (r == 0)
            r = pack_entry_peek(stream->reader, chain[count], &entry, stream->error);
        if (r == 0)
            r = write_entry(stream, &entry, base, fd, type, sum);
        if (base >= 0)
            close(base);
        base = fd;
        if (count == 0)
            base = -1;
    }
    if (base >= 0)
        close(base);
    return r;
}

int pack_stream_write(const struct pack_reader *reader, uint32_t position,
                      const struct pack_stream_request *request, struct error *e)
{
    struct pack_stream stream = {
        .reader = reader, .request = request, .position = position, .error = e};
    uint32_t *chain = malloc(MAX_CHAIN * sizeof *chain);
    unsigned char sum[SHA1_SIZE];
    git_object_t type = GIT_OBJECT_INVALID;
    size_t count = 0;
    int r = chain ? find_chain(&stream, chain, &count, &type) : error_no_memory(e);

    if (r == 0 && type != request->type)
        r = damaged(&stream, "it has another type");
    if (r == 0)
        r = write_chain(&stream, chain, count, type, sum);
    if (r == 0 && memcmp(sum, request->id.id, sizeof sum) != 0) {
        stream.position = position;
        r = damaged(&stream, "its hash does not match");
    }
    free(chain);
    return r;
}
