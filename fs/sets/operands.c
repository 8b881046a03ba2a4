#include "fs/sets/operands.h"

#include <errno.h>
#include <unistd.h>

#include "gitcache/base/url.h"
#include "gitcache/store/cache.h"
#include "gitcache/store/repository.h"

#define SHOWN_SIZE 1024

static bool is_cached(const struct settings *settings, const char *url)
{
    struct repository *repository;
    struct cache *cache;

    if (cache_open(&cache, settings->cache, true, NULL) < 0)
        return false;
    bool cached = repository_open(&repository, cache, url, NULL) == 0;
    if (cached) {
        cached = access(repository_folder(repository), F_OK) == 0;
        repository_close(repository);
    }
    cache_close(cache);
    return cached;
}

static bool is_gone(const struct source *source)
{
    return !source->file && source->kind == SOURCE_DEFAULT && *source->url == '/' &&
           !source_path_is_there(source->url);
}

int operands_check(const struct settings *settings, const struct source_list *sources,
                   struct error *e)
{
    char shown[SHOWN_SIZE];

    for (size_t i = 0; i < sources->count; i++) {
        const struct source *source = &sources->items[i];
        if (is_gone(source) && !is_cached(settings, source->url))
            return error_set(e, ENOENT, "%s: no such file or folder, and not a URL",
                             url_display(source->text, shown, sizeof shown));
    }
    return 0;
}
