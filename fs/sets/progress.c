#include "fs/sets/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gitcache/base/clock.h"

#define REDRAW_INTERVAL 100 /* milliseconds */

struct progress {
    bool quiet, terminal;
    pthread_mutex_t lock; /* guards all below, and stderr */
    size_t all, done;
    uint64_t bytes; /* of all transfers so far */
    int64_t drawn_at;
};

struct progress *progress_new(size_t all, bool quiet)
{
    struct progress *progress = calloc(1, sizeof *progress);

    if (!progress)
        return NULL;
    progress->all = all;
    progress->quiet = quiet;
    progress->terminal = isatty(STDERR_FILENO);
    pthread_mutex_init(&progress->lock, NULL);
    return progress;
}

static unsigned terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void erase(const struct progress *progress)
{
    if (progress->terminal && progress->drawn_at)
        fputs("\r\033[K", stderr);
}

static void draw(struct progress *progress, const char *name)
{
    char line[512];

    if (!progress->terminal || clock_now() - progress->drawn_at < REDRAW_INTERVAL)
        return;
    int length = snprintf(line, sizeof line, "[%zu/%zu] %s %.1f kB", progress->done, progress->all,
                          name, (double)progress->bytes / 1000);
    unsigned width = terminal_width() - 1;
    if (length > 0 && (unsigned)length > width && width < sizeof line)
        line[width] = '\0';
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    progress->drawn_at = clock_now();
}

void progress_bytes(struct progress *progress, const char *name, uint64_t bytes)
{
    if (progress->quiet)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->bytes += bytes;
    draw(progress, name);
    pthread_mutex_unlock(&progress->lock);
}

void progress_line(struct progress *progress, const char *name, const char *line)
{
    char text[300];

    if (progress->quiet)
        return;
    snprintf(text, sizeof text, "%s: remote: %s", name, line);
    pthread_mutex_lock(&progress->lock);
    if (progress->terminal)
        draw(progress, text);
    else
        fprintf(stderr, "%s\n", text);
    pthread_mutex_unlock(&progress->lock);
}

void progress_done(struct progress *progress, const char *name, const char *how)
{
    if (progress->quiet)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->done++;
    if (progress->terminal)
        draw(progress, name);
    else
        fprintf(stderr, "[%zu/%zu] %s: %s\n", progress->done, progress->all, name, how);
    pthread_mutex_unlock(&progress->lock);
}

void progress_free(struct progress *progress)
{
    if (!progress)
        return;
    if (!progress->quiet)
        erase(progress);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}
