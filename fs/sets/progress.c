#include "fs/sets/progress.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/thread.h"

#define REDRAW_INTERVAL 200  /* milliseconds */
#define FIRST_DRAWING   300  /* what is over by then needs no bar */
#define GUESS_AFTER     2000 /* before that, the time that is left cannot be told */
#define BAR_MOST        24   /* columns */
#define SHOWN_MOST      4    /* transfers */
#define NAME_MOST       32   /* columns */

struct progress {
    bool quiet, lines, asks;
    enum colour colour;
    bool draws; /* on a terminal, by a thread of its own */
    pthread_t drawer;
    pthread_mutex_t lock; /* guards all below, and stderr */
    pthread_cond_t ended;
    bool is_over;
    size_t all, done;
    uint64_t bytes; /* of the transfers that have ended */
    int64_t began_at;
    struct progress_transfer *transfers; /* under way; the one that began last is first */
    unsigned drawn;                      /* lines */
};

/* ---- drawing ---- */

/* What is to be on the screen is made in one piece, and written in one. */
struct drawing {
    FILE *out;
    struct terminal terminal;
    unsigned lines;
};

static void __attribute__((format(printf, 3, 4)))
draw_line(struct drawing *drawing, enum style style, const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    /* The last column stays free: some terminals begin a new line when it is written. */
    terminal_cut(terminal_clean(line), drawing->terminal.columns - 1);
    fprintf(drawing->out, "%s%s%s\033[K\n", terminal_style(&drawing->terminal, style), line,
            terminal_plain(&drawing->terminal));
    drawing->lines++;
}

static void draw_bar(const struct progress *progress, struct drawing *drawing, int64_t now)
{
    char bar[BAR_MOST + 1], bytes[16], rate[16], left[24], rest[40] = "";
    unsigned columns = drawing->terminal.columns, width = columns / 4;
    uint64_t arrived = progress->bytes;
    double seconds = (double)(now - progress->began_at) / 1000;

    for (const struct progress_transfer *t = progress->transfers; t; t = t->next)
        arrived += t->bytes;
    width = width < BAR_MOST ? width : BAR_MOST;
    size_t full = progress->all ? progress->done * width / progress->all : width;
    memset(bar, '.', width);
    memset(bar, '#', full < width ? full : width);
    bar[width] = '\0';
    if (progress->done > 0 && now - progress->began_at > GUESS_AFTER)
        snprintf(rest, sizeof rest, "  %s left",
                 terminal_time(seconds * (double)(progress->all - progress->done) /
                                   (double)progress->done,
                               left));
    draw_line(drawing, STYLE_BOLD, "[%s] %zu/%zu%s  %s  %s/s%s", bar, progress->done, progress->all,
              progress->asks ? "  asking the remotes" : "", terminal_bytes((double)arrived, bytes),
              terminal_bytes(seconds > 0 ? (double)arrived / seconds : 0, rate), rest);
}

static void draw_transfer(const struct progress_transfer *transfer, struct drawing *drawing,
                          int64_t now)
{
    char name[256], bytes[16], time[24];

    snprintf(name, sizeof name, "%s", transfer->name);
    terminal_cut_middle(terminal_clean(name), NAME_MOST);
    draw_line(drawing, STYLE_FAINT, "  %s  %s  %s  %s", name,
              terminal_time((double)(now - transfer->began_at) / 1000, time),
              terminal_bytes((double)transfer->bytes, bytes), transfer->says);
}

/* Those that have run longest: the last ones. Called with the lock held. */
static void draw_transfers(const struct progress *progress, struct drawing *drawing, int64_t now)
{
    size_t count = 0, most = SHOWN_MOST, i = 0;

    if (drawing->terminal.rows && drawing->terminal.rows < SHOWN_MOST + 3)
        most = drawing->terminal.rows > 3 ? drawing->terminal.rows - 3 : 0;
    for (const struct progress_transfer *t = progress->transfers; t; t = t->next)
        count++;
    for (const struct progress_transfer *t = progress->transfers; t; t = t->next)
        if (i++ + most >= count)
            draw_transfer(t, drawing, now);
}

/* Back to where the drawing began. */
static void go_back(const struct progress *progress, FILE *out)
{
    if (progress->drawn)
        fprintf(out, "\033[%uA", progress->drawn);
    fputs("\r", out);
}

