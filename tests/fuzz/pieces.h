/* pieces.h - hands an input to a parser in pieces whose sizes the input itself chooses. */
#ifndef TESTS_FUZZ_PIECES_H
#define TESTS_FUZZ_PIECES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/net/answer.h"

/* The first byte is the pieces' size (0: all at once), the rest is fed, each piece in a block of
 * its own, so that a step past its end is seen. */
static inline int feed_pieces(struct answer answer, const uint8_t *data, size_t size,
                              struct error *e)
{
    size_t piece = size && data[0] ? data[0] : size;
    int r = 0;

    for (size_t i = 1; i < size && r == 0; i += piece) {
        size_t n = size - i < piece ? size - i : piece;
        char *block = malloc(n);
        if (!block)
            abort();
        memcpy(block, data + i, n);
        r = answer.feed(answer.parser, block, n, e);
        free(block);
    }
    return r;
}

/* A failure has a sentence, and one that a terminal can show. */
static inline void check_error(int r, const struct error *e)
{
    if (r > 0 || (r < 0 && (e->errnum != -r || !*e->text)))
        abort();
    for (const char *c = e->text; *c; c++)
        if ((*c >= 0 && *c < ' ') || *c == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
