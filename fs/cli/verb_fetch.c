/* verb_fetch.c - warms the cache with all versions that lists name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/cli/cache_mode.h"
#include "fs/cli/verb.h"
#include "fs/sets/gather.h"
#include "fs/sets/operands.h"
#include "fs/sets/sets.h"
#include "gitcache/base/url.h"

/* The sentence about a source may begin with its URL, which stands before it already. */
static void print_failure(const struct gather_item *item)
{
    char shown[1024], url[1024];
    const char *text = item->error.text;

    url_display(item->source->url, url, sizeof url);
    if (strncmp(text, url, strlen(url)) == 0 && strncmp(text + strlen(url), ": ", 2) == 0)
        text += strlen(url) + 2;
    exit_fail(0, "%s: %s", url_display(item->source->text, shown, sizeof shown), text);
}

static int summary(const struct gather *gathering, bool quiet)
{
    size_t fetched = 0;

    for (size_t i = 0; i < gathering->count; i++) {
        const struct gather_item *item = &gathering->items[i];
        if (item->status)
            print_failure(item);
        else
            fetched += item->fetched;
    }
    if (!quiet)
        printf("%zu version%s: %zu fetched, %zu already in the cache, %zu failed\n",
               gathering->count, gathering->count == 1 ? "" : "s", fetched,
               gathering->count - fetched - gathering->failed, gathering->failed);
    return gathering->failed ? EXIT_UNFETCHED : EXIT_OK;
}

int verb_fetch(struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct gather_options options = {
        .newest = true, .progress = !settings->quiet, .lines = arguments->progress};
    struct gather gathering = {0};
    struct source_list sources = {0};
    struct error error;
    int code = EXIT_OK, r = 0;

    for (size_t i = 0; i < arguments->count && r == 0; i++)
        r = sets_add_sources(&sources, settings->sets, arguments->operands[i], &error);
    if (r == 0)
        r = operands_check(settings, &sources, &error);
    if (r < 0) {
        code = exit_fail(EXIT_USAGE, "%s", error.text);
        goto out;
    }
    r = cache_mode_apply(settings, &error);
    if (r == 0)
        r = gather_run(&gathering, settings, &sources, &options, &error);
    if (r == 0 || r == -EINTR)
        code = summary(&gathering, settings->quiet);
    else
        code = exit_fail(EXIT_FAILED, "%s", error.text);
    gather_release(&gathering);
out:
    source_list_release(&sources);
    return code;
}
