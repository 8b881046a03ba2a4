/* summed.h - texts of ours on disk that end with a checksum of all before it, so that a flipped byte
 * is never believed: a last line "sum " and 40 digits. Pure. */
#ifndef GITCACHE_BASE_SUMMED_H
#define GITCACHE_BASE_SUMMED_H

#include <stdbool.h>
#include <stddef.h>

#define SUMMED_LINE_SIZE (4 + 40 + 1) /* with its newline */

/* Writes the last line for a text, which ends with a newline, and a NUL. */
void summed_line(const char *text, size_t length, char line[SUMMED_LINE_SIZE + 1]);

/* True if the text ends with the right line; *length becomes that of what is before it. */
bool summed_check(const char *text, size_t *length);

#endif
