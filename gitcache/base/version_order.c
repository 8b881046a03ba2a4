#include "gitcache/base/version_order.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* The length of the word at the front that marks a pre-release; 0: there is none. */
static size_t marked(const char *text)
{
    static const char *const words[] = {"rc", "alpha", "beta", "pre", "dev", "preview", "snapshot"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if (strncasecmp(text, words[i], length) == 0 && !isalpha((unsigned char)text[length]))
            return length;
    }
    return 0;
}

/* Where a name's pre-release begins, at the separator; its end if it is none. */
static size_t release_length(const char *name)
{
    size_t i = 0;

    while (name[i] && !(strchr("-._", name[i]) && i > 0 && marked(name + i + 1)))
        i++;
    return i;
}

/* strverscmp of the first bytes. */
static int compare_parts(const char *a, size_t a_length, const char *b, size_t b_length)
{
    char x[PATH_MAX / 2], y[PATH_MAX / 2]; /* no ref's name is longer */

    if (a_length >= sizeof x || b_length >= sizeof y)
        return strverscmp(a, b);
    memcpy(x, a, a_length);
    memcpy(y, b, b_length);
    x[a_length] = y[b_length] = '\0';
    return strverscmp(x, y);
}

int version_order(const char *a, const char *b)
{
    size_t x = release_length(a), y = release_length(b);
    int order = compare_parts(a, x, b, y);

    if (order)
        return order;
    if (!a[x] || !b[y])
        return !a[x] - !b[y];
    return strverscmp(a + x, b + y);
}

/* ---- by git's configuration ---- */

/* The suffix that stands at or around the place where two names begin to differ: the one that begins first, and of those the
 * longest. -1: there is none. */
static int suffix_around(const char *name, size_t place, const char *const *suffixes, size_t count)
{
    size_t best_start = place + 1, best_length = 0;
    int best = -1;

    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(suffixes[i]), start = place > length ? place - length : 0;
        while (start <= place && strncmp(name + start, suffixes[i], length) != 0)
            start++;
        if (start > place || start > best_start ||
            (start == best_start && length <= best_length && best >= 0))
            continue;
        best = (int)i;
        best_start = start;
        best_length = length;
    }
    return best;
}

int version_order_by(const char *a, const char *b, const char *const *suffixes, size_t count)
{
    size_t place = 0;

    while (a[place] && a[place] == b[place])
        place++;
    if (a[place] == b[place])
        return 0;
    int x = suffix_around(a, place, suffixes, count), y = suffix_around(b, place, suffixes, count);
    if (x == y) /* the same, or none */
        return strverscmp(a, b);
    if (x < 0 || y < 0)
        return x < 0 ? 1 : -1;
    return x - y;
}
