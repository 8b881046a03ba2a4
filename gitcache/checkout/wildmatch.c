#include "gitcache/checkout/wildmatch.h"

#include <ctype.h>
#include <string.h>

/*
 * The code is a row of bytes to compare, among them wildcards: a NUL, which no pattern has, and a
 * letter. Of all ways through the stars the first is followed, and on a mismatch the last star
 * takes one character more; if that is a slash, the last ** takes one folder more. Earlier stars
 * need no second try: whatever they could leave to a later star of their folder, that star can take
 * itself; a slash in the pattern stands for one place in the text only; and the same goes for **
 * and whole folders. So each byte of the pattern meets each of the text at most once for each of
 * the two kinds of stars.
 */
enum wildcard {
    ANY_CHARACTER = 1, /* but a slash */
    ONE_OF,            /* a set follows: a bit for each character */
    STAR,              /* any characters but slashes */
    ALL,               /* all that is left: a ** at the end */
    FOLDERS,           /* no, one or more whole folders: a ** and the slash behind it */
    SOME_FOLDERS,      /* at least one */
};

#define SET_SIZE 32

static void set_add(unsigned char *set, unsigned char from, unsigned char to)
{
    for (unsigned c = from; c <= to; c++)
        set[c / 8] |= (unsigned char)(1u << c % 8);
}

static bool set_has(const unsigned char *set, unsigned char c)
{
    return set[c / 8] >> c % 8 & 1;
}

