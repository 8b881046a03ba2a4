#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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
    char before[1 << 16]; /* what was drawn before what was expected last */
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
    snprintf(screen.before, sizeof screen.before, "%.*s", (int)(found - screen.drawn),
             screen.drawn);
    found += strlen(text);
    screen.length -= (size_t)(found - screen.drawn);
    memmove(screen.drawn, found, screen.length + 1);
}

/* Of what stands before "B/s": so many bytes have come since then. */
static void check_rate(double bytes, int64_t begun)
{
    double rate, seconds = (double)(clock_now() - begun) / 1000;
    char unit = ' ';

    assert_true(sscanf(screen.before, "%lf %c", &rate, &unit) >= 1);
    rate *= unit == 'k' ? 1000 : 1;
    assert_true(rate > 0.9 * bytes / seconds && rate < bytes / 0.25);
}

static void the_bar_is_as_full_as_work_is_done(void **state)
{
    int64_t begun = clock_now();
    struct progress *progress = progress_new(4, &(struct progress_options){0});
    struct progress_transfer transfer;

    (void)state;
    expect("[....................] 0/4  0 B  0 B/s");
    progress_begin(progress, &transfer, "one");
    progress_bytes(progress, &transfer, 1500);
    progress_says(progress, &transfer, "Counting\033[1mobjects");
    progress_done(progress, "one", "fetched");
    expect("[#####...............] 1/4  1.5 kB  ");
    expect("B/s");
    check_rate(1500, begun);
    expect("  one  ");
    expect("1.5 kB  Counting?[1mobjects");
    progress_end(progress, &transfer);
    for (int i = 0; i < 3; i++)
        progress_done(progress, "another", "fetched");
    expect("[####################] 4/4  1.5 kB");
    progress_free(progress);
    expect("\r\033[J"); /* nothing stays */
}

static void set_size(unsigned short columns, unsigned short rows)
{
    const struct winsize size = {.ws_row = rows, .ws_col = columns};

    assert_int_equal(ioctl(screen.other_end, TIOCSWINSZ, &size), 0);
}

/* A quarter of the terminal, and no more than 24 columns. The last column stays free. */
static void all_is_as_wide_as_the_terminal(void **state)
{
    struct progress *progress = progress_new(2, &(struct progress_options){.colour = COLOUR_NEVER});
    struct progress_transfer transfer;

    (void)state;
    set_size(160, 24);
    progress_begin(progress, &transfer, "a-name-of-more-than-thirty-two-columns");
    progress_says(progress, &transfer,
                  "A sentence that is longer than there is room for in a narrow terminal");
    expect("\r[........................] 0/2  0 B  0 B/s\033[K\r\n  "
           "a-name-of-more...rty-two-columns  ");
    expect("  0 B  A sentence that is longer than there is room for in a narrow terminal\033[K");
    set_size(40, 24);
    expect("\033[2A\r[..........] 0/2  0 B  0 B/s\033[K\r\n  a-name-of-more...rty-two-columns  ");
    expect("\033[K");
    assert_int_equal(strlen(screen.before), 39 - 36);
    set_size(80, 4); /* room for one transfer, no more */
    progress_end(progress, &transfer);
    struct progress_transfer more[2];
    progress_begin(progress, &more[0], "first");
    progress_begin(progress, &more[1], "second");
    expect("0/2  0 B  0 B/s\033[K\r\n  first ");
    expect("\033[J");
    assert_null(strstr(screen.before, "second"));
    set_size(80, 3);
    expect("0/2  0 B  0 B/s\033[K\r\n\033[J");
    progress_free(progress);
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

/* What it says of the rest may be late, but not early. */
static void the_time_left_is_told_when_it_can_be(void **state)
{
    struct progress *progress = progress_new(3, &(struct progress_options){0});
    int64_t begun = clock_now();
    unsigned left;

    (void)state;
    progress_done(progress, "one", "fetched");
    expect("1/3  0 B  0 B/s\033[0m\033[K");
    expect("1/3  0 B  0 B/s  ");
    int64_t told = clock_now();
    expect(" left\033[0m\033[K");
    assert_int_equal(sscanf(screen.before, "%u s", &left), 1);
    assert_true(told - begun >= 2000);
    assert_in_range(left, 4, (unsigned)(2 * (clock_now() - begun) / 1000));
    progress_free(progress);
}

/* What is over before anybody could have read it is not drawn. */
static void a_short_one_is_not_drawn(void **state)
{
    struct progress *progress = progress_new(1, &(struct progress_options){0});

    (void)state;
    progress_done(progress, "one", "fetched");
    progress_free(progress);
    fputs("end", stderr);
    expect("end");
    assert_string_equal(screen.before, "");
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
        {{.lines = true},
         "one: remote: Counting 1?[2J\nstartpointfs: note: note\n[1/2] one: fetched\n"},
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
        progress_says(progress, &transfer, "Counting 1\033[2J");
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
        ON_A_SCREEN(all_is_as_wide_as_the_terminal),
        ON_A_SCREEN(the_time_left_is_told_when_it_can_be),
        ON_A_SCREEN(a_short_one_is_not_drawn),
        ON_A_SCREEN(elsewhere_there_are_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
