#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/exit.h"
#include "fs/terminal.h"

static void what_a_terminal_would_obey_is_replaced(void **state)
{
    static const struct {
        const char *text, *clean;
    } rows[] = {
        {"plain", "plain"},
        {"a\033[31mb\a\r\n\x7f", "a?[31mb????"},
        {"\xc2\x9b"
         "31m",
         "?31m"}, /* the same sequence in one character */
        {"abc\xe2\x80\xae"
         "fdp",
         "abc?fdp"},                                  /* turns the direction */
        {"\xff\xc0\xaf\xe2\x82", "?????"},            /* no UTF-8, overlong, cut off */
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"}, /* stays */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xed\xa0\x80", "?"}, /* half of a pair */
        /* The first and the last of each length; and what is just beside. */
        {"\xc1\xbf", "??"},
        {"\xc3\x80\xdf\xbf", "\xc3\x80\xdf\xbf"},
        {"\xe0\x9f\xbf", "???"},
        {"\xe0\xa0\x80\xef\xbf\xbd", "\xe0\xa0\x80\xef\xbf\xbd"},
        {"\xf0\x8f\xbf\xbf", "????"},
        {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
        {"\xf4\x90\x80\x80\xf5\x80\x80\x80", "????????"},
        {"\x80\xbf", "??"},
        {"\xc3x\xe2\x82x", "?x??x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", rows[i].text);
        assert_string_equal(terminal_clean(text), rows[i].clean);
    }
}

/* UTF-8, of 0x80 at least. */
static const char *utf8(uint32_t number, char text[5])
{
    size_t length = number < 0x800 ? 2 : number < 0x10000 ? 3 : 4;

    memset(text, 0, 5);
    for (size_t i = length - 1; i > 0; i--, number >>= 6)
        text[i] = (char)(0x80 | (number & 0x3f));
    text[0] = (char)((0xf00 >> length & 0xf0) | number);
    return text;
}

