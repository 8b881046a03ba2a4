/* verb_gc.c - removes from the cache what no set names and nobody has read for long. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs/cli/verb.h"
#include "fs/sets/set.h"
#include "fs/sets/sets.h"
#include "gitcache/store/gc.h"

static int keep_set(struct gc *gc, const struct set *set, struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < set->sources.count && r == 0; i++) {
        const struct source *source = &set->sources.items[i];
        r = gc_keep(gc, source->url, source->version,
                    source->kind == SOURCE_COMMIT ? source->version : source->commit, e);
    }
    return r;
}

/* A set that can't be read may name anything: then nothing is removed. */
static int keep_sets(struct gc *gc, const char *folder, struct error *e)
{
    struct set set;
    char **names;
    int r = sets_names(folder, &names, e);

    if (r < 0)
        return r;
    for (size_t i = 0; names[i] && r == 0; i++) {
        r = set_load(&set, folder, names[i], e);
        if (r == 0) {
            r = keep_set(gc, &set, e);
            set_release(&set);
        }
    }
    sets_names_free(names);
    return r;
}

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

static int report_result(const struct gc_report *report, const struct arguments *arguments)
{
    const char *plural = report->removed == 1 ? "" : "s";
    char bytes[32];

    format_bytes(report->bytes, bytes);
    if (!arguments->settings.quiet && arguments->dry_run)
        printf("%zu version%s would be removed, about %s freed; %zu stay. Nothing was done.\n",
               report->removed, plural, bytes, report->kept);
    else if (!arguments->settings.quiet)
        printf("%zu version%s removed, %s freed; %zu stay.\n", report->removed, plural, bytes,
               report->kept);
    return report->skipped ? EXIT_FAILED : EXIT_OK;
}

int verb_gc(struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct gc_options options = {
        .dry_run = arguments->dry_run,
        .removed = settings->quiet ? NULL : print_removed,
        .skipped = print_skipped,
    };
    struct cache *cache = NULL;
    struct gc *gc = NULL;
    struct gc_report report;
    struct error error;
    int code;

    if (access(settings->cache, F_OK) < 0)
        return exit_fail(EXIT_FAILED, "there is no cache %s: %s", settings->cache, strerror(errno));
    if (cache_open(&cache, settings->cache, false, &error) < 0 ||
        gc_begin(&gc, cache, arguments->days, &error) < 0 ||
        keep_sets(gc, settings->sets, &error) < 0 || gc_run(gc, &options, &report, &error) < 0)
        code = exit_fail(EXIT_FAILED, "%s", error.text);
    else
        code = report_result(&report, arguments);
    gc_end(gc);
    cache_close(cache);
    return code;
}
