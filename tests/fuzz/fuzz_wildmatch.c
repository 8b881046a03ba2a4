/* fuzz_wildmatch.c - any pattern and path: the quick way beside a slow one that is plain to see. */
#include <stdio.h>

#include "gitcache/checkout/wildmatch.h"
#include "tests/fuzz/pieces.h"

/* The code from wildmatch.c, step by step, each star in all ways. `seen` has what was tried. */
struct slow {
    const unsigned char *code, *code_end;
    const char *text, *text_end;
    unsigned char *seen;
};

static bool slow_fits(struct slow *slow, const unsigned char *code, const char *text)
{
    size_t at = (size_t)(code - slow->code) * (size_t)(slow->text_end - slow->text + 1) +
                (size_t)(text - slow->text);
    bool more = text < slow->text_end;

    if (code == slow->code_end)
        return !more;
    if (slow->seen[at])
        return false;
    slow->seen[at] = 1;
    if (*code)
        return more && (unsigned char)*text == *code && slow_fits(slow, code + 1, text + 1);
    switch (code[1]) {
    case 1: /* any character */
        return more && *text != '/' && slow_fits(slow, code + 2, text + 1);
    case 2: /* one of a set */
        return more && code[2 + (unsigned char)*text / 8] >> (unsigned char)*text % 8 & 1 &&
               slow_fits(slow, code + 34, text + 1);
    case 3: /* a star */
        return slow_fits(slow, code + 2, text) ||
               (more && *text != '/' && slow_fits(slow, code, text + 1));
    case 4: /* all that is left */
        return true;
    case 5: /* no, one or more folders */
        if (slow_fits(slow, code + 2, text))
            return true;
        /* fall through */
    case 6: /* one or more */
        for (; text < slow->text_end; text++)
            if (*text == '/' && slow_fits(slow, code + 2, text + 1))
                return true;
        return false;
    }
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *newline = size ? memchr(data, '\n', size) : NULL;
    struct budget budget = {.watch = NULL};
    struct wildmatch compiled;
    struct slow slow;

    if (!newline || size > 300 || memchr(data, 0, size))
        return 0;
    char *pattern = strndup((const char *)data, (size_t)(newline - (const char *)data));
    size_t length = size - strlen(pattern) - 1;
    char *text = malloc(length + 1);
    unsigned char *code = malloc(WILDMATCH_ROOM(strlen(pattern)));
    if (!text || !code)
        abort();
    memcpy(text, newline + 1, length);
    text[length] = '\0';
    if (wildmatch_compile(&compiled, pattern, code)) {
        bool quick = wildmatch_may_fit(&compiled, text, length) &&
                     wildmatch_fits(&compiled, code, text, length, &budget);
        slow = (struct slow){code, code + compiled.length, text, text + length,
                             calloc((size_t)compiled.length + 1, length + 1)};
        if (!slow.seen)
            abort();
        if (length && quick != slow_fits(&slow, code, text)) {
            fprintf(stderr, "'%s' '%s': %d\n", pattern, text, quick);
            abort();
        }
        free(slow.seen);
    }
    free(pattern);
    free(text);
    free(code);
    return 0;
}
