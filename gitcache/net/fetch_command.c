#include "gitcache/net/fetch_command.h"

#include <errno.h>
#include <string.h>

/* More than any server says beside its pack: a server that talks for ever is left. */
#define MAX_OTHER_BYTES (UINT64_C(16) << 20)

void fetch_command_build(struct pktline_buffer *out, const struct capabilities *capabilities,
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

void fetch_command_init(struct fetch_command *fetch, const char *who, uint64_t max_pack,
                        fetch_command_sink sink, void *sink_data, const struct watch *watch)
{
    memset(fetch, 0, sizeof *fetch);
    pktline_reader_init(&fetch->reader, who);
    fetch->max_pack = max_pack;
    fetch->sink = sink;
    fetch->sink_data = sink_data;
    fetch->watch = watch;
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

static int take_pack(struct fetch_command *fetch, const char *bytes, size_t length, struct error *e)
{
    int r;

    if (length == 0) /* a keep-alive while the server counts objects */
        return 0;
    fetch->pack_bytes += length;
    if (fetch->pack_bytes > fetch->max_pack)
        return error_set(e, EIO, "%s: the pack has more than %llu bytes, which is refused",
                         fetch->reader.who, (unsigned long long)fetch->max_pack);
    if (e)
        e->errnum = 0;
    r = fetch->sink(fetch->sink_data, bytes, length);
    if (r == 0)
        report(fetch, NULL);
    else if (!(e && e->errnum == -r))
        error_set(e, -r, "%s: the pack that arrives cannot be stored: %s", fetch->reader.who,
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

static int take_flush(struct fetch_command *fetch, struct error *e)
{
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
    if (fetch->section == FETCH_SECTION || fetch->section == FETCH_PACK)
        return unexpected(fetch, "a delimiter within a section", 28, e);
    fetch->section = FETCH_SECTION;
    return 0;
}

static int feed(void *parser, const char *bytes, size_t size, struct error *e)
{
    struct fetch_command *fetch = parser;

    return pktline_reader_feed(&fetch->reader, bytes, size, take_packet, fetch, e);
}

static bool is_whole(const void *parser)
{
    const struct fetch_command *fetch = parser;

    return fetch->section == FETCH_WHOLE && pktline_reader_is_between(&fetch->reader);
}

struct answer fetch_command_answer(struct fetch_command *fetch)
{
    return (struct answer){feed, is_whole, fetch};
}
