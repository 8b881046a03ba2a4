#include "gitcache/store/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/store/pack_bases.h"
#include "gitcache/store/pack_descriptors.h"

struct cache {
    char *folder;
    bool read_only; /* its opener wants it so */
    struct pack_bases *bases;
    struct pack_descriptors *descriptors;
    void (*say)(void *data, const char *sentence);
    void *say_data;
};

static int open_folder(struct cache *cache, struct error *e)
{
    struct error inner = {0};
    struct stat st;
    int r = cache->read_only ? 0 : disk_make_private_folder(cache->folder, &inner);

    if (stat(cache->folder, &st))
        return r ? error_set(e, inner.errnum, "%s; name another cache with --cache", inner.text)
                 : error_set(e, errno, "there is no cache folder %s: %s", cache->folder,
                             strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return error_set(e, ENOTDIR, "the cache %s is not a folder; name another with --cache",
                         cache->folder);
    return 0;
}

int cache_open(struct cache **out, const char *folder, bool read_only, struct error *e)
{
    struct cache *cache = calloc(1, sizeof *cache);
    int r;

    if (!cache)
        return error_no_memory(e);
    r = library_open(e);
    if (r < 0) {
        free(cache);
        return r;
    }
    cache->read_only = read_only;
    cache->folder = strdup(folder);
    cache->bases = pack_bases_new();
    cache->descriptors = pack_descriptors_new();
    r = cache->folder && cache->bases && cache->descriptors ? open_folder(cache, e)
                                                            : error_no_memory(e);
    if (r < 0)
        cache_close(cache);
    else
        *out = cache;
    return r;
}

void cache_close(struct cache *cache)
{
    if (!cache)
        return;
    pack_bases_free(cache->bases);
    pack_descriptors_free(cache->descriptors);
    free(cache->folder);
    free(cache);
    library_close();
}

const char *cache_folder(const struct cache *cache)
{
    return cache->folder;
}

struct pack_bases *cache_bases(const struct cache *cache)
{
    return cache->bases;
}

struct pack_descriptors *cache_descriptors(const struct cache *cache)
{
    return cache->descriptors;
}

void cache_on_damage(struct cache *cache, void (*say)(void *data, const char *sentence), void *data)
{
    cache->say = say;
    cache->say_data = data;
}

void cache_say(const struct cache *cache, const char *format, ...)
{
    struct error sentence;
    va_list args;

    if (!cache->say)
        return;
    va_start(args, format);
    error_vset(&sentence, EIO, format, args);
    va_end(args);
    cache->say(cache->say_data, sentence.text);
}

bool cache_is_read_only(const struct cache *cache)
{
    return cache->read_only || (access(cache->folder, W_OK) < 0 &&
                                (errno == EROFS || errno == EACCES || errno == EPERM));
}
