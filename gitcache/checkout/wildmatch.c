#include "gitcache/checkout/wildmatch.h"

#include <ctype.h>
#include <string.h>

/* git passes over longer lines of .gitattributes. */
#define MAX_PATTERN 2048

/* A pattern becomes a row of steps, and all ways through them are followed at once: backtracking
 * would let a hostile pattern take for ever. */
enum step_kind {
    STEP_CHARACTER,
    STEP_SET,     /* one character out of a set */
    STEP_STAR,    /* any characters but slashes */
    STEP_ANY,     /* any characters: a ** at the end */
    STEP_FOLDERS, /* no, one or more whole folders: a ** and the slash behind it */
};

struct step {
    enum step_kind kind;
    unsigned char character;
    unsigned char set[32]; /* a bit for each character */
};

static void set_add(struct step *step, unsigned char from, unsigned char to)
{
    for (unsigned c = from; c <= to; c++)
        step->set[c / 8] |= (unsigned char)(1u << c % 8);
}

static bool set_has(const struct step *step, unsigned char c)
{
    return step->set[c / 8] >> c % 8 & 1;
}

static bool add_class(struct step *step, const char *name, size_t length)
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
                set_add(step, (unsigned char)c, (unsigned char)c);
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

/* Compiles [...]; *at stands behind the bracket, and then behind the closing one. */
static bool compile_set(const char **at, struct step *step)
{
    bool negated = **at == '!' || **at == '^', first = true;
    unsigned char from, to;

    *at += negated;
    for (; first || **at != ']'; first = false) {
        const char *end;

        if ((*at)[0] == '[' && (*at)[1] == ':' && (end = strchr(*at + 2, ']')) && end[-1] == ':' &&
            end - 1 > *at + 1) {
            if (!add_class(step, *at + 2, (size_t)(end - 1 - (*at + 2))))
                return false;
            *at = end + 1;
            continue;
        }
        if (!set_character(at, &from))
            return false;
        to = from;
        if ((*at)[0] == '-' && (*at)[1] && (*at)[1] != ']') {
            ++*at;
            if (!set_character(at, &to))
                return false;
        }
        set_add(step, from, to);
        if (to < from && from) /* an empty range still has its first character */
            set_add(step, from, from);
    }
    ++*at;
    if (negated)
        for (size_t i = 0; i < sizeof step->set; i++)
            step->set[i] = (unsigned char)~step->set[i];
    step->set['/' / 8] &= (unsigned char)~(1u << '/' % 8);
    return true;
}

/* Compiles a run of stars; ** is more than * only if slashes, or the ends, enclose it. */
static void compile_stars(const char *pattern, const char **at, struct step *step)
{
    const char *start = *at;
    size_t stars = strspn(start, "*");
    const char *behind = start + stars;
    bool enclosed = stars > 1 && (start == pattern || start[-1] == '/');

    *at = behind;
    if (enclosed && *behind == '/') {
        step->kind = STEP_FOLDERS;
        ++*at;
    } else if (enclosed && !*behind) {
        step->kind = STEP_ANY;
    } else {
        step->kind = STEP_STAR;
    }
}

/* The number of steps, or -1 for a broken pattern. */
static long compile(const char *pattern, struct step *steps)
{
    long count = 0;

    for (const char *at = pattern; *at; count++) {
        struct step *step = &steps[count];

        memset(step, 0, sizeof *step);
        if (*at == '*') {
            compile_stars(pattern, &at, step);
        } else if (*at == '[') {
            step->kind = STEP_SET;
            at++;
            if (!compile_set(&at, step))
                return -1;
        } else if (*at == '?') {
            step->kind = STEP_SET;
            set_add(step, 1, 255);
            step->set['/' / 8] &= (unsigned char)~(1u << '/' % 8);
            at++;
        } else {
            if (*at == '\\' && !*++at)
                return -1;
            step->character = (unsigned char)*at++;
        }
    }
    return count;
}

/* Where a way through the steps may stand: before step i, or within the folders of step i. */
enum { BEFORE = 1, WITHIN = 2 };

static bool is_optional(const struct step *step)
{
    return step->kind == STEP_STAR || step->kind == STEP_ANY || step->kind == STEP_FOLDERS;
}

static void enter(const struct step *steps, long count, unsigned char *ways, long at)
{
    for (;; at++) {
        ways[at] |= BEFORE;
        if (at == count || !is_optional(&steps[at]))
            return;
    }
}

static void advance(const struct step *steps, long count, const unsigned char *now,
                    unsigned char *next, unsigned char c)
{
    memset(next, 0, (size_t)count + 1);
    for (long i = 0; i < count; i++) {
        const struct step *step = &steps[i];

        if (!now[i])
            continue;
        switch (step->kind) {
        case STEP_CHARACTER:
            if (step->character == c)
                enter(steps, count, next, i + 1);
            break;
        case STEP_SET:
            if (set_has(step, c))
                enter(steps, count, next, i + 1);
            break;
        case STEP_STAR:
            if (c != '/')
                enter(steps, count, next, i);
            break;
        case STEP_ANY:
            enter(steps, count, next, i);
            break;
        case STEP_FOLDERS:
            if (c == '/')
                enter(steps, count, next, i);
            else
                next[i] |= WITHIN;
            break;
        }
    }
}

bool wild_match(const char *pattern, const char *text)
{
    struct step steps[MAX_PATTERN];
    unsigned char ways[2][MAX_PATTERN + 1] = {{0}}, *now = ways[0], *next = ways[1];
    long count = strlen(pattern) <= MAX_PATTERN ? compile(pattern, steps) : -1;

    if (count < 0)
        return false;
    enter(steps, count, now, 0);
    for (; *text; text++) {
        unsigned char *swap = now;

        advance(steps, count, now, next, (unsigned char)*text);
        now = next;
        next = swap;
    }
    return now[count] & BEFORE;
}
