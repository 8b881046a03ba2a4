#include "gitcache/net/fetch_command.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* More than any server says beside its pack: a server that talks for ever is left. */
#define MAX_OTHER_BYTES (UINT64_C(16) << 20)

/* Bytes: no object in a pack is smaller. One byte of header, eight of an empty zlib stream. */
#define LEAST_OBJECT 9

static void build_version_2(struct pktline_buffer *out, const struct capabilities *capabilities,
                            const struct fetch_command_request *request)
{
    char hex[OID_HEX_SIZE];

    pktline_add(out, "command=fetch");
    capabilities_add_agent(out, capabilities);
    pktline_add_delim(out);
    for (size_t i = 0; i < request->count; i++)
        pktline_add(out, "want %s", oid_format(&request->wants[i], hex));
    if (request->depth && (!capabilities->known || capabilities->shallow))
        pktline_add(out, "deepen %u", request->depth);
    if (request->commits_only && capabilities->known && capabilities->filter)
        pktline_add(out, "filter tree:0");
    if (!request->lines)
        pktline_add(out, "no-progress");
    pktline_add(out, "ofs-delta");
    pktline_add(out, "done");
    pktline_add_flush(out);
}

/* The words behind the first want: of what the server offers, what helps. */
static void add_words(char out[200], const struct capabilities *can,
                      const struct fetch_command_request *request)
{
    const struct {
        bool wanted;
        const char *word;
    } words[] = {
        {can->multi_ack_detailed, " multi_ack_detailed"},
        {can->multi_ack && !can->multi_ack_detailed, " multi_ack"},
        {can->side_band_64k, " side-band-64k"},
        {can->side_band && !can->side_band_64k, " side-band"},
        {can->ofs_delta, " ofs-delta"},
        /* Dulwich insists on it; without a `have` no pack can be thin. */
        {can->thin_pack, " thin-pack"},
        {can->no_progress && !request->lines, " no-progress"},
        {can->shallow && request->depth, " shallow"},
        {can->filter && request->commits_only, " filter"},
        {can->agent, " " CAPABILITIES_AGENT},
    };

    *out = '\0';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].wanted)
            strcat(out, words[i].word);
}

static void build_version_0(struct pktline_buffer *out, const struct capabilities *capabilities,
                            const struct fetch_command_request *request)
{
    char hex[OID_HEX_SIZE], words[200];

    add_words(words, capabilities, request);
    for (size_t i = 0; i < request->count; i++)
        pktline_add(out, "want %s%s", oid_format(&request->wants[i], hex), i == 0 ? words : "");
    if (request->depth && capabilities->shallow)
        pktline_add(out, "deepen %u", request->depth);
    if (request->commits_only && capabilities->filter)
        pktline_add(out, "filter tree:0");
    pktline_add_flush(out);
    pktline_add(out, "done");
}

void fetch_command_build(struct pktline_buffer *out, const struct capabilities *capabilities,
                         const struct fetch_command_request *request)
{
    if (capabilities->version_0)
        build_version_0(out, capabilities, request);
    else
        build_version_2(out, capabilities, request);
}

void fetch_command_init(struct fetch_command *fetch, const char *who, uint64_t max_pack,
                        fetch_command_sink sink, void *sink_data, const struct watch *watch)
{
    memset(fetch, 0, sizeof *fetch);
    pktline_reader_init(&fetch->reader, who);
    fetch->max_pack = max_pack;
    fetch->side_band = true;
    fetch->too_large = EIO;
    fetch->sink = sink;
    fetch->sink_data = sink_data;
    fetch->watch = watch;
}

void fetch_command_expect(struct fetch_command *fetch, const struct capabilities *capabilities,
                          const struct fetch_command_request *request)
{
    const char *who = fetch->reader.who;

    pktline_reader_release(&fetch->reader);
    pktline_reader_init(&fetch->reader, who);
    fetch->side_band =
        !capabilities->version_0 || capabilities->side_band || capabilities->side_band_64k;
    if (!capabilities->version_0)
        fetch->section = FETCH_SECTION;
    else if (request->depth && capabilities->shallow)
        fetch->section = FETCH_V0_SHALLOW;
    else
        fetch->section = FETCH_V0_ACKNOWLEDGMENT;
}

void fetch_command_release(struct fetch_command *fetch)
{
    pktline_reader_release(&fetch->reader);
}

static void report(struct fetch_command *fetch, const char *line)
{
    if (fetch->watch && fetch->watch->progress)
        fetch->watch->progress(fetch->watch->data, fetch->pack_bytes, line);
}

static int unexpected(const struct fetch_command *fetch, const char *text, size_t length,
                      struct error *e)
{
    length = pktline_text_length(text, length);
    return error_set(e, EIO, "%s: the answer to the fetch is not git's protocol: \"%.*s\"",
                     fetch->reader.who, (int)(length < 100 ? length : 100), text);
}

