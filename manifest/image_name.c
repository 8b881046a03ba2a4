/* image_name.c - see image_name.h. */
#include "manifest/image_name.h"

#include <string.h>

#define DIGITS  "0123456789"
#define LOWER   "abcdefghijklmnopqrstuvwxyz"
#define LETTERS LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

#define TAG_MAX    128
#define DIGEST_MIN 32 /* hex digits */

struct name_part {
    const char *at, *end;
};

static size_t left(const struct name_part *text)
{
    return (size_t)(text->end - text->at);
}

static bool take(struct name_part *text, char c)
{
    if (text->at == text->end || *text->at != c)
        return false;
    text->at++;
    return true;
}

/* Takes all the characters that are in the set; how many. */
static size_t take_all(struct name_part *text, const char *set)
{
    const char *start = text->at;
    while (text->at < text->end && *text->at && strchr(set, *text->at))
        text->at++;
    return (size_t)(text->at - start);
}

/* Letters, digits and inner dashes, joined by dots. */
static bool is_host(struct name_part host)
{
    do {
        const char *start = host.at;
        size_t length = take_all(&host, LETTERS DIGITS "-");
        if (length == 0 || *start == '-' || host.at[-1] == '-')
            return false;
    } while (take(&host, '.'));
    return host.at == host.end;
}

/* What may join two words of a path: one dot, one or two underscores, any number of dashes. */
static bool take_separator(struct name_part *path)
{
    if (take(path, '.'))
        return true;
    if (take(path, '_')) {
        take(path, '_');
        return true;
    }
    return take_all(path, "-") > 0;
}

static bool is_path(struct name_part path)
{
    do {
        do {
            if (take_all(&path, LOWER DIGITS) == 0)
                return false;
        } while (take_separator(&path));
    } while (take(&path, '/'));
    return path.at == path.end;
}

static bool is_tag(struct name_part tag)
{
    if (left(&tag) == 0 || left(&tag) > TAG_MAX || *tag.at == '.' || *tag.at == '-')
        return false;
    take_all(&tag, LETTERS DIGITS "_.-");
    return tag.at == tag.end;
}

/* sha256:0123..., the algorithm's words begin with a letter and are joined by one of - _ + . */
static bool is_digest(struct name_part digest)
{
    do {
        if (take_all(&digest, DIGITS) > 0 || take_all(&digest, LETTERS DIGITS) == 0)
            return false;
    } while (take(&digest, '-') || take(&digest, '_') || take(&digest, '+') || take(&digest, '.'));
    return take(&digest, ':') && take_all(&digest, DIGITS "abcdefABCDEF") >= DIGEST_MIN &&
           digest.at == digest.end;
}

/* Cuts the text at the first `c`: returns what stands before it, leaves what follows. */
static struct name_part cut(struct name_part *text, char c, bool *found)
{
    struct name_part before = *text;
    const char *at = memchr(text->at, c, left(text));
    *found = at != NULL;
    before.end = text->at = at ? at : text->end;
    if (at)
        text->at++;
    return before;
}

static bool names_host(struct name_part first)
{
    return memchr(first.at, '.', left(&first)) || memchr(first.at, ':', left(&first)) ||
           (left(&first) == strlen("localhost") &&
            memcmp(first.at, "localhost", left(&first)) == 0);
}

static bool take_host(struct image_name *out, struct name_part *rest, const char **why)
{
    bool slash, colon;
    struct name_part after = *rest, first = cut(&after, '/', &slash);
    if (!slash || !names_host(first))
        return true; /* no host: the path begins here */
    struct name_part host = cut(&first, ':', &colon);
    *rest = after;
    if (!is_host(host)) {
        *why = "its host must be parts of letters, digits and inner dashes, joined by dots";
        return false;
    }
    struct name_part port = first;
    if (colon && (take_all(&first, DIGITS) == 0 || first.at != first.end)) {
        *why = "its port must be a number";
        return false;
    }
    out->host = host.at;
    out->host_length = left(&host);
    out->port = port.at;
    out->port_length = left(&port);
    return true;
}

bool image_name_parse(struct image_name *out, const char *text, const char **why)
{
    struct name_part rest = {text, text + strlen(text)};
    bool digest, tag;
    *out = (struct image_name){0};
    if (!take_host(out, &rest, why))
        return false;
    struct name_part before = cut(&rest, '@', &digest);
    struct name_part path = cut(&before, ':', &tag);
    if (!is_path(path)) {
        *why = "its path must be lower-case letters and digits, joined by one '.', one or two '_', "
               "or dashes, in parts with '/' between";
        return false;
    }
    if (tag && !is_tag(before)) {
        *why = "its tag must be at most 128 letters, digits, '_', '.', '-', and not begin with "
               "'.' or '-'";
        return false;
    }
    if (digest && !is_digest(rest)) {
        *why = "its digest must be an algorithm, ':', and 32 or more hex digits";
        return false;
    }
    out->path = path.at;
    out->path_length = left(&path);
    out->tag = before.at;
    out->tag_length = left(&before);
    out->digest = rest.at;
    out->digest_length = left(&rest);
    return true;
}
