#include "gitcache/checkout/convert.h"

#include <errno.h>
#include <git2.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int replace(struct bytes *bytes, FILE *stream, struct bytes *made)
{
    bool failed = ferror(stream);

    if (fclose(stream) || failed) {
        free(made->data);
        return -ENOMEM;
    }
    free(bytes->data);
    *bytes = *made;
    return 0;
}

#define KEYWORD          "$Id"
#define KEYWORD_LENGTH   3
#define EXPANSION_LENGTH (sizeof "$Id:  $" - 1 + GIT_OID_HEXSZ)

/* Room for a text with every $Id expanded. Its blob's id goes into `hex`. */
static char *make_room(const struct bytes *bytes, char hex[GIT_OID_HEXSZ + 1])
{
    const char *at = bytes->data, *end = at + bytes->size;
    size_t size = bytes->size + 1;
    git_oid id;

    while ((at = memmem(at, (size_t)(end - at), KEYWORD, KEYWORD_LENGTH))) {
        size += EXPANSION_LENGTH;
        at += KEYWORD_LENGTH;
    }
    if (git_odb_hash(&id, bytes->data, bytes->size, GIT_OBJECT_BLOB))
        return NULL;
    git_oid_tostr(hex, GIT_OID_HEXSZ + 1, &id);
    return malloc(size);
}

static char *append(char *to, const char *from, const char *end)
{
    memcpy(to, from, (size_t)(end - from));
    return to + (end - from);
}

static char *append_expansion(char *to, const char *hex)
{
    return to + sprintf(to, "$Id: %s $", hex);
}

static void replace_with(struct bytes *bytes, char *data, const char *end)
{
    free(bytes->data);
    bytes->data = data;
    bytes->size = (size_t)(end - data);
}

/*
 * git has two ways to expand $Id$, which differ at the edges. This is for files that it converts
 * in one piece: returns the length of the keyword that starts at the dollar, or 0 if it is none.
 * One whose text has a space within is another system's, and stays.
 */
static size_t whole_keyword(const char *at, const char *end)
{
    const char *text = at + 4, *dollar, *space;

    if (end - at < 4 || memcmp(at, KEYWORD, KEYWORD_LENGTH) != 0)
        return 0;
    if (at[3] == '$')
        return 4;
    if (at[3] != ':')
        return 0;
    dollar = memchr(text, '$', (size_t)(end - text));
    if (!dollar || memchr(text, '\n', (size_t)(dollar - text)))
        return 0;
    if (dollar > text) {
        space = memchr(text + 1, ' ', (size_t)(dollar - text - 1));
        if (space && space < dollar - 1)
            return 0;
    }
    return (size_t)(dollar + 1 - at);
}

static int expand_whole(struct bytes *bytes)
{
    const char *at = bytes->data, *end = at + bytes->size, *dollar;
    char hex[GIT_OID_HEXSZ + 1], *made = make_room(bytes, hex), *to = made;

    if (!made)
        return -ENOMEM;
    while ((dollar = memchr(at, '$', (size_t)(end - at)))) {
        size_t length = whole_keyword(dollar, end);

        to = append(to, at, dollar);
        if (length)
            to = append_expansion(to, hex);
        else
            *to++ = '$';
        at = dollar + (length ? length : 1);
    }
    to = append(to, at, end);
    replace_with(bytes, made, to);
    return 0;
}

/* True for "$Id: " and a text in which a blank stands elsewhere than before the closing dollar. */
static bool is_foreign(const char *at, const char *end)
{
    if (end - at < 5 || memcmp(at, "$Id: ", 5) != 0)
        return false;
    for (at += 5; at < end && *at; at++)
        if (strchr(" \t\r\n", *at) && at[1] != '$')
            return true;
    return false;
}

/*
 * The way for files that git streams. It reads a character at a time and never looks at one twice:
 * so "$$Id$" is no keyword, as its second dollar was spent on finding that "$$" is none. And it
 * keeps back what began as a keyword but was none ("$Idx"): if "$Id: ...$" follows at once, that
 * is lost. `kept` is where such text begins in the output.
 */
static int expand_streamed(struct bytes *bytes)
{
    const char *at = bytes->data, *end = at + bytes->size;
    char hex[GIT_OID_HEXSZ + 1], *made = make_room(bytes, hex), *to = made, *kept = NULL;

    if (!made)
        return -ENOMEM;
    while (at < end) {
        const char *behind = at;

        for (int i = 0; i < KEYWORD_LENGTH && behind < end && *behind == KEYWORD[i]; i++)
            behind++;
        if (behind == end) {
            to = append(to, at, end);
            break;
        }
        if (behind - at < KEYWORD_LENGTH) {
            to = append(to, at, behind + 1);
            kept = NULL;
        } else if (*behind == '$') {
            to = append_expansion(to, hex);
            kept = NULL;
        } else if (*behind != ':') {
            kept = kept ? kept : to;
            to = append(to, at, behind + 1);
        } else {
            while (++behind < end && *behind != '\n' && *behind != '$')
                ;
            if (behind < end && *behind == '$' && (kept || !is_foreign(at, behind)))
                to = append_expansion(kept ? kept : to, hex);
            else
                to = append(to, at, behind < end ? behind + 1 : end);
            kept = NULL;
        }
        at = behind < end ? behind + 1 : end;
    }
    replace_with(bytes, made, to);
    return 0;
}

