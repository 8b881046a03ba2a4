/* nearest.h - what somebody who mistyped a word may have meant. Pure. */
#ifndef MANIFEST_NEAREST_H
#define MANIFEST_NEAREST_H

#include <stddef.h>

/* How many letters are to be changed, inserted, removed to make one word the other; SIZE_MAX for
 * words longer than NEAREST_LENGTH. The case of ASCII letters does not count. */
#define NEAREST_LENGTH 40
size_t nearest_distance(const char *a, const char *b);

/* Looks for the candidate that is nearest to a word. Strings are borrowed. */
struct nearest {
    const char *word;  /* what somebody wrote */
    const char *found; /* what they may have meant; NULL: nothing is like it */
    size_t distance;
};

void nearest_begin(struct nearest *nearest, const char *word);
void nearest_try(struct nearest *nearest, const char *candidate);

/* " (did you mean 'CANDIDATE'?)" in the buffer, or "" if nothing is like it; returns the buffer. */
#define NEAREST_HINT_SIZE 256
char *nearest_hint(const struct nearest *nearest, char hint[NEAREST_HINT_SIZE]);

#endif
