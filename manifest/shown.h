/* shown.h - text that comes from files which nobody has to trust, made fit to be shown. Pure. */
#ifndef MANIFEST_SHOWN_H
#define MANIFEST_SHOWN_H

#include <jansson.h>
#include <stddef.h>

/* Replaces in place, by one '?' each, bytes that are not UTF-8 and characters that would act on a
 * terminal or reorder a line (control characters, line separators, bidirectional marks). Returns
 * text. */
char *shown_clean(char *text);

/* How much of a value a sentence quotes, and the buffer for it. */
#define SHOWN_SIZE 84

/* Quotes bytes[0..length) of a file: each run of white space becomes one space, and what is longer
 * than the buffer ends in "...". Returns buffer. */
char *shown_clip(char buffer[SHOWN_SIZE], const char *bytes, size_t length);

/* The one way JSON is written: two spaces to indent, keys in the order they were set, UTF-8, a
 * newline at the end. The caller frees the string. NULL: out of memory. */
char *shown_json(const json_t *json);

#endif
