#include "gitcache/net/lsrefs_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/refname.h"
#include "gitcache/base/source.h"
#include "gitcache/base/starts_with.h"

void lsrefs_command_build(struct pktline_buffer *out, const struct capabilities *capabilities,
                          const struct lsrefs_command_branches *branches)
{
    pktline_add(out, "command=ls-refs");
    capabilities_add_agent(out, capabilities);
    pktline_add_delim(out);
    pktline_add(out, "peel");
    pktline_add(out, "symrefs");
    pktline_add(out, "ref-prefix HEAD");
    pktline_add(out, "ref-prefix refs/tags/");
    pktline_add(out, "ref-prefix refs/heads/master");
    pktline_add(out, "ref-prefix refs/heads/main");
    for (size_t i = 0; i < branches->count; i++)
        if (refname_is_valid(branches->names[i], strlen(branches->names[i])))
            pktline_add(out, "ref-prefix refs/heads/%s", branches->names[i]);
    pktline_add_flush(out);
}

void lsrefs_command_init(struct lsrefs_command *lsrefs, const char *who,
                         const struct lsrefs_command_branches *branches, uint64_t max_bytes,
                         const struct watch *watch)
{
    memset(lsrefs, 0, sizeof *lsrefs);
    pktline_reader_init(&lsrefs->reader, who);
    lsrefs->branches = branches;
    lsrefs->max_bytes = max_bytes;
    lsrefs->watch = watch;
}

void lsrefs_command_reset(struct lsrefs_command *lsrefs)
{
    const char *who = lsrefs->reader.who;

    lsrefs_command_release(lsrefs);
    pktline_reader_init(&lsrefs->reader, who);
    lsrefs->bytes = 0;
    lsrefs->whole = false;
    *lsrefs->head = '\0';
}

void lsrefs_command_release(struct lsrefs_command *lsrefs)
{
    pktline_reader_release(&lsrefs->reader);
    listing_release(&lsrefs->listing);
}

/* A server may send more than was asked for: a prefix fits longer names, and some ignore it. */
static bool is_asked_for(const struct lsrefs_command *lsrefs, const char *name)
{
    if (strcmp(name, "HEAD") == 0 || starts_with(name, "refs/tags/"))
        return true;
    if (!starts_with(name, "refs/heads/"))
        return false;
    name += strlen("refs/heads/");
    if (strcmp(name, "master") == 0 || strcmp(name, "main") == 0)
        return true;
    for (size_t i = 0; i < lsrefs->branches->count; i++)
        if (strcmp(name, lsrefs->branches->names[i]) == 0)
            return true;
    return false;
}

/* HEAD names a branch: that is what a source without a tag means, so it is listed under its own
 * name too. */
static int take_head_target(struct lsrefs_command *lsrefs, const char *branch,
                            const struct oid *oid)
{
    size_t below = strlen("refs/heads/");

    if (strncmp(branch, "refs/heads/", below) != 0 ||
        !refname_is_valid(branch + below, strlen(branch + below)) || lsrefs->listing.head)
        return 0;
    lsrefs->listing.head = strdup(branch);
    return lsrefs->listing.head ? listing_add(&lsrefs->listing, branch, oid, oid) : -ENOMEM;
}

static int bad_line(const struct lsrefs_command *lsrefs, const char *line, struct error *e)
{
    return error_set(e, EIO, "%s: not a ref: \"%.100s\"", lsrefs->reader.who, line);
}

static int out_of_memory(const struct lsrefs_command *lsrefs, struct error *e)
{
    return error_set(e, ENOMEM, "%s: out of memory for the listing", lsrefs->reader.who);
}

/* ID SP NAME *(SP ATTRIBUTE), terminated; attributes of no use here are skipped. */
static int take_ref(struct lsrefs_command *lsrefs, char *line, struct error *e)
{
    struct oid oid, peeled;
    char *name = line + OID_HEX + 1, *rest, *attribute;

    if (!oid_parse(&oid, line, strlen(line)) || line[OID_HEX] != ' ' || *name == ' ' || !*name)
        return bad_line(lsrefs, line, e);
    peeled = oid;
    rest = strchr(name, ' ');
    if (rest)
        *rest++ = '\0';
    while ((attribute = strsep(&rest, " "))) {
        const char *value = strchr(attribute, ':');
        if (strncmp(attribute, "peeled:", 7) == 0) {
            if (strlen(++value) != OID_HEX || !oid_parse(&peeled, value, OID_HEX))
                return bad_line(lsrefs, attribute, e);
        } else if (strncmp(attribute, "symref-target:", 14) == 0 && strcmp(name, "HEAD") == 0) {
            if (take_head_target(lsrefs, value + 1, &oid) < 0)
                return out_of_memory(lsrefs, e);
        }
    }
    if (is_asked_for(lsrefs, name) && listing_add(&lsrefs->listing, name, &oid, &peeled) < 0)
        return out_of_memory(lsrefs, e);
    return 0;
}

