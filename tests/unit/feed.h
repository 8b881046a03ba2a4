/* feed.h - feeding an answer's parser in pieces of one size, as a network might. */
#ifndef TESTS_UNIT_FEED_H
#define TESTS_UNIT_FEED_H

#include <stdlib.h>
#include <string.h>

#include "gitcache/net/answer.h"

/* Each piece lies in a block of its own, so that a sanitizer sees a step past its end. */
static inline int feed_in_pieces(struct answer answer, const char *bytes, size_t size, size_t piece,
                                 struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < size && r == 0; i += piece) {
        size_t n = size - i < piece ? size - i : piece;
        char *block = malloc(n);
        memcpy(block, bytes + i, n);
        r = answer.feed(answer.parser, block, n, e);
        free(block);
    }
    return r;
}

/* The sizes that are worth trying. */
static const size_t feed_pieces[] = {1, 3, 7, 1000, 1 << 20};

#define FEED_PIECES (sizeof feed_pieces / sizeof *feed_pieces)

#endif
