#include "gitcache/net/pktline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/hex.h"

static bool make_room(struct pktline_buffer *buffer, size_t more)
{
    size_t room = buffer->room ? buffer->room : 512;
    char *bytes;

    if (buffer->failed)
        return false;
    while (room - buffer->length < more)
        room *= 2;
    if (room == buffer->room)
        return true;
    bytes = realloc(buffer->bytes, room);
    if (!bytes) {
        buffer->failed = true;
        return false;
    }
    buffer->bytes = bytes;
    buffer->room = room;
    return true;
}

static void append(struct pktline_buffer *buffer, const char *bytes, size_t length)
{
    if (!make_room(buffer, length))
        return;
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

void pktline_add(struct pktline_buffer *buffer, const char *format, ...)
{
    va_list args;
    char *text, header[8];
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0 || length + 1 > PKTLINE_MAX_DATA) {
        buffer->failed = true;
        if (length >= 0)
            free(text);
        return;
    }
    snprintf(header, sizeof header, "%04x", (unsigned)length + 5);
    append(buffer, header, 4);
    append(buffer, text, (size_t)length);
    append(buffer, "\n", 1);
    free(text);
}

void pktline_add_flush(struct pktline_buffer *buffer)
{
    append(buffer, "0000", 4);
}

void pktline_add_delim(struct pktline_buffer *buffer)
{
    append(buffer, "0001", 4);
}

void pktline_buffer_release(struct pktline_buffer *buffer)
{
    free(buffer->bytes);
    memset(buffer, 0, sizeof *buffer);
}

void pktline_reader_init(struct pktline_reader *reader, const char *who)
{
    memset(reader, 0, sizeof *reader);
    reader->who = who;
}

void pktline_reader_release(struct pktline_reader *reader)
{
    free(reader->data);
    reader->data = NULL;
}

static int parse_length(const char header[4])
{
    int length = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_value(header[i]);
        if (digit < 0)
            return -1;
        length = length << 4 | digit;
    }
    return length;
}

/* Acts on a whole header: a special packet is handled, a data packet's length is noted. */
static int take_header(struct pktline_reader *reader, pktline_handler handler, void *data,
                       struct error *e)
{
    int length = parse_length(reader->header);

    if (length < 0 || length > PKTLINE_MAX_DATA + 4 || length == 2 || length == 3)
        return error_set(e, EIO, "%s: not git's protocol: a packet's length cannot be \"%.4s\"",
                         reader->who, reader->header);
    if (length >= 4) {
        reader->length = (size_t)length - 4;
        reader->have = 0;
        return 0;
    }
    reader->header_length = 0;
    return handler(data, length == 0 ? PKTLINE_FLUSH : PKTLINE_DELIM, NULL, 0, e);
}

/* Takes bytes for the packet whose header is here; adds to *used how many. A packet that lies
 * whole in them is not copied. */
static int take_data(struct pktline_reader *reader, const char *bytes, size_t size, size_t *used,
                     pktline_handler handler, void *data, struct error *e)
{
    size_t missing = reader->length - reader->have;
    size_t taken = size < missing ? size : missing;
    const char *whole = bytes;

    *used += taken;
    if (reader->have || size < missing) {
        if (!reader->data)
            reader->data = malloc(PKTLINE_MAX_DATA);
        if (!reader->data)
            return error_set(e, ENOMEM, "%s: out of memory", reader->who);
        memcpy(reader->data + reader->have, bytes, taken);
        reader->have += taken;
        if (reader->have < reader->length)
            return 0;
        whole = reader->data;
    }
    reader->header_length = reader->have = 0;
    return handler(data, PKTLINE_DATA, whole, reader->length, e);
}

int pktline_reader_feed(struct pktline_reader *reader, const char *bytes, size_t size,
                        pktline_handler handler, void *data, struct error *e)
{
    int r = 0;

    reader->left = 0;
    for (size_t used; r == 0 && size > 0; bytes += used, size -= used) {
        used = 0;
        if (reader->header_length < sizeof reader->header) {
            reader->header[reader->header_length++] = *bytes;
            used = 1;
            if (reader->header_length == sizeof reader->header)
                r = take_header(reader, handler, data, e);
        }
        /* In the same turn, since a packet may have no data at all. */
        if (r == 0 && reader->header_length == sizeof reader->header)
            r = take_data(reader, bytes + used, size - used, &used, handler, data, e);
    }
    if (r == PKTLINE_STOP)
        reader->left = size;
    return r;
}

size_t pktline_reader_begun(const struct pktline_reader *reader, const char **bytes)
{
    *bytes = reader->data;
    return reader->have;
}

bool pktline_reader_is_between(const struct pktline_reader *reader)
{
    return reader->header_length == 0;
}

size_t pktline_text_length(const char *bytes, size_t length)
{
    return length && bytes[length - 1] == '\n' ? length - 1 : length;
}

bool pktline_is(const char *bytes, size_t length, const char *text)
{
    length = pktline_text_length(bytes, length);
    return length == strlen(text) && memcmp(bytes, text, length) == 0;
}

bool pktline_starts_with(const char *bytes, size_t length, const char *prefix)
{
    size_t n = strlen(prefix);

    return length >= n && memcmp(bytes, prefix, n) == 0;
}
