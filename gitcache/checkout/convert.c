#include "gitcache/checkout/convert.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#define PIECE       ((size_t)64 << 10) /* bytes between two looks at the budget */
#define FORGET_EACH ((size_t)4 << 20)  /* a multiple of any page's size */

/* Bytes to convert, and all that the three ways to do so need. */
struct conversion_work {
    const char *data, *end;
    const char *forgotten; /* up to here, if they are mapped; else NULL */
    const struct convert_input *input;
    const struct conversion *conversion;
    struct output *output;
    struct budget *budget;
};

/* Mapped bytes that have been looked at take no memory any more. */
static void forget(struct conversion_work *work, const char *at)
{
    uintptr_t page = (uintptr_t)at & ~(uintptr_t)(FORGET_EACH - 1);

    if (!work->forgotten || at < work->forgotten + FORGET_EACH || at > work->end ||
        page <= (uintptr_t)work->forgotten)
        return;
    madvise((void *)work->forgotten, page - (uintptr_t)work->forgotten, MADV_DONTNEED);
    work->forgotten = (const char *)page;
}

static int append(struct conversion_work *work, const char *from, const char *end)
{
    while (from < end) {
        size_t size = (size_t)(end - from) < PIECE ? (size_t)(end - from) : PIECE;
        int r = output_append(work->output, from, size);

        if (r < 0)
            return r;
        if (budget_spend(work->budget, size))
            return -ECANCELED;
        from += size;
        if (work->forgotten && from >= work->data)
            forget(work, from);
    }
    return 0;
}

#define KEYWORD        "$Id"
#define KEYWORD_LENGTH 3

