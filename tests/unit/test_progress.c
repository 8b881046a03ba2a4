#include <poll.h>
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

#include "fs/sets/progress.h"
#include "gitcache/base/clock.h"

#define PATIENCE 20000 /* milliseconds */

/* A terminal of 80 columns in place of stderr; what is drawn on it is read at its other end. */
static struct screen {
    int other_end, kept;
    char drawn[1 << 16];
    size_t length;
} screen;

static int screen_open(void **state)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 80};
    int terminal;

    (void)state;
    screen = (struct screen){.kept = dup(STDERR_FILENO)};
    if (openpty(&screen.other_end, &terminal, NULL, NULL, &size) < 0)
        return -1;
    setenv("TERM", "xterm", 1);
    dup2(terminal, STDERR_FILENO);
    close(terminal);
    return 0;
}

static int screen_close(void **state)
{
    (void)state;
    dup2(screen.kept, STDERR_FILENO);
    close(screen.kept);
    close(screen.other_end);
    return 0;
}

/* Reads until that text has been drawn, and forgets all up to its end. */
static void expect(const char *text)
{
    struct pollfd event = {.fd = screen.other_end, .events = POLLIN};
    int64_t until = clock_now() + PATIENCE;
    char *found;

    while (!(found = strstr(screen.drawn, text))) {
        if (poll(&event, 1, PATIENCE) != 1 || clock_now() > until)
            fail_msg("'%s' is not drawn; but: %s", text, screen.drawn);
        ssize_t n = read(screen.other_end, screen.drawn + screen.length,
                         sizeof screen.drawn - 1 - screen.length);
        assert_true(n > 0);
        screen.length += (size_t)n;
    }
    found += strlen(text);
    screen.length -= (size_t)(found - screen.drawn);
    memmove(screen.drawn, found, screen.length + 1);
}

static void the_bar_is_as_full_as_work_is_done(void **state)
{
    struct progress *progress = progress_new(4, &(struct progress_options){0});
    struct progress_transfer transfer;

    (void)state;
    expect("[....................] 0/4  0 B  0 B/s");
    progress_begin(progress, &transfer, "one");
    progress_bytes(progress, &transfer, 1500);
    progress_says(progress, &transfer, "Counting\033[1mobjects");
    progress_done(progress, "one", "fetched");
    expect("[#####...............] 1/4  1.5 kB");
    expect("  one  ");
    expect("1.5 kB  Counting?[1mobjects");
    progress_end(progress, &transfer);
    for (int i = 0; i < 3; i++)
        progress_done(progress, "another", "fetched");
    expect("[####################] 4/4  1.5 kB");
    progress_free(progress);
    expect("\r\033[J"); /* nothing stays */
}

static void of_nothing_all_is_done(void **state)
{
    struct progress *progress = progress_new(0, &(struct progress_options){0});

    (void)state;
    expect("[####################] 0/0");
    progress_free(progress);
}

static void what_comes_again_is_counted_as_well(void **state)
{
    struct progress *progress = progress_new(1, &(struct progress_options){0});
    struct progress_transfer transfer;

    (void)state;
    progress_begin(progress, &transfer, "one");
    progress_bytes(progress, &transfer, 3000);
    progress_bytes(progress, &transfer, 1000); /* of the second answer */
    expect("0/1  4.0 kB");
    progress_end(progress, &transfer);
    progress_free(progress);
}

/* The four that have run longest. */
static void not_all_transfers_are_shown(void **state)
{
    static const char *const names[] = {"first", "second", "third", "fourth", "fifth"};
    struct progress *progress = progress_new(5, &(struct progress_options){0});
    struct progress_transfer transfers[5];

    (void)state;
    for (size_t i = 0; i < 5; i++)
        progress_begin(progress, &transfers[i], names[i]);
    expect("  fourth  ");
    expect("  first  ");
    expect("\033[5A"); /* up to the first of five lines, to draw them anew */
    progress_free(progress);
}

static void a_note_stays(void **state)
{
    struct progress *progress = progress_new(2, &(struct progress_options){0});

    (void)state;
    expect("0/2");
    progress_note(progress, "a tag\033 has moved");
    expect("\033[1A\r\033[Jstartpointfs: note: a tag? has moved\r\n");
    progress_free(progress);
}

/* No terminal: a line each, and none of them if nobody wants any. */
static void elsewhere_there_are_lines(void **state)
{
    static const struct {
        struct progress_options options;
        const char *text;
    } rows[] = {
        {{0}, "startpointfs: note: note\n[1/2] one: fetched\n"},
        {{.lines = true}, "one: remote: Counting\nstartpointfs: note: note\n[1/2] one: fetched\n"},
        {{.asks = true}, "startpointfs: note: note\n"},
        {{.quiet = true, .lines = true}, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        FILE *file = tmpfile();
        struct progress_transfer transfer;
        char text[500] = "";
        dup2(fileno(file), STDERR_FILENO);
        struct progress *progress = progress_new(2, &rows[i].options);
        progress_begin(progress, &transfer, "one");
        progress_says(progress, &transfer, "Counting");
        progress_note(progress, "note");
        progress_end(progress, &transfer);
        progress_done(progress, "one", "fetched");
        progress_free(progress);
        dup2(screen.kept, STDERR_FILENO);
        assert_true(pread(fileno(file), text, sizeof text - 1, 0) >= 0);
        assert_string_equal(text, rows[i].text);
        fclose(file);
    }
}

#define ON_A_SCREEN(test) cmocka_unit_test_setup_teardown(test, screen_open, screen_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_SCREEN(the_bar_is_as_full_as_work_is_done),
        ON_A_SCREEN(of_nothing_all_is_done),
        ON_A_SCREEN(what_comes_again_is_counted_as_well),
        ON_A_SCREEN(not_all_transfers_are_shown),
        ON_A_SCREEN(a_note_stays),
        ON_A_SCREEN(elsewhere_there_are_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
