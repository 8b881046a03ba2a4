/* nearest.h - what somebody who mistyped a word may have meant. Pure. */
#ifndef MANIFEST_NEAREST_H
#define MANIFEST_NEAREST_H

#include <stddef.h>

/* How many letters are to be changed, inserted, removed to make one word the other; SIZE_MAX for
 * words longer than NEAREST_LENGTH. The case of ASCII letters does not count. */
#define NEAREST_LENGTH 40
size_t nearest_distance(const char *a, const char *b);

#endif
