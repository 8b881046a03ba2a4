/* wildmatch.h - git's patterns for paths: * ? [a-z] [!a] [[:alpha:]] \x, and ** between slashes.
 * Pure. Private to gitcache/checkout.
 *
 * A pattern is compiled once, to a code of about its own length. Whether a text fits is found in
 * time bounded by the product of their lengths, whatever the pattern: see wildmatch.c. */
#ifndef GITCACHE_CHECKOUT_WILDMATCH_H
#define GITCACHE_CHECKOUT_WILDMATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/checkout/budget.h"

#define WILDMATCH_MAX 2047 /* bytes of a pattern: git passes over longer lines of .gitattributes */
/* Room for compiling a pattern of so many bytes: 34 for "[a]", also where it breaks off. */
#define WILDMATCH_ROOM(length) (12 * (size_t)(length) + 34)

struct wildmatch {
    uint16_t length;         /* of the code */
    uint16_t prefix, suffix; /* of them plain bytes, at its front and at its end */
    uint16_t minimum;        /* no shorter text fits */
    /* The first and the last byte of all texts that fit; NUL if they differ. For a quick no. */
    unsigned char first, last;
};

/* Writes the code. False for a pattern that is broken or too long: it fits nothing. */
bool wildmatch_compile(struct wildmatch *out, const char *pattern, unsigned char *code);

/* False for most texts that do not fit, at once. */
static inline bool wildmatch_may_fit(const struct wildmatch *pattern, const char *text,
                                     size_t length)
{
    return length >= pattern->minimum && length > 0 &&
           (!pattern->first || pattern->first == (unsigned char)text[0]) &&
           (!pattern->last || pattern->last == (unsigned char)text[length - 1]);
}

/* True if the whole text fits; no wildcard but ** takes a slash. False, too, once the budget is
 * spent, and then budget->cancelled says so. */
bool wildmatch_fits(const struct wildmatch *pattern, const unsigned char *code, const char *text,
                    size_t length, struct budget *budget);

#endif
