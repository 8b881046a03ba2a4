#include "gitcache/store/gc_reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/spool.h"

#define RESERVE_FILE "startpointfs-reserve"
#define RESERVE      (256 << 10) /* bytes: `shallow` and the record of pins, of some thousand versions */

void gc_reserve_make(const struct cache *cache)
{
    char *path = disk_path(cache_folder(cache), RESERVE_FILE);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;

    /* A file system that cannot reserve keeps none: an empty file says nothing. */
    if (fd >= 0 && fallocate(fd, 0, 0, RESERVE) < 0)
        unlink(path);
    if (fd >= 0)
        close(fd);
    free(path);
}

bool gc_reserve_use(const struct cache *cache)
{
    char *path = disk_path(cache_folder(cache), RESERVE_FILE);
    bool was_there = path && unlink(path) == 0;

    free(path);
    return was_there;
}

bool gc_reserve_is_enough(const struct cache *cache)
{
    int fd = spool_open(cache_folder(cache), NULL);
    bool is_enough = fd < 0 || spool_reserve(fd, RESERVE / 2, cache_folder(cache), NULL) == 0;

    if (fd >= 0)
        close(fd);
    return is_enough;
}