static int append_expansion(struct conversion_work *work)
{
    char text[sizeof "$Id:  $" + OID_HEX] = "$Id: ";

    oid_format(work->input->blob, text + 5);
    memcpy(text + 5 + OID_HEX, " $", 2);
    return append(work, text, text + sizeof text - 1);
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

static int expand_whole(struct conversion_work *work)
{
    const char *at = work->data, *dollar;
    int r = 0;

    while (r == 0 && (dollar = memchr(at, '$', (size_t)(work->end - at)))) {
        size_t length = whole_keyword(dollar, work->end);

        r = append(work, at, length ? dollar : dollar + 1);
        if (r == 0 && length)
            r = append_expansion(work);
        at = dollar + (length ? length : 1);
    }
    return r ? r : append(work, at, work->end);
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

/* Where the text ends that begins with a dollar: behind a keyword's dollar, or behind what shows
 * that it is none. *keyword: it is one, or (*almost) begins as one. */
static const char *streamed_keyword(const char *at, const char *end, bool held, bool *keyword,
                                    bool *almost)
{
    const char *behind = at;

    *keyword = *almost = false;
    for (int i = 0; i < KEYWORD_LENGTH && behind < end && *behind == KEYWORD[i]; i++)
        behind++;
    if (behind == end)
        return end;
    if (behind - at < KEYWORD_LENGTH)
        return behind + 1;
    if (*behind == ':') {
        while (++behind < end && *behind != '\n' && *behind != '$')
            ;
        *keyword = behind < end && *behind == '$' && (held || !is_foreign(at, behind));
    } else {
        *keyword = *behind == '$';
        *almost = !*keyword;
    }
    return behind < end ? behind + 1 : end;
}

/*
 * The way for files that git streams. It reads a character at a time and never looks at one twice:
 * so "$$Id$" is no keyword, as its second dollar was spent on finding that "$$" is none. And it
 * keeps back what began as a keyword but was none ("$Idx"): if "$Id: ...$" follows at once, that
 * is lost. `held` is where such text begins.
 */
static int expand_streamed(struct conversion_work *work)
{
    const char *at = work->data, *end = work->end, *held = NULL;
    int r = 0;

    while (r == 0 && at < end) {
        const char *dollar = memchr(at, '$', (size_t)(end - at)), *behind;
        bool keyword, almost;

        if (dollar != at) {
            r = append(work, held ? held : at, dollar ? dollar : end);
            held = NULL;
            if (!dollar)
                return r;
            at = dollar;
            continue;
        }
        behind = streamed_keyword(at, end, held, &keyword, &almost);
        if (almost) {
            held = held ? held : at;
        } else {
            if (!keyword)
                r = append(work, held ? held : at, behind);
            else if (held && at[KEYWORD_LENGTH] == '$')
                r = append(work, held, at);
            if (r == 0 && keyword)
                r = append_expansion(work);
            held = NULL;
        }
        at = behind;
    }
    return r == 0 && held ? append(work, held, end) : r;
}

struct text_facts {
    size_t cr, nul, printable, other;
};

static void look_at(struct text_facts *facts, const char *at, const char *end)
{
    for (; at < end; at++) {
        unsigned char c = (unsigned char)*at;

        if (c == '\n')
            continue;
        if (c == '\r') {
            facts->cr++;
        } else if (c == '\b' || c == '\t' || c == '\033' || c == '\014') {
            facts->printable++;
        } else if (c < ' ' || c == 0x7f) {
            facts->nul += c == 0;
            facts->other++;
        } else {
            facts->printable++;
        }
    }
}

static int look_at_all(struct conversion_work *work, struct text_facts *facts)
{
    const char *at = work->data, *next;

    *facts = (struct text_facts){0};
    for (; at < work->end; at = next) {
        next = (size_t)(work->end - at) < PIECE ? work->end : at + PIECE;
        look_at(facts, at, next);
        if (budget_spend(work->budget, 2 * PIECE))
            return -ECANCELED;
        forget(work, next);
    }
    if (work->forgotten) /* they are looked at once more */
        work->forgotten = work->data;
    /* A DOS end-of-file mark does not make a text binary. */
    if (work->data < work->end && work->end[-1] == '\032')
        facts->other--;
    return 0;
}

/* Where a CR is, git leaves all as it is: the text has its line ends already, or is binary. */
static bool wants_carriage_returns(const struct text_facts *facts)
{
    return !facts->cr && !facts->nul && facts->printable / 128 >= facts->other;
}

static int add_carriage_returns(struct conversion_work *work)
{
    static const char line_end[] = "\r\n";
    const char *at = work->data, *newline;
    struct text_facts facts;
    int r = 0;

    if (work->conversion->eol == EOL_CRLF_AUTO) {
        r = look_at_all(work, &facts);
        if (r < 0 || !wants_carriage_returns(&facts))
            return r ? r : append(work, at, work->end);
    }
    while (r == 0 && (newline = memchr(at, '\n', (size_t)(work->end - at)))) {
        if (newline > work->data && newline[-1] == '\r') {
            r = append(work, at, newline + 1);
        } else {
            r = append(work, at, newline);
            if (r == 0)
                r = append(work, line_end, line_end + 2);
        }
        at = newline + 1;
    }
    return r ? r : append(work, at, work->end);
}

/* All of the input: 1; or 0, as iconv gives up at the first character that it cannot convert. */
static int encode_all(struct conversion_work *work, iconv_t converter)
{
    char *from = (char *)work->data, buffer[16384];
    size_t left = (size_t)(work->end - work->data);

    for (;;) {
        size_t piece = left < PIECE ? left : PIECE, before = piece, room = sizeof buffer, n;
        char *to = buffer;
        int r;

        /* The last call, without input, is for what a stateful encoding ends with. */
        n = iconv(converter, left ? &from : NULL, &piece, &to, &room);
        left -= before - piece;
        forget(work, from);
        r = append(work, buffer, to);
        if (r < 0)
            return r;
        /* A character that is cut by the piece's end is no fault. */
        if (n == (size_t)-1 && errno != E2BIG && !(errno == EINVAL && piece < left))
            return 0;
        if (n != (size_t)-1 && left == 0 && room == sizeof buffer)
            return 1;
    }
}

/* git's own names for what has no other. *mark is what the text begins with then. */
static const char *iconv_name(const char *encoding, const char **mark)
{
    *mark = "";
    if (!strcasecmp(encoding, "UTF-16LE-BOM") || !strcasecmp(encoding, "UTF16LE-BOM")) {
        *mark = "\xff\xfe";
        return "UTF-16LE";
    }
    if (!strcasecmp(encoding, "UTF-16BE-BOM") || !strcasecmp(encoding, "UTF16BE-BOM")) {
        *mark = "\xfe\xff";
        return "UTF-16BE";
    }
    return encoding;
}

static int encode(struct conversion_work *work)
{
    const char *mark, *name = iconv_name(work->conversion->encoding, &mark);
    iconv_t converter;
    int r = 0;

    converter = work->data < work->end ? iconv_open(name, "UTF-8") : (iconv_t)-1;
    if (converter != (iconv_t)-1) {
        r = append(work, mark, mark + strlen(mark));
        if (r == 0)
            r = encode_all(work, converter);
        iconv_close(converter);
    }
    if (r != 0)
        return r < 0 ? r : 0;
    if (work->forgotten)
        work->forgotten = work->data;
    r = output_restart(work->output);
    return r ? r : append(work, work->data, work->end);
}

/* The steps that a conversion takes, in git's order. */
static size_t steps_of(const struct conversion *conversion,
                       int (*steps[3])(struct conversion_work *work))
{
    size_t count = 0;

    if (conversion->ident)
        steps[count++] = conversion->in_one_piece ? expand_whole : expand_streamed;
    if (conversion->eol != EOL_AS_IS)
        steps[count++] = add_carriage_returns;
    if (conversion->encoding)
        steps[count++] = encode;
    return count;
}

/* What one step has made and the next one takes. */
struct between {
    struct content content;
    void *mapped; /* NULL: the bytes are in memory */
};

static void release_between(struct between *between)
{
    if (between->mapped)
        munmap(between->mapped, between->content.size);
    content_release(&between->content);
    between->mapped = NULL;
}

static int take_over(struct conversion_work *work, struct output *made, struct between *out)
{
    int r = output_finish(made, &out->content);

    if (r < 0)
        return r;
    work->data = out->content.data;
    work->forgotten = NULL;
    if (!work->data) {
        void *mapped = mmap(NULL, out->content.size, PROT_READ, MAP_SHARED, out->content.fd, 0);
        if (mapped == MAP_FAILED)
            return -errno;
        work->data = work->forgotten = out->mapped = mapped;
    }
    work->end = work->data + out->content.size;
    return 0;
}

int convert_bytes(const struct convert_input *input, const struct conversion *conversion,
                  struct output *output, struct budget *budget)
{
    struct between between[2] = {{.content.fd = -1}, {.content.fd = -1}};
    int (*steps[3])(struct conversion_work * work), r = 0;
    size_t count = steps_of(conversion, steps);
    struct conversion_work work = {
        .data = input->data,
        .end = input->data + input->size,
        .forgotten = input->mapped ? input->data : NULL,
        .input = input,
        .conversion = conversion,
        .budget = budget,
    };

    work.output = output;
    if (count == 0)
        return append(&work, work.data, work.end);
    for (size_t i = 0; i < count && r == 0; i++) {
        struct output made;

        output_init(&made, output->reader);
        work.output = i + 1 < count ? &made : output;
        output_expect(work.output, (uint64_t)(work.end - work.data) * 17 / 16);
        r = steps[i](&work);
        if (i > 0)
            release_between(&between[i - 1]);
        if (r == 0 && i + 1 < count)
            r = take_over(&work, &made, &between[i]);
        output_release(&made);
    }
    release_between(&between[0]);
    release_between(&between[1]);
    return r;
}
