/* verb_gc.c - removes from the cache what no set names and nobody has read for long. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs/cli/verb.h"
#include "fs/sets/sets.h"
#include "gitcache/fetch/bring_back.h"
#include "gitcache/store/cache_walk.h"
#include "gitcache/store/gc_room.h"

static void print_removed(void *data, const char *repository, const char *name, int64_t last_read)
{
    time_t time = (time_t)last_read;
    char date[32] = "?";
    struct tm tm;

    (void)data;
    if (gmtime_r(&time, &tm))
        strftime(date, sizeof date, "%Y-%m-%d", &tm);
    printf("%s\t%s\tlast read %s\n", repository, name, date);
}

static void print_skipped(void *data, const struct error *why)
{
    (void)data;
    exit_fail(0, "%s", why->text);
}

static const char *format_bytes(uint64_t bytes, char buffer[32])
{
    if (bytes < 1000000)
        snprintf(buffer, 32, "%.1f kB", (double)bytes / 1e3);
    else
        snprintf(buffer, 32, "%.1f MB", (double)bytes / 1e6);
    return buffer;
}

/* One run of gc, as it was asked for. */
struct gc_command {
    const struct arguments *arguments;
    struct cache *cache;
    struct gc_options options;
    struct bring_back *bring_back; /* with --max-size */
    struct gc_report report;
    uint64_t size; /* with --max-size: of the cache, before and then after it */
};

static void report_result(const struct gc_command *command)
{
    const struct gc_report *report = &command->report;
    const char *plural = report->removed == 1 ? "" : "s";
    char bytes[32];

    format_bytes(report->bytes, bytes);
    if (command->options.dry_run)
        printf("%zu version%s would be removed, about %s freed; %zu stay. Nothing was done.\n",
               report->removed, plural, bytes, report->kept);
    else
        printf("%zu version%s removed, %s freed; %zu stay.\n", report->removed, plural, bytes,
               report->kept);
}

static int remove_by_age(struct gc_command *command, struct error *e)
{
    const struct arguments *arguments = command->arguments;
    struct gc *gc = NULL;
    int r = gc_begin(&gc, command->cache, arguments->days, e);

    if (r == 0)
        r = sets_keep(gc, arguments->settings.sets, e);
    if (r == 0)
        r = gc_run(gc, &command->options, &command->report, e);
    gc_end(gc);
    if (r == 0 && !arguments->settings.quiet)
        report_result(command);
    return r;
}

static bool returns(void *data, const char *folder, const char *ref, const struct oid *target)
{
    struct gc_command *command = data;

    return !command->arguments->settings.offline &&
           bring_back_can(command->bring_back, folder, NULL, ref, target);
}

/* Again where files take less room than they have bytes. */
static int make_room(struct gc_command *command, struct gc *gc, struct error *e)
{
    uint64_t max = command->arguments->max_size;
    struct gc_report round = {.bytes = 1};
    int r = 0;

    command->size = cache_walk_size(command->cache);
    while (r == 0 && command->size > max && round.bytes > 0) {
        r = gc_room_make(gc, command->size - max, &command->options, &round, e);
        command->report.removed += round.removed;
        command->report.skipped += round.skipped;
        command->report.bytes += round.bytes;
        if (command->options.dry_run)
            break;
        command->size = cache_walk_size(command->cache);
    }
    if (command->options.dry_run)
        command->size -= command->report.bytes < command->size ? command->report.bytes : 0;
    return r;
}

static void report_size(const struct gc_command *command)
{
    const struct gc_report *report = &command->report;
    const char *plural = report->removed == 1 ? "" : "s";
    char bytes[32], size[32];

    format_bytes(report->bytes, bytes);
    format_bytes(command->size, size);
    if (command->options.dry_run)
        printf(
            "%zu version%s would be removed, about %s freed; the cache would take %s. Nothing was "
            "done.\n",
            report->removed, plural, bytes, size);
    else
        printf("%zu version%s removed, %s freed; the cache takes up %s.\n", report->removed, plural,
               bytes, size);
}

static int remove_by_size(struct gc_command *command, struct error *e)
{
    const struct settings *settings = &command->arguments->settings;
    struct gc *gc = NULL;
    int r = bring_back_new(&command->bring_back, settings->cache, &settings->remote, NULL, e);

    command->report = (struct gc_report){.removed = 0};
    if (r == 0)
        r = gc_room_begin(&gc, command->cache, 0, true, e);
    if (r == 0)
        r = sets_keep(gc, settings->sets, e);
    if (r == 0)
        r = make_room(command, gc, e);
    gc_end(gc);
    bring_back_free(command->bring_back);
    if (r < 0)
        return r;
    if (!settings->quiet)
        report_size(command);
    if (command->size > command->arguments->max_size)
        exit_fail(0,
                  "the cache is still larger than --max-size: what is left is named by a set, is "
                  "in use, or could not be fetched again%s",
                  settings->offline ? " (offline, nothing could)" : "");
    return 0;
}

int verb_gc(struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct gc_command command = {
        .arguments = arguments,
        .options = {.dry_run = arguments->dry_run,
                    .removed = settings->quiet ? NULL : print_removed,
                    .skipped = print_skipped,
                    .returns = returns,
                    .data = &command},
    };
    struct error error;
    size_t skipped = 0;

    if (access(settings->cache, F_OK) < 0)
        return exit_fail(EXIT_FAILED, "there is no cache %s: %s", settings->cache, strerror(errno));
    int r = cache_open(&command.cache, settings->cache, false, &error);
    if (r == 0 && (!arguments->max_size || arguments->has_days)) {
        r = remove_by_age(&command, &error);
        skipped = command.report.skipped;
    }
    if (r == 0 && arguments->max_size)
        r = remove_by_size(&command, &error);
    if (r < 0)
        exit_fail(EXIT_FAILED, "%s", error.text);
    cache_close(command.cache);
    return r < 0 || skipped + command.report.skipped ? EXIT_FAILED : EXIT_OK;
}