static int take_line(struct lsrefs_command *lsrefs, const char *bytes, size_t length,
                     struct error *e)
{
    char *line;
    int r;

    length = pktline_text_length(bytes, length);
    if (pktline_starts_with(bytes, length, "ERR "))
        return answer_refused(e, lsrefs->reader.who, bytes, length);
    if (pktline_starts_with(bytes, length, "unborn "))
        return 0;
    if (memchr(bytes, '\0', length))
        return bad_line(lsrefs, "a line with a NUL", e);
    line = strndup(bytes, length);
    if (!line)
        return out_of_memory(lsrefs, e);
    r = take_ref(lsrefs, line, e);
    free(line);
    return r;
}

void lsrefs_command_note_head(struct lsrefs_command *lsrefs, const char *branch, size_t length)
{
    if (length < sizeof lsrefs->head && !memchr(branch, '\0', length)) {
        memcpy(lsrefs->head, branch, length);
        lsrefs->head[length] = '\0';
    }
}

/* The commit behind the tag that came in the line before, if that was kept. */
static void take_peeled(struct lsrefs_command *lsrefs, const char *name, const struct oid *oid)
{
    struct listing *listing = &lsrefs->listing;
    struct ref *last = listing->count ? &listing->refs[listing->count - 1] : NULL;

    if (last && strcmp(last->name, name) == 0)
        last->peeled = *oid;
}

static int take_advertised(struct lsrefs_command *lsrefs, char *line, struct error *e)
{
    char *name = line + OID_HEX + 1, *suffix;
    struct oid oid;

    if (!oid_parse(&oid, line, strlen(line)) || line[OID_HEX] != ' ' || !*name)
        return bad_line(lsrefs, line, e);
    suffix = name + strlen(name) - 3;
    if (suffix > name && strcmp(suffix, "^{}") == 0) {
        *suffix = '\0';
        take_peeled(lsrefs, name, &oid);
        return 0;
    }
    if (strcmp(name, "HEAD") == 0 && *lsrefs->head &&
        take_head_target(lsrefs, lsrefs->head, &oid) < 0)
        return out_of_memory(lsrefs, e);
    if (is_asked_for(lsrefs, name) && listing_add(&lsrefs->listing, name, &oid, &oid) < 0)
        return out_of_memory(lsrefs, e);
    return 0;
}

int lsrefs_command_take_advertised(struct lsrefs_command *lsrefs, const char *bytes, size_t length,
                                   struct error *e)
{
    char *line;
    int r;

    lsrefs->bytes += length;
    if (lsrefs->watch && lsrefs->watch->progress)
        lsrefs->watch->progress(lsrefs->watch->data, lsrefs->bytes, NULL);
    if (memchr(bytes, '\0', length))
        return bad_line(lsrefs, "a line with a NUL", e);
    line = strndup(bytes, length);
    if (!line)
        return out_of_memory(lsrefs, e);
    r = take_advertised(lsrefs, line, e);
    free(line);
    return r;
}

void lsrefs_command_finish(struct lsrefs_command *lsrefs)
{
    lsrefs->whole = true;
    listing_finish(&lsrefs->listing);
}

static int take_packet(void *data, enum pktline_type type, const char *bytes, size_t length,
                       struct error *e)
{
    struct lsrefs_command *lsrefs = data;

    if (!lsrefs->whole && type == PKTLINE_DATA)
        return take_line(lsrefs, bytes, length, e);
    if (lsrefs->whole || type != PKTLINE_FLUSH)
        return error_set(e, EIO, "%s: the server sent something else between or after its refs",
                         lsrefs->reader.who);
    lsrefs_command_finish(lsrefs);
    return 0;
}

static int feed(void *parser, const char *bytes, size_t size, struct error *e)
{
    struct lsrefs_command *lsrefs = parser;

    lsrefs->bytes += size;
    if (lsrefs->bytes > lsrefs->max_bytes)
        return error_set(e, EIO, "%s: the listing has more than %llu bytes, which is refused",
                         lsrefs->reader.who, (unsigned long long)lsrefs->max_bytes);
    if (lsrefs->watch && lsrefs->watch->progress)
        lsrefs->watch->progress(lsrefs->watch->data, lsrefs->bytes, NULL);
    return pktline_reader_feed(&lsrefs->reader, bytes, size, take_packet, lsrefs, e);
}

static bool is_whole(const void *parser)
{
    const struct lsrefs_command *lsrefs = parser;

    return lsrefs->whole && pktline_reader_is_between(&lsrefs->reader);
}

static uint64_t useful(const void *parser)
{
    return ((const struct lsrefs_command *)parser)->bytes;
}

struct answer lsrefs_command_answer(struct lsrefs_command *lsrefs)
{
    return (struct answer){.feed = feed, .is_whole = is_whole, .parser = lsrefs, .useful = useful};
}
