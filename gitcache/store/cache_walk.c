#include "gitcache/store/cache_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/folder.h"

#define DEPTH_MAX 64 /* folders between the cache's and a repository */

struct cache_visit {
    int (*visit)(void *data, const char *folder, struct error *e);
    void *data;
};

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

static int walk(const struct cache_visit *visit, const char *folder, int depth, struct error *e)
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
            r = visit->visit(visit->data, path, e);
        else if (depth < DEPTH_MAX)
            r = walk(visit, path, depth + 1, e);
        free(path);
    }
    if (r == 0 && end < 0)
        r = error_set(e, -end, "cannot read %s: %s", folder, strerror(-end));
    closedir(stream);
    return r;
}

int cache_walk(const struct cache *cache,
               int (*visit)(void *data, const char *folder, struct error *e), void *data,
               struct error *e)
{
    return walk(&(struct cache_visit){visit, data}, cache_folder(cache), 0, e);
}

uint64_t cache_walk_size(const struct cache *cache)
{
    char *const paths[] = {(char *)cache_folder(cache), NULL};
    FTS *stream = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    const FTSENT *entry;
    uint64_t size = 0;

    while (stream && (entry = fts_read(stream)))
        if (entry->fts_info == FTS_F || entry->fts_info == FTS_D)
            size += 512 * (uint64_t)entry->fts_statp->st_blocks;
    if (stream)
        fts_close(stream);
    return size;
}
