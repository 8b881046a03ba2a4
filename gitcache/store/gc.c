#include "gitcache/store/gc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/store/cache_folder.h"
#include "gitcache/store/cache_walk.h"
#include "gitcache/store/gc_repository.h"
#include "gitcache/store/gc_reserve.h"
#include "gitcache/store/versions.h"

#define NANOSECONDS ((int64_t)1000000000)

int gc_open(struct gc **out, struct cache *cache, struct error *e)
{
    struct gc *gc;
    int r;

    if (cache_is_read_only(cache))
        return error_set(e, EROFS, "the cache %s is read-only: nothing can be removed from it",
                         cache_folder(cache));
    gc = calloc(1, sizeof *gc);
    if (!gc)
        return error_no_memory(e);
    gc->cache = cache;
    gc->said_until = INT64_MIN;
    gc->had_reserve = gc_reserve_use(cache);
    /* In this order: who comes after we have looked reads later than our now. */
    gc->lease = lease_begin(cache_folder(cache), LEASE_KEEPS);
    if (!gc->lease) {
        gc_end(gc);
        return error_set(e, EACCES, "cannot write in the cache %s", cache_folder(cache));
    }
    r = gc_see_users(gc, true, &gc->oldest, e);
    if (r < 0)
        gc_end(gc);
    else
        *out = gc;
    return r;
}

int gc_see_users(const struct gc *gc, bool of_all, int64_t *oldest, struct error *e)
{
    int r = lease_oldest_other(gc->lease, of_all, oldest);
    return r < 0 ? error_set(e, -r, "cannot see who uses the cache %s: %s", cache_folder(gc->cache),
                             strerror(-r))
                 : 0;
}

void gc_keep_since(struct gc *gc, int64_t seconds, int64_t users)
{
    gc->before = lease_since(gc->lease) - seconds * NANOSECONDS;
    if (users < gc->before)
        gc->before = users;
}

int gc_begin(struct gc **out, struct cache *cache, unsigned days, struct error *e)
{
    int r = gc_open(out, cache, e);

    if (r == 0)
        gc_keep_since(*out, (int64_t)days * 24 * 3600, (*out)->oldest);
    return r;
}

void gc_end(struct gc *gc)
{
    if (!gc)
        return;
    lease_end(gc->lease);
    if (gc->had_reserve)
        gc_reserve_make(gc->cache);
    for (size_t i = 0; i < gc->count; i++)
        free(gc->sources[i].folder);
    free(gc->sources);
    free(gc);
}

/* The commit of a source that names none itself: what the cache has for it. */
static int find_commit(struct gc *gc, const char *url, const char *name, const char *commit,
                       struct oid *out, struct error *e)
{
    struct repository *repository;
    struct version version;
    int r = repository_open(&repository, gc->cache, url, e);

    if (r < 0)
        return r;
    r = versions_find(repository, name, commit, &version, e);
    repository_close(repository);
    if (r == 0)
        *out = version.commit;
    return r;
}

int gc_keep(struct gc *gc, const char *url, const char *name, const char *commit, struct error *e)
{
    struct kept_source *sources, source = {.folder = NULL};
    int r = 0;

    if (!commit || !oid_parse(&source.commit, commit, strlen(commit)))
        r = find_commit(gc, url, name, commit, &source.commit, e);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    source.folder = cache_folder_of_url(cache_folder(gc->cache), url);
    sources = reallocarray(gc->sources, gc->count + 1, sizeof *sources);
    if (sources)
        gc->sources = sources;
    if (!sources || !source.folder) {
        free(source.folder);
        return error_no_memory(e);
    }
    gc->sources[gc->count++] = source;
    return 0;
}

int gc_collect(void *data, const char *folder, struct error *e)
{
    struct error why = {0}, sentence;
    struct gc *gc = data;

    (void)e;
    if (gc_repository(gc, folder, &why) == 0)
        return 0;
    gc->report->skipped++;
    error_set(&sentence, why.errnum, "%s: left as it is: %s", folder, why.text);
    if (gc->options->skipped)
        gc->options->skipped(gc->options->data, &sentence);
    return 0;
}

int gc_run(struct gc *gc, const struct gc_options *options, struct gc_report *report,
           struct error *e)
{
    *report = (struct gc_report){.removed = 0};
    gc->options = options;
    gc->report = report;
    return cache_walk(gc->cache, gc_collect, gc, e);
}