/* The first twelve bytes: "PACK", its version, how many objects there are. The count is the
 * server's word, and the indexer would make room for all of them. */
static int take_head(struct fetch_command *fetch, const char *bytes, size_t length, struct error *e)
{
    size_t have = (size_t)fetch->pack_bytes, missing = sizeof fetch->head - have;
    uint32_t objects;

    memcpy(fetch->head + have, bytes, length < missing ? length : missing);
    if (length < missing)
        return 0;
    memcpy(&objects, fetch->head + 8, sizeof objects);
    objects = ntohl(objects);
    if (memcmp(fetch->head, "PACK", 4) == 0 && objects > fetch->max_pack / LEAST_OBJECT)
        return error_set(e, fetch->too_large,
                         "%s: the pack claims to have %u objects, which is refused",
                         fetch->reader.who, objects);
    return 0;
}

static int take_pack(struct fetch_command *fetch, const char *bytes, size_t length, struct error *e)
{
    int r = 0;

    if (length == 0) /* a keep-alive while the server counts objects */
        return 0;
    if (fetch->pack_bytes < sizeof fetch->head)
        r = take_head(fetch, bytes, length, e);
    if (r < 0)
        return r;
    fetch->pack_bytes += length;
    if (fetch->pack_bytes > fetch->max_pack)
        return error_set(e, fetch->too_large,
                         "%s: the pack has more than %llu bytes, which is refused",
                         fetch->reader.who, (unsigned long long)fetch->max_pack);
    if (e)
        e->errnum = 0;
    r = fetch->sink(fetch->sink_data, bytes, length);
    if (r == 0)
        report(fetch, NULL);
    else if (!(e && e->errnum == -r))
        error_set(e, -r, "%s: the arriving pack cannot be stored: %s", fetch->reader.who,
                  strerror(-r));
    return r;
}

/* Progress comes in pieces; a line ends with a carriage return or a newline. */
static void take_progress(struct fetch_command *fetch, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\r' || c == '\n') {
            fetch->line[fetch->line_length] = '\0';
            if (strncmp(fetch->line, "fatal: ", 7) == 0)
                strcpy(fetch->fatal, fetch->line + 7);
            if (fetch->line_length)
                report(fetch, fetch->line);
            fetch->line_length = 0;
        } else if (fetch->line_length + 1 < sizeof fetch->line) {
            fetch->line[fetch->line_length++] = c < ' ' || c == 0x7f ? '?' : (char)c;
        }
    }
}

static int gave_up(const struct fetch_command *fetch, const char *text, size_t length,
                   struct error *e)
{
    const char *who = fetch->reader.who, *fatal = fetch->fatal;

    length = pktline_text_length(text, length);
    if (length > 400)
        length = 400;
    if (strstr(fatal, "promisor remote"))
        return error_set(e, EIO,
                         "%s: a partial clone that lacks an object of what is asked for (%s); name "
                         "the repository that it was cloned from",
                         who, fatal);
    return error_set(e, EIO, "%s: the server gave up: %.*s%s%s%s", who, (int)length, text,
                     *fatal ? " (" : "", fatal, *fatal ? ")" : "");
}

static int take_sideband(struct fetch_command *fetch, const char *bytes, size_t length,
                         struct error *e)
{
    if (length == 0)
        return unexpected(fetch, "an empty packet within the pack", 31, e);
    switch (*bytes) {
    case 1:
        return take_pack(fetch, bytes + 1, length - 1, e);
    case 2:
        take_progress(fetch, bytes + 1, length - 1);
        return 0;
    case 3:
        return gave_up(fetch, bytes + 1, length - 1, e);
    }
    return unexpected(fetch, "an unknown sideband", 19, e);
}

static int take_section(struct fetch_command *fetch, const char *text, size_t length,
                        struct error *e)
{
    if (pktline_is(text, length, "packfile"))
        fetch->section = FETCH_PACK;
    else if (pktline_is(text, length, "shallow-info"))
        fetch->section = FETCH_SHALLOW_INFO;
    else if (pktline_is(text, length, "acknowledgments"))
        fetch->section = FETCH_ACKNOWLEDGMENTS;
    else if (pktline_is(text, length, "wanted-refs"))
        fetch->section = FETCH_WANTED_REFS;
    else /* packfile-uris among them: nobody asked for it */
        return unexpected(fetch, text, length, e);
    return 0;
}

/* Nothing that these sections say is needed, since there were no haves; they only have to be well
 * formed. */
static int take_section_line(struct fetch_command *fetch, const char *text, size_t length,
                             struct error *e)
{
    struct oid oid;
    size_t prefix = 0;

    length = pktline_text_length(text, length);
    switch (fetch->section) {
    case FETCH_ACKNOWLEDGMENTS:
        if (pktline_is(text, length, "NAK") || pktline_is(text, length, "ready"))
            return 0;
        prefix = pktline_starts_with(text, length, "ACK ") ? 4 : 0;
        break;
    case FETCH_SHALLOW_INFO:
        prefix = pktline_starts_with(text, length, "shallow ") ? 8 : 0;
        break;
    default:
        break;
    }
    if (prefix && length == prefix + OID_HEX && oid_parse(&oid, text + prefix, OID_HEX))
        return 0;
    return unexpected(fetch, text, length, e);
}

