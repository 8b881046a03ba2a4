#include "fs/service/json_text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct json_reader {
    const char *at, *end;
    unsigned deepest;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* The bytes of the character that begins here; 0 if none does. */
static size_t character_size(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char first, last, least_second, most_second, size;
    } rows[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    size_t i = 0, size;

    while (i < sizeof rows / sizeof *rows && (*at < rows[i].first || *at > rows[i].last))
        i++;
    if (i == sizeof rows / sizeof *rows || rows[i].size > left)
        return 0;
    size = rows[i].size;
    if (size > 1 && (at[1] < rows[i].least_second || at[1] > rows[i].most_second))
        return 0;
    for (size_t k = 2; k < size; k++)
        if (at[k] < 0x80 || at[k] > 0xbf)
            return 0;
    return size;
}

bool json_text_is_utf8(const char *bytes, size_t size, size_t *fault)
{
    size_t at = 0, step = 1;

    while (at < size && step > 0) {
        step = character_size((const unsigned char *)bytes + at, size - at);
        at += step;
    }
    if (fault)
        *fault = at;
    return at == size;
}

/* Four hex digits; -1 if they are not. */
static int hex4(const char *at, const char *end)
{
    int value = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = is_digit(c)              ? c - '0'
                    : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                    : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                             : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The character that \uXXXX, or a pair of them, means; *at is behind its `u` and then behind all of
 * it. -1: there is no such character. */
static long escaped_character(const char **at, const char *end)
{
    long high = hex4(*at, end), low;

    if (high < 0)
        return -1;
    *at += 4;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1;
    low = hex4(*at + 2, end);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    *at += 6;
    return 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00);
}

static int check_escape(struct json_reader *reader)
{
    const char *at = reader->at + 1; /* behind the backslash */

    if (at == reader->end || !*at || !strchr("\"\\/bfnrtu", *at))
        return -EINVAL;
    if (*at++ == 'u' && escaped_character(&at, reader->end) < 0)
        return -EINVAL;
    reader->at = at;
    return 0;
}

static int check_string(struct json_reader *reader)
{
    if (reader->at == reader->end || *reader->at != '"')
        return -EINVAL;
    reader->at++;
    while (reader->at < reader->end && *reader->at != '"') {
        if ((unsigned char)*reader->at < 0x20)
            return -EINVAL;
        if (*reader->at != '\\')
            reader->at++;
        else if (check_escape(reader) < 0)
            return -EINVAL;
    }
    if (reader->at == reader->end)
        return -EINVAL;
    reader->at++;
    return 0;
}

static int check_digits(struct json_reader *reader)
{
    if (reader->at == reader->end || !is_digit(*reader->at))
        return -EINVAL;
    while (reader->at < reader->end && is_digit(*reader->at))
        reader->at++;
    return 0;
}

static bool take(struct json_reader *reader, const char *any)
{
    if (reader->at == reader->end || !*reader->at || !strchr(any, *reader->at))
        return false;
    reader->at++;
    return true;
}

static int check_number(struct json_reader *reader)
{
    int r = 0;

    take(reader, "-");
    if (!take(reader, "0"))
        r = check_digits(reader);
    if (r == 0 && take(reader, "."))
        r = check_digits(reader);
    if (r == 0 && take(reader, "eE")) {
        take(reader, "+-");
        r = check_digits(reader);
    }
    return r;
}

static int check_word(struct json_reader *reader)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(reader->end - reader->at) >= length &&
            memcmp(reader->at, words[i], length) == 0) {
            reader->at += length;
            return 0;
        }
    }
    return -EINVAL;
}

static int check_value(struct json_reader *reader, unsigned depth);

static int check_member(struct json_reader *reader, unsigned depth)
{
    int r = check_string(reader);

    reader->at = skip_space(reader->at, reader->end);
    if (r == 0 && !take(reader, ":"))
        r = -EINVAL;
    return r < 0 ? r : check_value(reader, depth);
}

