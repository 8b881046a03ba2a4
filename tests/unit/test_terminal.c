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
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", rows[i].text);
        assert_string_equal(terminal_clean(text), rows[i].clean);
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
    assert_string_equal(terminal_time(59, time), "59 s");
    assert_string_equal(terminal_time(192, time), "3 min 12 s");
    assert_string_equal(terminal_time(18180, time), "5 h 3 min");
    assert_string_equal(terminal_time(-5, time), "0 s");
}

/* What made it fail may be anybody's text. */
static void a_sentence_of_failure_is_clean(void **state)
{
    char text[200];
    int pipe_fds[2], kept = dup(STDERR_FILENO);

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    int code = exit_fail(EXIT_UNFETCHED, "%s", "there is no \033[31mred\a");
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
        cmocka_unit_test(texts_are_cut_by_columns),
        cmocka_unit_test(lines_fit),
        cmocka_unit_test(numbers_are_short),
        cmocka_unit_test(a_sentence_of_failure_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
