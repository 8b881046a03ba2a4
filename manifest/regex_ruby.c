/* regex_ruby.c - see regex_ruby.h. */
#include "manifest/regex_ruby.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define HEX_DIGITS "0123456789abcdefABCDEF"

/* A pattern on its way through. */
struct rewrite {
    const char *at;
    char *out;
    unsigned char bytes[4]; /* of a character that is written as escapes of its bytes */
    size_t byte_count;
    const char *fault;
};

static void fault(struct rewrite *rewrite, const char *why)
{
    if (!rewrite->fault)
        rewrite->fault = why;
}

static void copy(struct rewrite *rewrite, size_t length)
{
    memcpy(rewrite->out, rewrite->at, length);
    rewrite->out += length;
    rewrite->at += length;
}

static void put(struct rewrite *rewrite, const char *text)
{
    size_t length = strlen(text);
    memcpy(rewrite->out, text, length);
    rewrite->out += length;
}

/* Reads up to `most` digits of base 8 or 16; *length says how many. */
static uint32_t digits(const char *text, unsigned base, size_t most, size_t *length)
{
    uint32_t number = 0;
    size_t have = strspn(text, base == 8 ? "01234567" : HEX_DIGITS);
    *length = have < most ? have : most;
    for (size_t i = 0; i < *length; i++) {
        char c = text[i];
        number = number * base + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return number;
}

static bool is_character(uint32_t code)
{
    return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* \u{61 1f600}: several characters, which Oniguruma writes one by one, as \x{...}. */
static void rewrite_unicode_list(struct rewrite *rewrite)
{
    size_t length, count = 0;
    rewrite->at += strlen("\\u{");
    rewrite->at += strspn(rewrite->at, " \t");
    for (; strchr(HEX_DIGITS, *rewrite->at) && *rewrite->at; count++) {
        char character[16];
        uint32_t code = digits(rewrite->at, 16, 7, &length);
        if (length > 6 || !is_character(code))
            fault(rewrite, "invalid Unicode range");
        rewrite->at += length;
        rewrite->at += strspn(rewrite->at, " \t");
        snprintf(character, sizeof(character), "\\x{%x}", code & 0x1fffff);
        put(rewrite, character);
    }
    if (count == 0 || *rewrite->at != '}')
        fault(rewrite, count == 0 ? "invalid Unicode list" : "unterminated Unicode escape");
    else
        rewrite->at++;
}

static void rewrite_unicode(struct rewrite *rewrite)
{
    size_t length;
    if (rewrite->at[2] == '{') {
        rewrite_unicode_list(rewrite);
        return;
    }
    uint32_t code = digits(rewrite->at + 2, 16, 4, &length);
    if (length < 4)
        fault(rewrite, "too short escape sequence");
    else if (!is_character(code))
        fault(rewrite, "invalid Unicode range");
    copy(rewrite, 2 + length);
}

/* Bytes above 0x7f have to make up whole characters of UTF-8; then a letter stands for each. */
static void add_byte(struct rewrite *rewrite, unsigned char byte)
{
    static const unsigned char second_least[] = {[0xe0 - 0xe0] = 0xa0, [0xf0 - 0xe0] = 0x90};
    unsigned char *bytes = rewrite->bytes;
    bytes[rewrite->byte_count++] = byte;
    size_t length = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    bool is_second = rewrite->byte_count == 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || (rewrite->byte_count > 1 && (byte & 0xc0) != 0x80) ||
        (is_second && (bytes[0] == 0xe0 || bytes[0] == 0xf0) &&
         byte < second_least[bytes[0] - 0xe0]) ||
        (is_second && bytes[0] == 0xed && byte > 0x9f) ||
        (is_second && bytes[0] == 0xf4 && byte > 0x8f))
        fault(rewrite, "invalid multibyte escape");
    if (rewrite->fault || rewrite->byte_count < length)
        return;
    rewrite->byte_count = 0;
    put(rewrite, "a");
}

/* \xHH and \OOO. */
static void rewrite_byte(struct rewrite *rewrite, unsigned base, size_t skip, size_t most)
{
    size_t length;
    uint32_t byte = digits(rewrite->at + skip, base, most, &length);
    if (length == 0)
        fault(rewrite, "invalid hex escape");
    if (byte > 0xff)
        fault(rewrite, "invalid escape code");
    if (byte < 0x80) {
        copy(rewrite, skip + length); /* also a back reference: \1 */
        return;
    }
    rewrite->at += skip + length;
    add_byte(rewrite, (unsigned char)byte);
}

static bool is_repeated(const char *at)
{
    if (*at == '{')
        return strspn(at + 1, "0123456789") > 0 || (at[1] == ',' && at[2] >= '0' && at[2] <= '9');
    return *at && strchr("*+?", *at);
}

/* Ruby lets an anchor be repeated; so does Oniguruma with what stands for nothing behind it. */
static void end_anchor(struct rewrite *rewrite)
{
    if (is_repeated(rewrite->at))
        put(rewrite, "(?:)");
}

static bool is_byte_escape(const char *at)
{
    size_t length;
    return at[1] == 'x' || digits(at + 1, 8, 3, &length) > 0x7f;
}

static void rewrite_escape(struct rewrite *rewrite)
{
    const char *at = rewrite->at;
    if (at[1] == 'u') {
        rewrite_unicode(rewrite);
    } else if (is_byte_escape(at)) {
        bool hex = at[1] == 'x';
        rewrite_byte(rewrite, hex ? 16 : 8, hex ? 2 : 1, hex ? 2 : 3);
    } else if (at[1] == 'M') {
        fault(rewrite, "too short escaped multibyte character");
        copy(rewrite, 2);
    } else {
        bool anchor = at[1] && strchr("AZzGbBKyY", at[1]); /* in a set it does no harm */
        copy(rewrite, at[1] ? 2 : 1);
        if (anchor)
            end_anchor(rewrite);
    }
}

/* (?a) and its like: the options a, d and u, which only Ruby has, become i. */
static void rewrite_group(struct rewrite *rewrite)
{
    size_t length = strspn(rewrite->at + 2, "imxadu-");
    char end = rewrite->at[2 + length];
    copy(rewrite, 2);
    if (end != ')' && end != ':')
        return;
    for (size_t i = 0; i < length; i++, rewrite->at++)
        *rewrite->out++ = strchr("adu", *rewrite->at) ? 'i' : *rewrite->at;
}

static void rewrite_plain(struct rewrite *rewrite, size_t *class_depth)
{
    char c = *rewrite->at;
    if (c == '[')
        ++*class_depth;
    else if (c == ']' && *class_depth > 0)
        --*class_depth;
    if (*class_depth == 0 && c == '(' && rewrite->at[1] == '?') {
        rewrite_group(rewrite);
        return;
    }
    copy(rewrite, 1);
    if (*class_depth == 0 && (c == '^' || c == '$'))
        end_anchor(rewrite);
}

const char *regex_ruby_rewrite(const char *pattern, char *out)
{
    struct rewrite rewrite = {.at = pattern, .out = out};
    size_t class_depth = 0;
    while (*rewrite.at && !rewrite.fault) {
        bool escape = *rewrite.at == '\\';
        if (rewrite.byte_count > 0 && !(escape && is_byte_escape(rewrite.at)))
            fault(&rewrite, "invalid multibyte escape");
        else if (escape)
            rewrite_escape(&rewrite);
        else
            rewrite_plain(&rewrite, &class_depth);
    }
    if (rewrite.byte_count > 0)
        fault(&rewrite, "invalid multibyte escape");
    *rewrite.out = '\0';
    return rewrite.fault;
}