static int check_nested(struct json_reader *reader, unsigned depth)
{
    bool is_object = *reader->at++ == '{';
    const char *bracket = is_object ? "}" : "]";
    int r = depth > reader->deepest ? -E2BIG : 0;

    reader->at = skip_space(reader->at, reader->end);
    if (r < 0 || take(reader, bracket))
        return r;
    do {
        reader->at = skip_space(reader->at, reader->end);
        r = is_object ? check_member(reader, depth) : check_value(reader, depth);
        reader->at = skip_space(reader->at, reader->end);
    } while (r == 0 && take(reader, ","));
    if (r == 0 && !take(reader, bracket))
        r = -EINVAL;
    return r;
}

static int check_value(struct json_reader *reader, unsigned depth)
{
    reader->at = skip_space(reader->at, reader->end);
    if (reader->at == reader->end)
        return -EINVAL;
    switch (*reader->at) {
    case '{':
    case '[':
        return check_nested(reader, depth + 1);
    case '"':
        return check_string(reader);
    case 't':
    case 'f':
    case 'n':
        return check_word(reader);
    default:
        return check_number(reader);
    }
}

int json_text_check(const char *bytes, size_t size, unsigned deepest, struct json_span *out,
                    size_t *fault)
{
    const char *end = bytes + size, *start = skip_space(bytes, end);
    struct json_reader reader = {.at = start, .end = end, .deepest = deepest};
    int r = json_text_is_utf8(bytes, size, fault) ? 0 : -EINVAL;

    if (r < 0)
        return r;
    r = check_value(&reader, 0);
    *out = (struct json_span){start, reader.at};
    if (r == 0)
        reader.at = skip_space(reader.at, end);
    if (r == 0 && reader.at != end)
        r = -EINVAL;
    *fault = (size_t)(reader.at - bytes);
    return r;
}

static const char *behind_string(const char *at)
{
    for (at++; *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at + 1;
}

static const char *behind_nested(const char *at)
{
    size_t depth = 0;

    do {
        if (*at == '"') {
            at = behind_string(at);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        at++;
    } while (depth > 0);
    return at;
}

static struct json_span take_value(struct json_span *rest)
{
    const char *start = skip_space(rest->at, rest->end), *at = start;

    if (*at == '"')
        at = behind_string(at);
    else if (*at == '{' || *at == '[')
        at = behind_nested(at);
    else
        while (at < rest->end && !is_space(*at) && *at != ',' && *at != ']' && *at != '}')
            at++;
    rest->at = skip_space(at, rest->end);
    return (struct json_span){start, at};
}

struct json_span json_text_enter(struct json_span value)
{
    return (struct json_span){skip_space(value.at + 1, value.end), value.end};
}

bool json_text_next_element(struct json_span *rest, struct json_span *value)
{
    if (*rest->at == ']' || *rest->at == '}')
        return false;
    *value = take_value(rest);
    if (*rest->at == ',')
        rest->at = skip_space(rest->at + 1, rest->end);
    return true;
}

bool json_text_next_member(struct json_span *rest, struct json_span *key, struct json_span *value)
{
    if (*rest->at == '}')
        return false;
    *key = take_value(rest);
    rest->at++; /* the colon */
    return json_text_next_element(rest, value);
}

static size_t put_character(char *out, long c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00 >> size & 0xff) | c);
    return size;
}

static size_t put_escape(char *out, const char **at, const char *end)
{
    static const char names[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    char c = *(*at)++;
    const char *name = strchr(names, c);

    if (c == 'u')
        return put_character(out, escaped_character(at, end));
    *out = name ? meanings[name - names] : c;
    return 1;
}

char *json_text_string(struct json_span string, size_t *length)
{
    const char *at = string.at + 1, *end = string.end - 1;
    char *out = malloc((size_t)(end - at) + 1);
    size_t used = 0;

    if (!out)
        return NULL;
    while (at < end) {
        if (*at != '\\') {
            out[used++] = *at++;
            continue;
        }
        at++;
        used += put_escape(out + used, &at, end);
    }
    out[used] = '\0';
    *length = used;
    return out;
}
