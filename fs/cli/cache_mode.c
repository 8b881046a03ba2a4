#include "fs/cli/cache_mode.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "gitcache/base/disk.h"

int cache_mode_apply(const struct settings *settings, struct error *e)
{
    mode_t mode = settings->cache_mode == CACHE_MODE_ALL ? 0755 : 0700;
    struct stat st;
    int r;

    if (settings->cache_mode == CACHE_MODE_AS_IT_IS)
        return 0;
    r = disk_make_private_folder(settings->cache, e);
    if (r < 0 || (stat(settings->cache, &st) == 0 && (st.st_mode & 07777) == mode))
        return r;
    return chmod(settings->cache, mode) == 0
               ? 0
               : error_set(e, errno, "cannot change the mode of the cache %s: %s", settings->cache,
                           strerror(errno));
}
