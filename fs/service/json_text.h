/* json_text.h - reads JSON without losing how it was written: the digits of a number, and the order
 * and the repetitions of keys, which a parser into a tree of values forgets. Pure.
 *
 * json_text_check comes first; the other functions take only spans of text that it accepted. */
#ifndef FS_SERVICE_JSON_TEXT_H
#define FS_SERVICE_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The text of one value, without white space around it. Borrowed. */
struct json_span {
    const char *at, *end;
};

/* Checks that the bytes are one JSON value, in UTF-8, no deeper than `deepest` brackets. 0 with
 * *out; -EINVAL (it is no JSON) or -E2BIG (too deep) with *fault, the byte to point at. */
int json_text_check(const char *bytes, size_t size, unsigned deepest, struct json_span *out,
                    size_t *fault);

/* Whether all of the bytes are UTF-8, as RFC 3629 has it. *fault (may be NULL) is the first that is
 * not. */
bool json_text_is_utf8(const char *bytes, size_t size, size_t *fault);

/* Walks an object or an array: begins behind its bracket, then takes the next member or element;
 * false at its end. */
struct json_span json_text_enter(struct json_span value);
bool json_text_next_member(struct json_span *rest, struct json_span *key, struct json_span *value);
bool json_text_next_element(struct json_span *rest, struct json_span *value);

/* What a string means: *length bytes of UTF-8, which may hold NULs, and a NUL behind them. The
 * caller frees it. NULL: out of memory. */
char *json_text_string(struct json_span string, size_t *length);

#endif