struct text_facts {
    size_t lf, crlf, cr; /* line ends; lone ones but for crlf */
    size_t nul, printable, other;
};

static struct text_facts look_at(const struct bytes *bytes)
{
    struct text_facts facts = {0};

    for (size_t i = 0; i < bytes->size; i++) {
        unsigned char c = (unsigned char)bytes->data[i];

        if (c == '\r' && i + 1 < bytes->size && bytes->data[i + 1] == '\n') {
            facts.crlf++;
            i++;
        } else if (c == '\r') {
            facts.cr++;
        } else if (c == '\n') {
            facts.lf++;
        } else if (c == '\b' || c == '\t' || c == '\033' || c == '\014') {
            facts.printable++;
        } else if (c < ' ' || c == 0x7f) {
            facts.nul += c == 0;
            facts.other++;
        } else {
            facts.printable++;
        }
    }
    /* A DOS end-of-file mark does not make a text binary. */
    if (bytes->size && bytes->data[bytes->size - 1] == '\032')
        facts.other--;
    return facts;
}

static bool looks_binary(const struct text_facts *facts)
{
    return facts->cr || facts->nul || facts->printable / 128 < facts->other;
}

static int add_carriage_returns(struct bytes *bytes, enum conversion_eol eol)
{
    struct text_facts facts = look_at(bytes);
    struct bytes made;
    char *to;

    if (!facts.lf || (eol == EOL_CRLF_AUTO && (facts.crlf || looks_binary(&facts))))
        return 0;
    made.size = bytes->size + facts.lf;
    made.data = to = malloc(made.size + 1);
    if (!to)
        return -ENOMEM;
    for (size_t i = 0; i < bytes->size; i++) {
        if (bytes->data[i] == '\n' && (i == 0 || bytes->data[i - 1] != '\r'))
            *to++ = '\r';
        *to++ = bytes->data[i];
    }
    free(bytes->data);
    *bytes = made;
    return 0;
}

/* All of the input, or nothing: iconv gives up at the first character it can't convert. */
static bool convert_all(iconv_t converter, const struct bytes *bytes, FILE *out)
{
    char *from = bytes->data, buffer[16384];
    size_t left = bytes->size;

    for (;;) {
        char *to = buffer;
        size_t room = sizeof buffer;
        size_t n = iconv(converter, left ? &from : NULL, &left, &to, &room);

        fwrite(buffer, 1, sizeof buffer - room, out);
        if (n == (size_t)-1 && errno != E2BIG)
            return false;
        if (n != (size_t)-1 && left == 0 && room == sizeof buffer)
            return true;
    }
}

static int encode(struct bytes *bytes, const char *encoding)
{
    struct bytes made = {.data = NULL};
    const char *mark = "";
    iconv_t converter;
    FILE *out;
    int r = 0;

    /* git's own names for what has no other */
    if (!strcasecmp(encoding, "UTF-16LE-BOM") || !strcasecmp(encoding, "UTF16LE-BOM")) {
        encoding = "UTF-16LE";
        mark = "\xff\xfe";
    } else if (!strcasecmp(encoding, "UTF-16BE-BOM") || !strcasecmp(encoding, "UTF16BE-BOM")) {
        encoding = "UTF-16BE";
        mark = "\xfe\xff";
    }
    converter = iconv_open(encoding, "UTF-8");
    if (converter == (iconv_t)-1)
        return 0;
    out = open_memstream(&made.data, &made.size);
    if (!out) {
        iconv_close(converter);
        return -ENOMEM;
    }
    fputs(mark, out);
    if (convert_all(converter, bytes, out)) {
        r = replace(bytes, out, &made);
    } else {
        fclose(out);
        free(made.data);
    }
    iconv_close(converter);
    return r;
}

int convert(struct bytes *bytes, const struct conversion *conversion)
{
    int r = 0;

    if (conversion->ident)
        r = conversion->in_one_piece ? expand_whole(bytes) : expand_streamed(bytes);
    if (!r && conversion->eol != EOL_AS_IS)
        r = add_carriage_returns(bytes, conversion->eol);
    if (!r && conversion->encoding && bytes->size)
        r = encode(bytes, conversion->encoding);
    return r;
}
