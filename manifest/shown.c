/* shown.c - see shown.h. */
#include "manifest/shown.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The length of the UTF-8 sequence at text, and its character; 0 if it is not well-formed. The text
 * ends with a NUL, which is never part of a sequence. */
static size_t utf8_decode(const unsigned char *text, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80             ? 1
                    : (text[0] & 0xe0) == 0xc0 ? 2
                    : (text[0] & 0xf0) == 0xe0 ? 3
                    : (text[0] & 0xf8) == 0xf0 ? 4
                                               : 0;
    if (length == 0)
        return 0;
    uint32_t character = length == 1 ? text[0] : text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (text[i] & 0x3f);
    }
    bool surrogate = character >= 0xd800 && character <= 0xdfff;
    if (character < least[length] || character > 0x10ffff || surrogate)
        return 0;
    *out = character;
    return length;
}

static bool acts_on_terminal(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

char *shown_clean(char *text)
{
    unsigned char *from = (unsigned char *)text, *to = from;
    while (*from) {
        uint32_t character = 0;
        size_t length = utf8_decode(from, &character);
        if (length == 0 || acts_on_terminal(character)) {
            *to++ = '?';
            from += length ? length : 1;
        } else {
            memmove(to, from, length);
            to += length;
            from += length;
        }
    }
    *to = '\0';
    return text;
}

char *shown_clip(char buffer[SHOWN_SIZE], const char *bytes, size_t length)
{
    static const char dots[] = "...";
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        bool space = memchr(" \t\r\n", bytes[i], 4) != NULL;
        if (space && used && buffer[used - 1] == ' ')
            continue;
        if (used == SHOWN_SIZE - sizeof(dots)) {
            buffer[used] = bytes[i];
            while (used && ((unsigned char)buffer[used] & 0xc0) == 0x80)
                used--; /* never half a character */
            memcpy(buffer + used, dots, sizeof(dots));
            return buffer;
        }
        buffer[used++] = bytes[i] == '\0' ? '?' : space ? ' ' : bytes[i];
    }
    buffer[used] = '\0';
    return buffer;
}

char *shown_json(const json_t *json)
{
    char *dump = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    if (!dump)
        return NULL;
    size_t length = strlen(dump);
    char *text = malloc(length + 2);
    if (text) {
        memcpy(text, dump, length);
        memcpy(text + length, "\n", 2);
    }
    free(dump);
    return text;
}
