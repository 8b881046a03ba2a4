/* nearest.c - see nearest.h. */
#include "manifest/nearest.h"

#include <ctype.h>
#include <stdint.h>
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
