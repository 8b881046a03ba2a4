#include "fs/terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define USUAL_COLUMNS 80
#define LEAST_COLUMNS 20 /* nothing sensible fits into less */

static unsigned number_in(const char *variable)
{
    const char *text = getenv(variable);
    long number = text && *text ? strtol(text, NULL, 10) : 0;

    return number > 0 && number < 10000 ? (unsigned)number : 0;
}

/* Where NO_COLOR is set, and not empty, its user wants none: https://no-color.org. */
static bool wants_colours(bool can_move, enum colour colour)
{
    const char *no = getenv("NO_COLOR");

    if (colour != COLOUR_AUTO)
        return colour == COLOUR_ALWAYS;
    return can_move && !(no && *no);
}

struct terminal terminal_of(int fd, enum colour colour)
{
    const char *kind = getenv("TERM");
    struct winsize size = {0};
    bool is_terminal = isatty(fd);
    struct terminal terminal = {
        .can_move = is_terminal && kind && *kind && strcmp(kind, "dumb") != 0,
        .columns = number_in("COLUMNS"),
    };

    if (is_terminal)
        ioctl(fd, TIOCGWINSZ, &size);
    if (!terminal.columns && is_terminal)
        terminal.columns = size.ws_col ? size.ws_col : USUAL_COLUMNS;
    if (terminal.columns && terminal.columns < LEAST_COLUMNS)
        terminal.columns = LEAST_COLUMNS;
    terminal.rows = is_terminal ? size.ws_row : 0;
    terminal.colours = wants_colours(terminal.can_move, colour);
    return terminal;
}

const char *terminal_style(const struct terminal *terminal, enum style style)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "",        [STYLE_BOLD] = "\033[1m",     [STYLE_FAINT] = "\033[2m",
        [STYLE_GOOD] = "\033[32m", [STYLE_WARNING] = "\033[33m", [STYLE_ERROR] = "\033[31m",
    };

    return terminal->colours ? codes[style] : "";
}

const char *terminal_plain(const struct terminal *terminal)
{
    return terminal->colours ? "\033[0m" : "";
}

/* ---- texts ---- */

/* The length of the character of UTF-8 that text begins with, and its number; 0: it is none. */
static size_t character(const char *text, uint32_t *number)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t length = c[0] < 0x80   ? 1
                    : c[0] < 0xc2 ? 0
                    : c[0] < 0xe0 ? 2
                    : c[0] < 0xf0 ? 3
                    : c[0] < 0xf5 ? 4
                                  : 0;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    *number = length == 1 ? c[0] : c[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0;
        *number = *number << 6 | (c[i] & 0x3f);
    }
    return length && *number >= least[length] && *number <= 0x10ffff ? length : 0;
}

struct range {
    uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++)
        if (number >= ranges[i].first && number <= ranges[i].last)
            return true;
    return false;
}

/* Control characters of both sets, and what turns the direction of the text that follows. */
static bool is_harmful(uint32_t number)
{
    static const struct range ranges[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xd800, 0xdfff}, {0xfeff, 0xfeff},
    };

    return is_in(ranges, sizeof ranges / sizeof *ranges, number);
}

/* Of East Asia's characters, and pictures. */
static bool is_wide(uint32_t number)
{
    static const struct range ranges[] = {
        {0x1100, 0x115f}, {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
        {0xf900, 0xfaff}, {0xfe30, 0xfe6f},   {0xff00, 0xff60},
        {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
    };

    return is_in(ranges, sizeof ranges / sizeof *ranges, number);
}

char *terminal_clean(char *text)
{
    const char *from = text;
    char *to = text;
    uint32_t number;

    while (*from) {
        size_t length = character(from, &number);
        if (length && !is_harmful(number)) {
            memmove(to, from, length);
            to += length;
        } else {
            *to++ = '?';
        }
        from += length ? length : 1;
    }
    *to = '\0';
    return text;
}

/* The bytes of text that take at most so many columns. */
static size_t bytes_within(const char *text, unsigned columns, unsigned *taken)
{
    size_t bytes = 0;
    uint32_t number;

    *taken = 0;
    while (text[bytes]) {
        size_t length = character(text + bytes, &number);
        unsigned width = is_wide(number) ? 2 : 1;
        if (*taken + width > columns)
            break;
        *taken += width;
        bytes += length ? length : 1;
    }
    return bytes;
}

unsigned terminal_width(const char *text)
{
    unsigned taken;

    bytes_within(text, UINT32_MAX / 2, &taken);
    return taken;
}

char *terminal_cut(char *text, unsigned columns)
{
    unsigned taken;

    text[bytes_within(text, columns, &taken)] = '\0';
    return text;
}

char *terminal_cut_middle(char *text, unsigned columns)
{
    static const char dots[] = "...";
    unsigned width = terminal_width(text), taken;

    if (width <= columns)
        return text;
    if (columns < 10)
        return terminal_cut(text, columns);
    unsigned head = (columns - 3) / 2, tail = columns - 3 - head;
    size_t end = bytes_within(text, width - tail, &taken);
    size_t begin = bytes_within(text, head, &taken);
    /* A wide character may have been in the way: one more is left out then. */
    while (terminal_width(text + end) > tail)
        end += bytes_within(text + end, 2, &taken);
    char *kept = text + end;
    memcpy(text + begin, dots, 3);
    memmove(text + begin + 3, kept, strlen(kept) + 1);
    return text;
}

/* The bytes of the next line of at most so many columns: to the last blank that fits, if there is one. */
static size_t next_line(const char *text, unsigned columns)
{
    unsigned taken;
    size_t bytes = bytes_within(text, columns, &taken);

    if (!text[bytes] || text[bytes] == ' ')
        return bytes;
    for (size_t i = bytes; i > 0; i--)
        if (text[i - 1] == ' ')
            return i - 1;
    return bytes ? bytes : 1;
}

void terminal_print(const struct terminal *terminal, FILE *out, enum style style, unsigned first,
                    unsigned rest, const char *text)
{
    unsigned indent = first;

    do {
        size_t bytes =
            terminal->columns
                ? next_line(text, terminal->columns > indent + 10 ? terminal->columns - indent : 10)
                : strlen(text);
        fprintf(out, "%*s%s%.*s%s\n", (int)indent, "", terminal_style(terminal, style), (int)bytes,
                text, terminal_plain(terminal));
        text += bytes;
        while (*text == ' ')
            text++;
        indent = rest;
    } while (*text);
}

/* ---- numbers ---- */

char *terminal_bytes(double bytes, char buffer[16])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    size_t unit = 0;

    if (bytes < 1000) {
        snprintf(buffer, 16, "%.0f B", bytes);
        return buffer;
    }
    bytes /= 1000;
    for (; bytes >= 999.95 && unit < 3; unit++)
        bytes /= 1000;
    snprintf(buffer, 16, "%.1f %s", bytes < 1e6 ? bytes : 1e6, units[unit]);
    return buffer;
}

char *terminal_time(double seconds, char buffer[24])
{
    unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;

    if (s < 60)
        snprintf(buffer, 24, "%lu s", s);
    else if (s < 3600)
        snprintf(buffer, 24, "%lu min %lu s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(buffer, 24, "%lu h %lu min", s / 3600, s / 60 % 60);
    else
        snprintf(buffer, 24, "%lu d %lu h", s / 86400 % 100000, s / 3600 % 24);
    return buffer;
}
