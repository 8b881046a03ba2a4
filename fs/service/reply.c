#include "fs/service/reply.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "gitcache/base/hash.h"

#define GZIP_LEAST 256 /* bytes; a smaller answer fits a packet anyway */
#define GZIP_BITS  (15 + 16)

/* No gzip, if there is no memory for it or it is not smaller: no reason to fail. */
static void compress_text(struct reply *reply)
{
    z_stream stream = {0};

    if (reply->size < GZIP_LEAST || reply->size > UINT32_MAX ||
        deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY) !=
            Z_OK)
        return;
    reply->gzip = malloc(reply->size);
    stream.next_in = (Bytef *)reply->text;
    stream.avail_in = (uInt)reply->size;
    stream.next_out = (Bytef *)reply->gzip;
    stream.avail_out = reply->gzip ? (uInt)reply->size : 0;
    bool done = reply->gzip && deflate(&stream, Z_FINISH) == Z_STREAM_END;
    char *fitting = done ? realloc(reply->gzip, stream.total_out) : NULL;
    if (fitting) {
        reply->gzip = fitting;
        reply->gzip_size = stream.total_out;
    } else {
        free(reply->gzip);
        reply->gzip = NULL;
    }
    deflateEnd(&stream);
}

int reply_init(struct reply *reply, char *text, size_t size)
{
    *reply = (struct reply){.text = text, .size = size};
    if (!text)
        return -ENOMEM;
    uint64_t hash = hash_bytes(HASH_BEGIN, text, size);
    snprintf(reply->tag, sizeof reply->tag, "\"%016llx-%zx\"", (unsigned long long)hash, size);
    snprintf(reply->gzip_tag, sizeof reply->gzip_tag, "\"%016llx-%zx-z\"", (unsigned long long)hash,
             size);
    compress_text(reply);
    return 0;
}

void reply_release(struct reply *reply)
{
    free(reply->text);
    free(reply->gzip);
    *reply = (struct reply){0};
}

bool reply_matches(const struct reply *reply, const char *if_none_match)
{
    if (!if_none_match)
        return false;
    if (strcmp(if_none_match, "*") == 0)
        return true;
    /* The quotes are part of a tag, so none is found within another; W/ before it means nothing
     * here (RFC 9110, 13.1.2). */
    return strstr(if_none_match, reply->tag) || strstr(if_none_match, reply->gzip_tag);
}

/* Whether what follows a coding's name, up to its comma, is q=0. */
static bool is_refused(const char *parameters, const char *end)
{
    const char *at = parameters;

    while (at < end && (*at == ' ' || *at == '\t' || *at == ';'))
        at++;
    if (end - at < 3 || (*at != 'q' && *at != 'Q') || at[1] != '=' || at[2] != '0')
        return false;
    for (at += 3; at < end; at++)
        if (*at >= '1' && *at <= '9')
            return false;
    return true;
}

bool reply_accepts_gzip(const char *accept_encoding)
{
    int any = -1; /* what `*` says, if it is there */

    for (const char *at = accept_encoding; at && *at; at += *at == ',') {
        at += strspn(at, " \t");
        size_t length = strcspn(at, " \t;,");
        const char *end = at + strcspn(at, ",");
        bool taken = !is_refused(at + length, end);
        if ((length == 4 && strncasecmp(at, "gzip", 4) == 0) ||
            (length == 6 && strncasecmp(at, "x-gzip", 6) == 0))
            return taken;
        if (length == 1 && *at == '*')
            any = taken;
        at = end;
    }
    return any == 1;
}