/* Ranges, each with its first and last; what is just beside is not of them. */
static void what_is_harmful_or_wide(void **state)
{
    static const uint32_t harmful[][2] = {{0x80, 0x9f},     {0x61c, 0x61c},   {0x200b, 0x200f},
                                          {0x2028, 0x202e}, {0x2060, 0x206f}, {0xd800, 0xdfff},
                                          {0xfeff, 0xfeff}};
    static const uint32_t wide[][2] = {{0x1100, 0x115f}, {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
                                       {0xf900, 0xfaff}, {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                       {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
    char text[5], control[] = " ~\x1f\x01";

    (void)state;
    assert_string_equal(terminal_clean(control), " ~??");
    for (size_t i = 0; i < sizeof harmful / sizeof *harmful; i++)
        for (uint32_t number = harmful[i][0] - 1; number <= harmful[i][1] + 1; number++) {
            bool within = number >= harmful[i][0] && number <= harmful[i][1];
            if (number >= 0x80)
                assert_int_equal(strcmp(terminal_clean((char *)utf8(number, text)), "?") == 0,
                                 within);
        }
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        assert_int_equal(terminal_width(utf8(wide[i][0] - 1, text)), 1);
        assert_int_equal(terminal_width(utf8(wide[i][0], text)), 2);
        assert_int_equal(terminal_width(utf8(wide[i][1], text)), 2);
        assert_int_equal(terminal_width(utf8(wide[i][1] + 1, text)), 1);
    }
}

static void texts_are_cut_by_columns(void **state)
{
    char text[64] = "https://example.org/some/repository.git", wide[] = "\xe6\xbc\xa2\xe5\xad\x97x";

    (void)state;
    assert_int_equal(terminal_width("gr\xc3\xbc\xc3\x9f"), 4);
    assert_int_equal(terminal_width(wide), 5);
    assert_string_equal(terminal_cut(wide, 3), "\xe6\xbc\xa2");
    assert_string_equal(terminal_cut_middle(text, 39), "https://example.org/some/repository.git");
    assert_string_equal(terminal_cut_middle(text, 20), "https://...itory.git");
    assert_int_equal(terminal_width(text), 20);
    assert_string_equal(terminal_cut_middle(text, 19), "https://...tory.git");
    assert_string_equal(terminal_cut_middle(text, 10), "htt....git");
    assert_string_equal(terminal_cut_middle(text, 9), "htt....gi");
    assert_string_equal(terminal_cut(text, 9), "htt....gi");
    assert_string_equal(terminal_cut(text, 0), "");
    /* A wide character that does not fit is left out. */
    for (unsigned columns = 10; columns < 20; columns++) {
        char all_wide[] = "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2"
                          "\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97";
        unsigned head = (columns - 3) / 2, tail = columns - 3 - head;
        assert_int_equal(terminal_width(terminal_cut_middle(all_wide, columns)),
                         head / 2 * 2 + 3 + tail / 2 * 2);
    }
}

/* In a terminal of so many columns. */
static void check_print(unsigned columns, unsigned first, unsigned rest, const char *text,
                        const char *expected)
{
    struct terminal terminal = {.columns = columns, .colours = true};
    char *printed;
    size_t size;
    FILE *out = open_memstream(&printed, &size);

    terminal_print(&terminal, out, STYLE_PLAIN, first, rest, text);
    fclose(out);
    for (char *end; (end = strstr(printed, "\033[0m\n"));)
        memmove(end, end + 4, strlen(end + 4) + 1);
    assert_string_equal(printed, expected);
    free(printed);
}

static void lines_are_broken_between_words(void **state)
{
    (void)state;
    check_print(20, 0, 4, "one two three four five six seven",
                "one two three four\n    five six seven\n");
    check_print(20, 2, 4, "123456789012345678 next", "  123456789012345678\n    next\n");
    check_print(20, 2, 4, "1234567890123456789 next", "  123456789012345678\n    9 next\n");
    check_print(20, 0, 0, "a   b", "a   b\n");
    check_print(20, 0, 1, "12345678901234567890   b", "12345678901234567890\n b\n");
    check_print(20, 9, 10, "1234567890123 567890123",
                "         12345678901\n          23\n          567890123\n");
    check_print(20, 30, 0, "1234567890 x", "                              1234567890\nx\n");
    check_print(0, 1, 4, "one two three four five six seven eight nine",
                " one two three four five six seven eight nine\n");
    check_print(20, 0, 0, "", "\n");
}

/* A terminal of that size in place of a descriptor, and back. */
static int terminal_of_size(unsigned short columns, unsigned short rows, int *other_end)
{
    const struct winsize size = {.ws_row = rows, .ws_col = columns};
    int terminal;

    assert_int_equal(openpty(other_end, &terminal, NULL, NULL, &size), 0);
    return terminal;
}

static void check_terminal(int fd, bool can_move, unsigned columns, unsigned rows)
{
    struct terminal terminal = terminal_of(fd, COLOUR_AUTO);

    assert_int_equal(terminal.can_move, can_move);
    assert_int_equal(terminal.columns, columns);
    assert_int_equal(terminal.rows, rows);
}

static void what_a_descriptor_leads_to(void **state)
{
    static const struct {
        const char *variable;
        unsigned columns;
    } widths[] = {{"", 100},   {"70", 70}, {"19", 20},     {"20", 20},     {"21", 21},
                  {"-3", 100}, {"0", 100}, {"9999", 9999}, {"10000", 100}, {"x", 100}};
    int other_end, other_other_end, pipes[2];
    int fd = terminal_of_size(100, 30, &other_end),
        unknown = terminal_of_size(0, 0, &other_other_end);

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    setenv("TERM", "xterm", 1);
    unsetenv("COLUMNS");
    check_terminal(fd, true, 100, 30);
    check_terminal(unknown, true, 80, 0);
    check_terminal(pipes[1], false, 0, 0);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        setenv("COLUMNS", widths[i].variable, 1);
        check_terminal(fd, true, widths[i].columns, 30);
    }
    setenv("COLUMNS", "70", 1);
    check_terminal(pipes[1], false, 70, 0);
    unsetenv("COLUMNS");
    for (int i = 0; i < 3; i++) {
        i == 2 ? unsetenv("TERM") : setenv("TERM", i ? "dumb" : "", 1);
        check_terminal(fd, false, 100, 30);
        assert_false(terminal_of(fd, COLOUR_AUTO).colours);
    }
    for (int i = 0; i < 2; i++) {
        close(pipes[i]);
        close(i ? fd : unknown);
        close(i ? other_end : other_other_end);
    }
}

static void who_wants_colours(void **state)
{
    static const char *const codes[] = {"",         "\033[1m",  "\033[2m",
                                        "\033[32m", "\033[33m", "\033[31m"};
    int other_end, pipes[2], fd = terminal_of_size(100, 30, &other_end);
    struct terminal coloured = {.colours = true}, plain = {.columns = 80};

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_true(terminal_of(fd, COLOUR_AUTO).colours);
    assert_false(terminal_of(fd, COLOUR_NEVER).colours);
    assert_false(terminal_of(pipes[1], COLOUR_AUTO).colours);
    assert_true(terminal_of(pipes[1], COLOUR_ALWAYS).colours);
    setenv("NO_COLOR", "", 1);
    assert_true(terminal_of(fd, COLOUR_AUTO).colours);
    setenv("NO_COLOR", "1", 1);
    assert_false(terminal_of(fd, COLOUR_AUTO).colours);
    assert_true(terminal_of(fd, COLOUR_ALWAYS).colours);
    unsetenv("NO_COLOR");
    for (int style = STYLE_PLAIN; style <= STYLE_ERROR; style++) {
        assert_string_equal(terminal_style(&coloured, (enum style)style), codes[style]);
        assert_string_equal(terminal_style(&plain, (enum style)style), "");
    }
    assert_string_equal(terminal_plain(&coloured), "\033[0m");
    assert_string_equal(terminal_plain(&plain), "");
    close(pipes[0]);
    close(pipes[1]);
    close(fd);
    close(other_end);
}

/* No line is wider than that, whatever the text, and no character is lost. */
static void lines_fit(void **state)
{
    static const char text[] =
        "a sentence with https://example.org/averyveryveryverylongword in it, "
        "and \xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97 besides";

    (void)state;
    for (unsigned columns = 20; columns < 100; columns++) {
        struct terminal terminal = {.columns = columns};
        char *printed, *rest, together[256] = "";
        size_t size;
        FILE *out = open_memstream(&printed, &size);
        terminal_print(&terminal, out, STYLE_ERROR, 0, 4, text);
        fclose(out);
        rest = printed;
        for (char *line; (line = strsep(&rest, "\n"));) {
            assert_true(terminal_width(line) <= columns);
            strcat(together, line);
        }
        size_t letters = 0, expected = 0;
        for (const char *c = together; *c; c++)
            letters += *c != ' ';
        for (const char *c = text; *c; c++)
            expected += *c != ' ';
        assert_int_equal(letters, expected);
        free(printed);
    }
}

static void numbers_are_short(void **state)
{
    char bytes[16], time[24];

    (void)state;
    assert_string_equal(terminal_bytes(0, bytes), "0 B");
    assert_string_equal(terminal_bytes(999, bytes), "999 B");
    assert_string_equal(terminal_bytes(12345, bytes), "12.3 kB");
    assert_string_equal(terminal_bytes(999999, bytes), "1.0 MB");
    assert_string_equal(terminal_bytes(3.4e9, bytes), "3.4 GB");
    assert_string_equal(terminal_bytes(1e30, bytes), "1000000.0 TB");
    assert_string_equal(terminal_bytes(999.4, bytes), "999 B");
    assert_string_equal(terminal_bytes(1000, bytes), "1.0 kB");
    assert_string_equal(terminal_bytes(999949, bytes), "999.9 kB");
    assert_string_equal(terminal_bytes(999950, bytes), "1.0 MB");
    assert_string_equal(terminal_bytes(1e12, bytes), "1.0 TB");
    assert_string_equal(terminal_bytes(2e15, bytes), "2000.0 TB");
    assert_string_equal(terminal_time(0.9, time), "0 s");
    assert_string_equal(terminal_time(59, time), "59 s");
    assert_string_equal(terminal_time(60, time), "1 min 0 s");
    assert_string_equal(terminal_time(192, time), "3 min 12 s");
    assert_string_equal(terminal_time(3599, time), "59 min 59 s");
    assert_string_equal(terminal_time(3600, time), "1 h 0 min");
    assert_string_equal(terminal_time(18180, time), "5 h 3 min");
    assert_string_equal(terminal_time(86399, time), "23 h 59 min");
    assert_string_equal(terminal_time(86400, time), "1 d 0 h");
    assert_string_equal(terminal_time(4 * 86400 + 5 * 3600 + 1800, time), "4 d 5 h");
    assert_string_equal(terminal_time(-5, time), "0 s");
}

/* What made it fail may be anybody's text; in a pipe it is one line, whatever COLUMNS says. */
static void a_sentence_of_failure_is_clean(void **state)
{
    char text[200];
    int pipe_fds[2], kept = dup(STDERR_FILENO);

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    setenv("COLUMNS", "20", 1);
    dup2(pipe_fds[1], STDERR_FILENO);
    int code = exit_fail(EXIT_UNFETCHED, "%s", "there is no \033[31mred\a");
    unsetenv("COLUMNS");
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(pipe_fds[1]);
    ssize_t size = read(pipe_fds[0], text, sizeof text - 1);
    close(pipe_fds[0]);
    assert_true(size > 0);
    text[size] = '\0';
    assert_string_equal(text, "startpointfs: there is no ?[31mred?\n");
    assert_int_equal(code, EXIT_UNFETCHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_terminal_would_obey_is_replaced),
        cmocka_unit_test(what_is_harmful_or_wide),
        cmocka_unit_test(texts_are_cut_by_columns),
        cmocka_unit_test(lines_are_broken_between_words),
        cmocka_unit_test(what_a_descriptor_leads_to),
        cmocka_unit_test(who_wants_colours),
        cmocka_unit_test(lines_fit),
        cmocka_unit_test(numbers_are_short),
        cmocka_unit_test(a_sentence_of_failure_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
