/* terminal.h - what can be shown where output goes: how wide it is, whether in colours, and texts made fit for it.
 *
 * A terminal is as wide as COLUMNS says, else as it says itself, else 80. What is no terminal has no width (lines are
 * never cut or broken there) unless COLUMNS says so. Colours are for terminals that can show them, not where NO_COLOR
 * is set; --color decides otherwise. */
#ifndef FS_TERMINAL_H
#define FS_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_FAINT, STYLE_GOOD, STYLE_WARNING, STYLE_ERROR };

struct terminal {
    bool can_move; /* a terminal on which lines can be drawn anew */
    bool colours;
    unsigned columns; /* 0: no bound */
    unsigned rows;    /* 0: no bound */
};

/* What fd leads to. Ask again when the window may have changed. */
struct terminal terminal_of(int fd, enum colour colour);

/* What switches a style on, and all of them off; "" without colours. */
const char *terminal_style(const struct terminal *terminal, enum style style);
const char *terminal_plain(const struct terminal *terminal);

/* Replaces what moves the cursor, colours or turns the direction of text, and what is no UTF-8, with '?'; in place. Newlines
 * too: it is one line. Returns text. */
char *terminal_clean(char *text);

/* The columns that a clean text takes. */
unsigned terminal_width(const char *text);

/* Cuts a clean text so that it takes at most so many columns; what is cut in the middle ("https://exa...mple.git")
 * keeps both its ends. In place; returns text. */
char *terminal_cut(char *text, unsigned columns);
char *terminal_cut_middle(char *text, unsigned columns);

/* Prints a clean text, broken between words (a longer word anywhere) into lines that fit: the first indented by `first`, the
 * others by `rest` blanks. */
void terminal_print(const struct terminal *terminal, FILE *out, enum style style, unsigned first,
                    unsigned rest, const char *text);

/* "512 B", "12.3 kB", "1.2 MB", "3.4 GB". Returns buffer. */
char *terminal_bytes(double bytes, char buffer[16]);
/* "12 s", "3 min 12 s", "5 h 3 min", "4 d 5 h", of seconds. Returns buffer. */
char *terminal_time(double seconds, char buffer[24]);

#endif
