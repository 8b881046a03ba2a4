/* nearest.c - see nearest.h. */
#include "manifest/nearest.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's: row[j] is the distance of the part of `a` so far to the first j letters of `b`. */
size_t nearest_distance(const char *a, const char *b)
{
    size_t row[NEAREST_LENGTH + 1], length = strlen(b);
    if (length > NEAREST_LENGTH || strlen(a) > NEAREST_LENGTH)
        return SIZE_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (; *a; a++) {
        size_t diagonal = row[0]++;
        for (size_t j = 1; j <= length; j++) {
            size_t above = row[j];
            int same = tolower((unsigned char)*a) == tolower((unsigned char)b[j - 1]);
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (same ? 0 : 1));
            diagonal = above;
        }
    }
    return row[length];
}

/* So many letters differ between words that have nothing in common. */
static size_t limit_of(const char *word)
{
    size_t half = (strlen(word) + 2) / 2;
    return half < 3 ? half : 3;
}

void nearest_begin(struct nearest *nearest, const char *word)
{
    *nearest = (struct nearest){.word = word, .distance = limit_of(word)};
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
    size_t distance = nearest_distance(nearest->word, candidate);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->found = candidate;
    }
}

char *nearest_hint(const struct nearest *nearest, char hint[NEAREST_HINT_SIZE])
{
    hint[0] = '\0';
    if (nearest->found)
        snprintf(hint, NEAREST_HINT_SIZE, " (did you mean '%.200s'?)", nearest->found);
    return hint;
}
