#include "gitcache/store/gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/folder.h"
#include "gitcache/store/cache_folder.h"
#include "gitcache/store/gc_repository.h"
#include "gitcache/store/versions.h"

#define NANOSECONDS ((int64_t)1000000000)
#define DEPTH_MAX   64 /* folders between the cache's and a repository */

int gc_begin(struct gc **out, struct cache *cache, unsigned days, struct error *e)
{
    struct gc *gc;

    if (cache_is_read_only(cache))
        return error_set(e, EROFS, "the cache %s is read-only: nothing can be removed from it",
                         cache_folder(cache));
    gc = calloc(1, sizeof *gc);
    if (!gc)
        return error_no_memory(e);
    gc->cache = cache;
    /* In this order: who comes after we have looked reads later than our now. */
    gc->lease = lease_begin(cache_folder(cache));
    if (!gc->lease) {
        free(gc);
        return error_set(e, EACCES, "cannot write in the cache %s", cache_folder(cache));
    }
    gc->oldest = lease_oldest_other(gc->lease);
    gc->before = lease_since(gc->lease) - (int64_t)days * 24 * 3600 * NANOSECONDS;
    if (gc->oldest < gc->before)
        gc->before = gc->oldest;
    *out = gc;
    return 0;
}

void gc_end(struct gc *gc)
{
    if (!gc)
        return;
    lease_end(gc->lease);
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

static void collect_or_skip(struct gc *gc, const char *folder)
{
    struct error why = {0}, sentence;

    if (gc_repository(gc, folder, &why) == 0)
        return;
    gc->report->skipped++;
    error_set(&sentence, why.errnum, "%s: left as it is: %s", folder, why.text);
    if (gc->options->skipped)
        gc->options->skipped(gc->options->data, &sentence);
}

/* Also if one of these is missing: then it is a damaged one. */
static bool is_repository(const char *folder)
{
    static const char *const parts[] = {"HEAD", "objects", "refs"};
    size_t length = strlen(folder);
    bool is = false;

    if (length <= 4 || strcmp(folder + length - 4, ".git") != 0)
        return false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !is; i++) {
        char *path = disk_path(folder, parts[i]);
        is = path && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        free(path);
    }
    return is;
}

static bool is_folder(int parent, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_name[0] == '.')
        return false;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(parent, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int walk(struct gc *gc, const char *folder, int depth, struct error *e)
{
    DIR *stream = opendir(folder);
    struct dirent *entry;
    int r = 0, end = 0;

    if (!stream)
        return error_set(e, errno, "cannot read %s: %s", folder, strerror(errno));
    while (r == 0 && (entry = folder_next(stream, &end))) {
        char *path;

        if (!is_folder(dirfd(stream), entry))
            continue;
        path = disk_path(folder, entry->d_name);
        if (!path)
            r = error_no_memory(e);
        else if (is_repository(path))
            collect_or_skip(gc, path);
        else if (depth < DEPTH_MAX)
            r = walk(gc, path, depth + 1, e);
        free(path);
    }
    if (r == 0 && end < 0)
        r = error_set(e, -end, "cannot read %s: %s", folder, strerror(-end));
    closedir(stream);
    return r;
}

int gc_run(struct gc *gc, const struct gc_options *options, struct gc_report *report,
           struct error *e)
{
    *report = (struct gc_report){.removed = 0};
    gc->options = options;
    gc->report = report;
    return walk(gc, cache_folder(gc->cache), 0, e);
}
