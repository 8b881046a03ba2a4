/* json_fault.c - see json_fault.h. jansson says what it expected; people also want to know what
 * they did: they wrote a comment, or a comma too many. */
#include "manifest/json_fault.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Where jansson's token begins: it points behind it. */
static size_t token_start(const char *text, size_t position, const json_error_t *error)
{
    const char *near = strstr(error->text, "near '");
    if (!near)
        return position;
    near += strlen("near '");
    size_t length = strlen(near);
    length -= length > 0; /* the closing quote */
    if (length > position || memcmp(text + position - length, near, length) != 0)
        return position;
    return position - length;
}

static bool follows_comma(const char *text, size_t at)
{
    while (at > 0 && memchr(" \t\r\n", text[at - 1], 4))
        at--;
    return at > 0 && text[at - 1] == ',';
}

struct hint {
    const char *start, *hint;
};

static const char *find_hint(const struct hint *hints, size_t count, const char *text, size_t left)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(hints[i].start);
        if (left >= length && memcmp(text, hints[i].start, length) == 0)
            return hints[i].hint;
    }
    return NULL;
}

/* What stands at the faulty token, where people write what only looks like JSON. */
static const struct hint token_hints[] = {
    {"/", "; JSON has no comments: remove it"},      {"#", "; JSON has no comments: remove it"},
    {"'", "; JSON writes strings in double quotes"}, {"NaN", "; JSON has no such number"},
    {"Infinity", "; JSON has no such number"},       {"-Infinity", "; JSON has no such number"},
    {"<<<<<<<", "; resolve the merge conflict"},
};

/* How jansson's message begins. */
static const struct hint message_hints[] = {
    {"'}' expected near '", "; a comma is missing before it"},
    {"']' expected near '", "; a comma is missing before it"},
    {"control character", "; write it as an escape like \\t"},
    {"unexpected newline", "; close the string on its line, or write \\n"},
    {"invalid escape", "; a backslash itself is written \\\\"},
    {"invalid Unicode", "; surrogates come in pairs"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *find_any_hint(const char *text, size_t length, size_t at,
                                 const json_error_t *error)
{
    const char *hint = find_hint(token_hints, COUNT(token_hints), text + at, length - at);
    if (hint)
        return hint;
    if (at < length && (text[at] == ']' || text[at] == '}'))
        return follows_comma(text, at) ? "; remove the comma before it" : "";
    hint = find_hint(message_hints, COUNT(message_hints), error->text, strlen(error->text));
    return hint ? hint : "";
}

static size_t explain_syntax(const char *text, size_t length, size_t position,
                             const json_error_t *error, char sentence[JSON_FAULT_SIZE])
{
    const char *nul = memchr(text, '\0', position < length ? position + 1 : length);
    if (nul) {
        snprintf(sentence, JSON_FAULT_SIZE, "is not JSON: has a NUL byte; save it as UTF-8");
        return (size_t)(nul - text);
    }
    size_t at = token_start(text, position, error);
    snprintf(sentence, JSON_FAULT_SIZE, "is not JSON: %s%s", error->text,
             find_any_hint(text, length, at, error));
    /* Within a string that began well, jansson stopped at the odd character itself. */
    bool in_string = at < length && text[at] == '"' && !strstr(error->text, "expected near");
    return in_string ? position : at;
}

size_t json_fault_explain(const char *text, size_t length, const json_error_t *error,
                          char sentence[JSON_FAULT_SIZE])
{
    size_t position = error->position > 0 ? (size_t)error->position : 0;
    if (position > length)
        position = length;
    switch (json_error_code(error)) {
    case json_error_invalid_utf8:
        snprintf(sentence, JSON_FAULT_SIZE, "is not JSON: %s; save it as UTF-8", error->text);
        return position;
    case json_error_stack_overflow:
        snprintf(sentence, JSON_FAULT_SIZE, "is not JSON: is nested too deeply");
        return position > 0 ? position - 1 : 0;
    case json_error_null_character:
        snprintf(sentence, JSON_FAULT_SIZE, "is not JSON: a string must not hold \\u0000");
        return token_start(text, position, error);
    case json_error_numeric_overflow:
        snprintf(sentence, JSON_FAULT_SIZE, "is not JSON: this number is too big");
        return token_start(text, position, error);
    default:
        return explain_syntax(text, length, position, error, sentence);
    }
}
