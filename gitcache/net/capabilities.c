#include "gitcache/net/capabilities.h"

#include <errno.h>
#include <string.h>

/* Far more than any server says; git's own advertisement has some 150 bytes. */
#define MAX_ADVERTISEMENT 65536

void capabilities_add_agent(struct pktline_buffer *out, const struct capabilities *capabilities)
{
    if (!capabilities->known || capabilities->agent)
        pktline_add(out, "agent=startpointfs/%s", VERSION);
}

void advertisement_init(struct advertisement *advertisement, const char *who, const char *hint)
{
    memset(advertisement, 0, sizeof *advertisement);
    pktline_reader_init(&advertisement->reader, who);
    advertisement->hint = hint;
}

void advertisement_release(struct advertisement *advertisement)
{
    pktline_reader_release(&advertisement->reader);
}

static int not_version_2(const struct advertisement *a, struct error *e)
{
    return error_set(e, EIO, "%s: the server does not speak git protocol version 2; %s",
                     a->reader.who, a->hint);
}

/* True if the space-separated features contain this one. */
static bool has_feature(const char *features, size_t length, const char *feature)
{
    size_t n = strlen(feature);

    for (size_t i = 0; i + n <= length; i++)
        if (memcmp(features + i, feature, n) == 0 && (i == 0 || features[i - 1] == ' ') &&
            (i + n == length || features[i + n] == ' '))
            return true;
    return false;
}

static void note_capability(struct advertisement *a, const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    size_t key = equals ? (size_t)(equals - text) : length;
    const char *value = equals ? equals + 1 : text + length;
    size_t value_length = (size_t)(text + length - value);

    if (pktline_is(text, key, "agent")) {
        a->found.agent = true;
    } else if (pktline_is(text, key, "ls-refs")) {
        a->found.ls_refs = true;
    } else if (pktline_is(text, key, "fetch")) {
        a->found.fetch = true;
        a->found.shallow = has_feature(value, value_length, "shallow");
        a->found.filter = has_feature(value, value_length, "filter");
    } else if (pktline_is(text, key, "object-format")) {
        a->other_format = !pktline_is(value, value_length, "sha1");
    }
}

static int finish(struct advertisement *a, struct error *e)
{
    a->state = ADVERT_WHOLE;
    if (a->other_format)
        return error_set(e, EIO, "%s: a SHA-256 repository; only SHA-1 repositories can be mounted",
                         a->reader.who);
    if (!a->found.ls_refs || !a->found.fetch)
        return error_set(e, EIO, "%s: the server offers no listing or no fetch to this client",
                         a->reader.who);
    a->found.known = true;
    return 0;
}

static int take_first(struct advertisement *a, enum pktline_type type, const char *text,
                      size_t length, struct error *e)
{
    /* git-http-backend says "# service=git-upload-pack" and a flush before version 0, others before
     * version 2 as well. */
    if (a->state == ADVERT_PRELUDE) {
        a->state = ADVERT_START;
        return type == PKTLINE_FLUSH ? 0 : not_version_2(a, e);
    }
    if (type == PKTLINE_DATA && pktline_starts_with(text, length, "# service=")) {
        a->state = ADVERT_PRELUDE;
        return 0;
    }
    if (type != PKTLINE_DATA || !pktline_is(text, length, "version 2"))
        return not_version_2(a, e);
    a->state = ADVERT_CAPABILITIES;
    return 0;
}

static int take_packet(void *data, enum pktline_type type, const char *text, size_t length,
                       struct error *e)
{
    struct advertisement *a = data;

    if (type == PKTLINE_DATA && pktline_starts_with(text, length, "ERR "))
        return answer_refused(e, a->reader.who, text, length);
    switch (a->state) {
    case ADVERT_START:
    case ADVERT_PRELUDE:
        return take_first(a, type, text, length, e);
    case ADVERT_CAPABILITIES:
        if (type == PKTLINE_FLUSH)
            return finish(a, e);
        if (type == PKTLINE_DATA)
            note_capability(a, text, pktline_text_length(text, length));
        return 0;
    case ADVERT_WHOLE:
        break;
    }
    return error_set(e, EIO, "%s: the server went on after the end of its capabilities",
                     a->reader.who);
}

static int feed(void *parser, const char *bytes, size_t size, struct error *e)
{
    struct advertisement *a = parser;

    a->bytes += size;
    if (a->bytes > MAX_ADVERTISEMENT && a->state != ADVERT_WHOLE)
        return error_set(e, EIO, "%s: the server's capabilities never end", a->reader.who);
    return pktline_reader_feed(&a->reader, bytes, size, take_packet, a, e);
}

static bool is_whole(const void *parser)
{
    const struct advertisement *a = parser;

    return a->state == ADVERT_WHOLE && pktline_reader_is_between(&a->reader);
}

struct answer advertisement_answer(struct advertisement *advertisement)
{
    return (struct answer){feed, is_whole, advertisement};
}
