#include "gitcache/net/advertisement.h"

#include <errno.h>
#include <string.h>

/* Far more than any server says of itself; git's own words have some 150 bytes. */
#define MAX_CAPABILITIES 65536

void advertisement_init(struct advertisement *advertisement, const char *who,
                        struct lsrefs_command *refs, uint64_t max_refs)
{
    memset(advertisement, 0, sizeof *advertisement);
    pktline_reader_init(&advertisement->reader, who);
    advertisement->refs = refs;
    advertisement->max_refs = max_refs;
}

void advertisement_release(struct advertisement *advertisement)
{
    pktline_reader_release(&advertisement->reader);
}

static int finish(struct advertisement *a, struct error *e)
{
    const char *who = a->reader.who;

    a->state = ADVERTISEMENT_WHOLE;
    if (a->found.other_format)
        return error_set(e, EIO,
                         "%s: a SHA-256 repository, which is not supported yet: only repositories "
                         "whose ids have 40 digits (SHA-1) can be mounted",
                         who);
    if (!a->found.version_0 && (!a->found.ls_refs || !a->found.fetch))
        return error_set(e, EIO, "%s: the server offers no listing or no fetch to this client",
                         who);
    a->found.known = true;
    if (a->found.version_0 && a->refs)
        lsrefs_command_finish(a->refs);
    return 0;
}

/* Where HEAD leads to: one of the words is "symref=HEAD:refs/heads/main". */
static void note_head(struct advertisement *a, const char *words, size_t length)
{
    static const char key[] = "symref=HEAD:";
    const char *found = length ? memmem(words, length, key, strlen(key)) : NULL;
    const char *end = words + length, *space;

    if (!found || !a->refs)
        return;
    found += strlen(key);
    space = memchr(found, ' ', (size_t)(end - found));
    lsrefs_command_note_head(a->refs, found, (size_t)((space ? space : end) - found));
}

/* ID SP NAME NUL WORDS: the first line of version 0 also says what the server can do. */
static int take_first_ref(struct advertisement *a, const char *line, size_t length, struct error *e)
{
    const char *nul = memchr(line, '\0', length);
    size_t ref = nul ? (size_t)(nul - line) : length;

    a->state = ADVERTISEMENT_REFS;
    if (nul) {
        capabilities_note_all(&a->found, nul + 1, length - ref - 1);
        note_head(a, nul + 1, length - ref - 1);
    }
    if (a->found.other_format) /* its ids are longer */
        return finish(a, e);
    if (a->refs && !(ref > 14 && memcmp(line + ref - 14, "capabilities^{}", 14) == 0))
        return lsrefs_command_take_advertised(a->refs, line, ref, e);
    return 0;
}

static int take_ref(struct advertisement *a, enum pktline_type type, const char *line,
                    size_t length, struct error *e)
{
    if (type == PKTLINE_FLUSH)
        return finish(a, e);
    if (type != PKTLINE_DATA)
        return error_set(e, EIO, "%s: the server sent something else between its refs",
                         a->reader.who);
    length = pktline_text_length(line, length);
    if (a->state == ADVERTISEMENT_FIRST_REF)
        return take_first_ref(a, line, length, e);
    /* A shallow repository says where its history ends. */
    if (!a->refs || pktline_starts_with(line, length, "shallow "))
        return 0;
    return lsrefs_command_take_advertised(a->refs, line, length, e);
}

/* 40 digits or more, and a space. */
static bool is_ref(const char *line, size_t length)
{
    size_t digits = 0;

    while (digits < length && strchr("0123456789abcdef", line[digits]) && line[digits])
        digits++;
    return digits >= OID_HEX && digits < length && line[digits] == ' ';
}

static int take_first(struct advertisement *a, enum pktline_type type, const char *text,
                      size_t length, struct error *e)
{
    /* git-http-backend says "# service=git-upload-pack" and a flush before version 0, others before
     * version 2 as well. */
    if (a->state == ADVERTISEMENT_PRELUDE && type == PKTLINE_FLUSH) {
        a->state = ADVERTISEMENT_START;
        return 0;
    }
    if (type == PKTLINE_DATA && pktline_starts_with(text, length, "# service=")) {
        a->state = ADVERTISEMENT_PRELUDE;
        return 0;
    }
    if (type == PKTLINE_DATA && pktline_is(text, length, "version 2")) {
        a->state = ADVERTISEMENT_CAPABILITIES;
        return 0;
    }
    a->found.version_0 = true;
    a->state = ADVERTISEMENT_FIRST_REF;
    if (type == PKTLINE_DATA && pktline_is(text, length, "version 1"))
        return 0;
    if (type == PKTLINE_FLUSH || (type == PKTLINE_DATA && is_ref(text, length)))
        return take_ref(a, type, text, length, e);
    length = type == PKTLINE_DATA ? pktline_text_length(text, length) : 0;
    return error_set(
        e, EIO, "%s: the server's answer does not begin as git's protocol does, but with \"%.*s\"",
        a->reader.who, (int)(length < 100 ? length : 100), text ? text : "");
}

static int take_packet(void *data, enum pktline_type type, const char *text, size_t length,
                       struct error *e)
{
    struct advertisement *a = data;

    if (type == PKTLINE_DATA && pktline_starts_with(text, length, "ERR "))
        return answer_refused(e, a->reader.who, text, length);
    switch (a->state) {
    case ADVERTISEMENT_START:
    case ADVERTISEMENT_PRELUDE:
        return take_first(a, type, text, length, e);
    case ADVERTISEMENT_CAPABILITIES:
        if (type == PKTLINE_FLUSH)
            return finish(a, e);
        if (type == PKTLINE_DATA)
            capabilities_note(&a->found, text, pktline_text_length(text, length));
        return 0;
    case ADVERTISEMENT_FIRST_REF:
    case ADVERTISEMENT_REFS:
        return take_ref(a, type, text, length, e);
    case ADVERTISEMENT_WHOLE:
        break;
    }
    return error_set(e, EIO, "%s: the server went on after the end of its capabilities",
                     a->reader.who);
}

static int feed(void *parser, const char *bytes, size_t size, struct error *e)
{
    struct advertisement *a = parser;
    bool refs = a->state == ADVERTISEMENT_FIRST_REF || a->state == ADVERTISEMENT_REFS;

    a->bytes += size;
    if (refs && a->bytes > a->max_refs)
        return error_set(e, EIO, "%s: the listing has more than %llu bytes, which is refused",
                         a->reader.who, (unsigned long long)a->max_refs);
    if (!refs && a->bytes - size > MAX_CAPABILITIES && a->state != ADVERTISEMENT_WHOLE)
        return error_set(e, EIO, "%s: the server's capabilities never end", a->reader.who);
    return pktline_reader_feed(&a->reader, bytes, size, take_packet, a, e);
}

static bool is_whole(const void *parser)
{
    const struct advertisement *a = parser;

    return a->state == ADVERTISEMENT_WHOLE && pktline_reader_is_between(&a->reader);
}

static uint64_t useful(const void *parser)
{
    return ((const struct advertisement *)parser)->bytes;
}

struct answer advertisement_answer(struct advertisement *advertisement)
{
    return (struct answer){
        .feed = feed, .is_whole = is_whole, .parser = advertisement, .useful = useful};
}