static void draw(struct progress *progress)
{
    struct drawing drawing = {.terminal = terminal_of(STDERR_FILENO, progress->colour)};
    int64_t now = clock_now();
    char *text = NULL;
    size_t size = 0;

    drawing.out = open_memstream(&text, &size);
    if (!drawing.out)
        return;
    go_back(progress, drawing.out);
    draw_bar(progress, &drawing, now);
    draw_transfers(progress, &drawing, now);
    fputs("\033[J", drawing.out);
    fclose(drawing.out);
    progress->drawn = drawing.lines;
    fputs(text, stderr);
    fflush(stderr);
    free(text);
}

static void erase(struct progress *progress)
{
    if (!progress->drawn)
        return;
    go_back(progress, stderr);
    fputs("\033[J", stderr);
    fflush(stderr);
    progress->drawn = 0;
}

static void *run_drawer(void *data)
{
    struct progress *progress = data;
    int64_t next = clock_now() + FIRST_DRAWING;

    pthread_mutex_lock(&progress->lock);
    while (!progress->is_over) {
        thread_wait_until(&progress->ended, &progress->lock, next);
        if (progress->is_over || clock_now() < next)
            continue;
        draw(progress);
        next = clock_now() + REDRAW_INTERVAL;
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

/* ---- from its beginning to its end ---- */

struct progress *progress_new(size_t all, const struct progress_options *options)
{
    struct progress *progress = calloc(1, sizeof *progress);

    if (!progress)
        return NULL;
    progress->all = all;
    progress->quiet = options->quiet;
    progress->lines = options->lines;
    progress->asks = options->asks;
    progress->colour = options->colour;
    progress->began_at = clock_now();
    pthread_mutex_init(&progress->lock, NULL);
    thread_condition_init(&progress->ended);
    progress->draws = !progress->quiet && terminal_of(STDERR_FILENO, COLOUR_NEVER).can_move &&
                      pthread_create(&progress->drawer, NULL, run_drawer, progress) == 0;
    return progress;
}

void progress_free(struct progress *progress)
{
    if (!progress)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->is_over = true;
    pthread_cond_signal(&progress->ended);
    pthread_mutex_unlock(&progress->lock);
    if (progress->draws)
        pthread_join(progress->drawer, NULL);
    erase(progress);
    pthread_cond_destroy(&progress->ended);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}

bool progress_wants_lines(const struct progress *progress)
{
    return progress->draws || (progress->lines && !progress->quiet);
}

void progress_begin(struct progress *progress, struct progress_transfer *transfer, const char *name)
{
    *transfer = (struct progress_transfer){.name = name, .began_at = clock_now()};
    pthread_mutex_lock(&progress->lock);
    transfer->next = progress->transfers;
    progress->transfers = transfer;
    pthread_mutex_unlock(&progress->lock);
}

void progress_end(struct progress *progress, struct progress_transfer *transfer)
{
    struct progress_transfer **place = &progress->transfers;

    pthread_mutex_lock(&progress->lock);
    while (*place != transfer)
        place = &(*place)->next;
    *place = transfer->next;
    progress->bytes += transfer->bytes;
    pthread_mutex_unlock(&progress->lock);
}

void progress_bytes(struct progress *progress, struct progress_transfer *transfer, uint64_t bytes)
{
    pthread_mutex_lock(&progress->lock);
    if (bytes < transfer->bytes) /* another answer has begun */
        progress->bytes += transfer->bytes;
    transfer->bytes = bytes;
    pthread_mutex_unlock(&progress->lock);
}

void progress_says(struct progress *progress, struct progress_transfer *transfer, const char *line)
{
    char text[sizeof transfer->says];

    snprintf(text, sizeof text, "%s", line);
    terminal_clean(text);
    pthread_mutex_lock(&progress->lock);
    memcpy(transfer->says, text, sizeof text);
    if (!progress->quiet && !progress->draws && progress->lines)
        fprintf(stderr, "%s: remote: %s\n", transfer->name, text);
    pthread_mutex_unlock(&progress->lock);
}

void progress_note(struct progress *progress, const char *sentence)
{
    char text[1024];

    snprintf(text, sizeof text, "%s", sentence);
    terminal_clean(text);
    pthread_mutex_lock(&progress->lock);
    if (!progress->quiet) {
        erase(progress);
        fprintf(stderr, "startpointfs: note: %s\n", text);
    }
    pthread_mutex_unlock(&progress->lock);
}

void progress_done(struct progress *progress, const char *name, const char *how)
{
    pthread_mutex_lock(&progress->lock);
    progress->done++;
    if (!progress->quiet && !progress->draws && !progress->asks)
        fprintf(stderr, "[%zu/%zu] %s: %s\n", progress->done, progress->all, name, how);
    pthread_mutex_unlock(&progress->lock);
}