static bool add_class(unsigned char *set, const char *name, size_t length)
{
    static const struct {
        const char *name;
        int (*has)(int c);
    } classes[] = {
        {"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
        {"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
        {"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
    };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strlen(classes[i].name) != length || memcmp(classes[i].name, name, length) != 0)
            continue;
        for (int c = 0; c < 128; c++)
            if (classes[i].has(c))
                set_add(set, (unsigned char)c, (unsigned char)c);
        return true;
    }
    return false;
}

/* Reads one character of a set, \ taken off. False at the end of the pattern. */
static bool set_character(const char **at, unsigned char *out)
{
    if (**at == '\\')
        ++*at;
    *out = (unsigned char)**at;
    if (!*out)
        return false;
    ++*at;
    return true;
}

static bool add_range(const char **at, unsigned char *set)
{
    unsigned char from, to;

    if (!set_character(at, &from))
        return false;
    to = from;
    if ((*at)[0] == '-' && (*at)[1] && (*at)[1] != ']') {
        ++*at;
        if (!set_character(at, &to))
            return false;
    }
    set_add(set, from, to);
    if (to < from && from) /* an empty range still has its first character */
        set_add(set, from, from);
    return true;
}

/* Compiles [...]; *at stands behind the bracket, and then behind the closing one. */
static bool compile_set(const char **at, unsigned char *set)
{
    bool negated = **at == '!' || **at == '^', first = true;

    memset(set, 0, SET_SIZE);
    *at += negated;
    for (; first || **at != ']'; first = false) {
        const char *end;

        if ((*at)[0] == '[' && (*at)[1] == ':' && (end = strchr(*at + 2, ']')) && end[-1] == ':' &&
            end - 1 > *at + 1) {
            if (!add_class(set, *at + 2, (size_t)(end - 1 - (*at + 2))))
                return false;
            *at = end + 1;
        } else if (!add_range(at, set)) {
            return false;
        }
    }
    ++*at;
    for (size_t i = 0; negated && i < SET_SIZE; i++)
        set[i] = (unsigned char)~set[i];
    set['/' / 8] &= (unsigned char)~(1u << '/' % 8);
    return true;
}

/* A run of stars; ** is more than * only if slashes, or the ends, enclose it. */
static enum wildcard take_stars(const char *pattern, const char **at)
{
    const char *start = *at;
    size_t stars = strspn(start, "*");
    bool enclosed = stars > 1 && (start == pattern || start[-1] == '/');

    *at += stars;
    if (!enclosed)
        return STAR;
    if (!**at)
        return ALL;
    if (**at == '/') {
        ++*at;
        return FOLDERS;
    }
    if ((*at)[0] == '\\' && (*at)[1] == '/') { /* git tries the way without a folder for / only */
        *at += 2;
        return SOME_FOLDERS;
    }
    return STAR;
}

static unsigned char *append_wildcard(unsigned char *code, enum wildcard wildcard)
{
    *code++ = '\0';
    *code++ = (unsigned char)wildcard;
    return code;
}

/* Compiles one step. Where the code goes on, or NULL for a broken pattern. */
static unsigned char *compile_step(const char *pattern, const char **at, unsigned char *code,
                                   enum wildcard *last)
{
    enum wildcard wildcard = 0;

    if (**at == '*') {
        wildcard = take_stars(pattern, at);
        /* Of two in a row one is enough. */
        if (wildcard != FOLDERS || *last != FOLDERS)
            code = append_wildcard(code, wildcard);
    } else if (**at == '[') {
        ++*at;
        code = append_wildcard(code, wildcard = ONE_OF);
        if (!compile_set(at, code))
            return NULL;
        code += SET_SIZE;
    } else if (**at == '?') {
        ++*at;
        code = append_wildcard(code, wildcard = ANY_CHARACTER);
    } else {
        if (**at == '\\' && !*++*at)
            return NULL;
        *code++ = (unsigned char)*(*at)++;
    }
    *last = wildcard;
    return code;
}

bool wildmatch_compile(struct wildmatch *out, const char *pattern, unsigned char *code)
{
    size_t plain = strcspn(pattern, "*?[\\");
    unsigned char *end = code + plain;
    enum wildcard last = 0;

    if (strlen(pattern) > WILDMATCH_MAX)
        return false;
    /* As git, the plain text at the front is compared by itself. That matters for "a**": what is
     * left then begins with ** and takes slashes. */
    memcpy(code, pattern, plain);
    pattern += plain;
    *out = (struct wildmatch){.prefix = (uint16_t)plain, .minimum = (uint16_t)plain};
    for (const char *at = pattern; *at;) {
        end = compile_step(pattern, &at, end, &last);
        if (!end)
            return false;
        out->suffix = last ? 0 : (uint16_t)(out->suffix + 1);
        out->minimum += !last || last == ANY_CHARACTER || last == ONE_OF || last == SOME_FOLDERS;
    }
    out->length = (uint16_t)(end - code);
    if (plain)
        out->first = code[0];
    if (out->suffix || (plain && plain == out->length))
        out->last = end[-1];
    return true;
}

/* Where a text and the code are compared, and where to go on after a mismatch. */
struct comparison {
    const unsigned char *code, *code_end, *text;
    const unsigned char *star, *star_text;       /* NULL: there is no star to stretch */
    const unsigned char *folders, *folders_text; /* likewise */
};

static bool stretch_folders(struct comparison *c, const unsigned char *end)
{
    const unsigned char *slash = NULL;

    if (c->folders)
        slash = memchr(c->folders_text, '/', (size_t)(end - c->folders_text));
    if (!slash)
        return false;
    c->text = c->folders_text = slash + 1;
    c->code = c->folders;
    return true;
}

static bool stretch_star(struct comparison *c, const unsigned char *end)
{
    while (c->star && c->star_text < end && *c->star_text != '/') {
        c->star_text++;
        /* What stands behind the star says where to go on: the end, or a plain byte. */
        if (c->star_text < end &&
            (c->star == c->code_end || (*c->star && *c->star != *c->star_text)))
            continue;
        c->text = c->star_text;
        c->code = c->star;
        return true;
    }
    c->star = NULL;
    return false;
}

static void begin_folders(struct comparison *c)
{
    c->folders = c->code;
    c->folders_text = c->text;
    c->star = NULL;
}

/* One step. False for a mismatch; *all: whatever follows fits. */
static bool compare_step(struct comparison *c, const unsigned char *end, bool *all)
{
    if (*c->code) {
        if (c->text == end || *c->code++ != *c->text++)
            return false;
        return true;
    }
    c->code += 2;
    switch ((enum wildcard)c->code[-1]) {
    case ANY_CHARACTER:
        return c->text < end && *c->text++ != '/';
    case ONE_OF:
        c->code += SET_SIZE;
        return c->text < end && set_has(c->code - SET_SIZE, *c->text++);
    case STAR:
        c->star = c->code;
        c->star_text = c->text;
        return true;
    case ALL:
        return *all = true;
    case FOLDERS:
        begin_folders(c);
        return true;
    case SOME_FOLDERS:
        begin_folders(c);
        return stretch_folders(c, end);
    }
    return false;
}

static bool fits(const unsigned char *code, const unsigned char *code_end,
                 const unsigned char *text, const unsigned char *end, struct budget *budget)
{
    struct comparison c = {.code = code, .code_end = code_end, .text = text};
    bool all = false;

    for (uint64_t steps = 1;; steps++) {
        bool good = c.code == code_end ? c.text == end : compare_step(&c, end, &all);

        if (all || (good && c.code == code_end && c.text == end)) {
            budget_spend(budget, steps);
            return !budget->cancelled;
        }
        if (!good && !stretch_star(&c, end) && !stretch_folders(&c, end)) {
            budget_spend(budget, steps);
            return false;
        }
        if (steps == BUDGET_STEPS) {
            if (budget_spend(budget, steps))
                return false;
            steps = 0;
        }
    }
}

bool wildmatch_fits(const struct wildmatch *pattern, const unsigned char *code, const char *text,
                    size_t length, struct budget *budget)
{
    size_t prefix = pattern->prefix, suffix = pattern->suffix;

    if (length < pattern->minimum || memcmp(code, text, prefix) != 0)
        return false;
    if (prefix == pattern->length)
        return length == prefix;
    if (memcmp(code + pattern->length - suffix, text + length - suffix, suffix) != 0)
        return false;
    return fits(code + prefix, code + pattern->length - suffix,
                (const unsigned char *)text + prefix, (const unsigned char *)text + length - suffix,
                budget);
}