/* Version 0 has no sections: what is shallow (if that was asked for) and a flush, then NAK, then
 * the pack. */
static int take_v0_line(struct fetch_command *fetch, const char *text, size_t length,
                        struct error *e)
{
    if (fetch->section == FETCH_V0_SHALLOW && pktline_starts_with(text, length, "shallow "))
        return 0;
    if (!pktline_is(text, length, "NAK") && !pktline_starts_with(text, length, "ACK "))
        return unexpected(fetch, text, length, e);
    fetch->section = fetch->side_band ? FETCH_PACK : FETCH_V0_RAW;
    return fetch->section == FETCH_V0_RAW ? PKTLINE_STOP : 0;
}

static int take_flush(struct fetch_command *fetch, struct error *e)
{
    if (fetch->section == FETCH_V0_SHALLOW) {
        fetch->section = FETCH_V0_ACKNOWLEDGMENT;
        return 0;
    }
    if (fetch->section != FETCH_PACK || fetch->pack_bytes == 0)
        return error_set(e, EIO, "%s: the server ended its answer without a pack",
                         fetch->reader.who);
    fetch->section = FETCH_WHOLE;
    return 0;
}

static int take_data(struct fetch_command *fetch, const char *bytes, size_t length, struct error *e)
{
    if (fetch->section == FETCH_PACK)
        return take_sideband(fetch, bytes, length, e);
    if (pktline_starts_with(bytes, length, "ERR "))
        return answer_refused(e, fetch->reader.who, bytes, length);
    if (fetch->section == FETCH_V0_SHALLOW || fetch->section == FETCH_V0_ACKNOWLEDGMENT)
        return take_v0_line(fetch, bytes, length, e);
    if (fetch->section == FETCH_SECTION)
        return take_section(fetch, bytes, length, e);
    return take_section_line(fetch, bytes, length, e);
}

static int take_packet(void *data, enum pktline_type type, const char *bytes, size_t length,
                       struct error *e)
{
    struct fetch_command *fetch = data;

    bool is_pack = fetch->section == FETCH_PACK && length > 1 && *bytes == 1;

    if (fetch->section == FETCH_WHOLE)
        return error_set(e, EIO, "%s: the server went on after the end of the pack",
                         fetch->reader.who);
    fetch->other_bytes += is_pack ? 0 : length + 4;
    if (fetch->other_bytes > MAX_OTHER_BYTES)
        return error_set(e, EIO, "%s: the server sends endless messages beside its pack",
                         fetch->reader.who);
    if (type == PKTLINE_DATA)
        return take_data(fetch, bytes, length, e);
    if (type == PKTLINE_FLUSH)
        return take_flush(fetch, e);
    if (fetch->section != FETCH_ACKNOWLEDGMENTS && fetch->section != FETCH_SHALLOW_INFO &&
        fetch->section != FETCH_WANTED_REFS)
        return unexpected(fetch, "a delimiter within a section", 28, e);
    fetch->section = FETCH_SECTION;
    return 0;
}

static int feed(void *parser, const char *bytes, size_t size, struct error *e)
{
    struct fetch_command *fetch = parser;
    int r = 0;

    if (fetch->section != FETCH_V0_RAW)
        r = pktline_reader_feed(&fetch->reader, bytes, size, take_packet, fetch, e);
    else
        return take_pack(fetch, bytes, size, e);
    if (r != PKTLINE_STOP)
        return r;
    return take_pack(fetch, bytes + size - fetch->reader.left, fetch->reader.left, e);
}

static bool is_whole(const void *parser)
{
    const struct fetch_command *fetch = parser;

    return fetch->section == FETCH_WHOLE && pktline_reader_is_between(&fetch->reader);
}

/* A packet may have 64 KiB, for which a slow server takes its time: what has come of it counts. */
static uint64_t useful(const void *parser)
{
    const struct fetch_command *fetch = parser;
    const char *begun;
    size_t size = pktline_reader_begun(&fetch->reader, &begun);
    bool is_pack = fetch->section == FETCH_PACK && size > 0 && begun[0] == '\1';

    return fetch->pack_bytes + (is_pack ? size - 1 : 0);
}

/* Without side bands nothing but its end says that the pack has ended. */
static bool may_end(const void *parser)
{
    const struct fetch_command *fetch = parser;

    return fetch->section == FETCH_V0_RAW && fetch->pack_bytes > 0;
}

struct answer fetch_command_answer(struct fetch_command *fetch)
{
    return (struct answer){
        .feed = feed, .is_whole = is_whole, .parser = fetch, .useful = useful, .may_end = may_end};
}
