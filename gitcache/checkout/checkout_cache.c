#include "gitcache/checkout/checkout_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/hash.h"
#include "gitcache/checkout/attributes.h"

#define BUCKETS    4096
#define MAX_KNOWN  ((size_t)8192)
#define MAX_MEMORY ((size_t)32 << 20)
#define SIZES      8192

/* A folder whose attributes are known. */
struct known_folder {
    struct oid commit;
    char *path;
    struct attributes *attributes;
    size_t memory;
    struct known_folder *next_in_bucket, *newer, *older;
};

/* Where two pairs of blob and conversion meet in one slot, the later one stays. */
struct known_size {
    struct oid blob;
    uint8_t conversion;
    char encoding[27]; /* "" for none; what is longer is not kept */
    uint64_t size;
};

struct checkout_cache {
    atomic_uint_fast64_t reads;
    pthread_mutex_t lock; /* guards all below */
    struct known_folder *buckets[BUCKETS], *newest, *oldest;
    size_t count, memory;
    struct known_size sizes[SIZES];
};

struct checkout_cache *checkout_cache_new(void)
{
    struct checkout_cache *cache = calloc(1, sizeof *cache);

    if (cache)
        pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

uint64_t checkout_cache_reads(const struct checkout_cache *cache)
{
    return atomic_load(&cache->reads);
}

void checkout_cache_count_read(struct checkout_cache *cache)
{
    atomic_fetch_add_explicit(&cache->reads, 1, memory_order_relaxed);
}

static struct known_folder **bucket_of(struct checkout_cache *cache, const struct oid *commit,
                                       const char *path)
{
    uint64_t hash = hash_bytes(HASH_BEGIN, commit->id, sizeof commit->id);

    return &cache->buckets[hash_bytes(hash, path, strlen(path)) % BUCKETS];
}

static void link_newest(struct checkout_cache *cache, struct known_folder *folder)
{
    folder->newer = NULL;
    folder->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = folder;
    cache->newest = folder;
}

static void unlink_age(struct checkout_cache *cache, struct known_folder *folder)
{
    *(folder->newer ? &folder->newer->older : &cache->newest) = folder->older;
    *(folder->older ? &folder->older->newer : &cache->oldest) = folder->newer;
}

static void drop_oldest(struct checkout_cache *cache)
{
    struct known_folder *folder = cache->oldest;
    struct known_folder **link = bucket_of(cache, &folder->commit, folder->path);

    while (*link != folder)
        link = &(*link)->next_in_bucket;
    *link = folder->next_in_bucket;
    cache->oldest = folder->newer;
    *(folder->newer ? &folder->newer->older : &cache->newest) = NULL;
    cache->count--;
    cache->memory -= folder->memory;
    attributes_put(folder->attributes);
    free(folder->path);
    free(folder);
}

void checkout_cache_free(struct checkout_cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        drop_oldest(cache);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* The caller holds the lock. */
static struct known_folder *find(struct checkout_cache *cache, const struct oid *commit,
                                 const char *path)
{
    struct known_folder *folder = *bucket_of(cache, commit, path);

    while (folder && (!oid_equal(&folder->commit, commit) || strcmp(folder->path, path) != 0))
        folder = folder->next_in_bucket;
    return folder;
}

bool checkout_cache_find_attributes(struct checkout_cache *cache, const struct oid *commit,
                                    const char *path, struct attributes **out)
{
    struct known_folder *folder;

    pthread_mutex_lock(&cache->lock);
    folder = find(cache, commit, path);
    if (folder) {
        unlink_age(cache, folder);
        link_newest(cache, folder);
        *out = attributes_share(folder->attributes);
    }
    pthread_mutex_unlock(&cache->lock);
    return folder != NULL;
}

void checkout_cache_keep_attributes(struct checkout_cache *cache, const struct oid *commit,
                                    const char *path, struct attributes *attributes, bool own)
{
    struct known_folder *folder = calloc(1, sizeof *folder), **bucket;
    char *copy = strdup(path);

    pthread_mutex_lock(&cache->lock);
    if (!folder || !copy || find(cache, commit, path)) {
        free(folder);
        free(copy);
    } else {
        *folder = (struct known_folder){
            .commit = *commit,
            .path = copy,
            .attributes = attributes_share(attributes),
            .memory = sizeof *folder + strlen(copy) + (own ? attributes_memory(attributes) : 0),
        };
        bucket = bucket_of(cache, commit, path);
        folder->next_in_bucket = *bucket;
        *bucket = folder;
        link_newest(cache, folder);
        cache->count++;
        cache->memory += folder->memory;
    }
    /* The newest stays, however large: the files of its folder are next. */
    while (cache->oldest != cache->newest &&
           (cache->count > MAX_KNOWN || cache->memory > MAX_MEMORY))
        drop_oldest(cache);
    pthread_mutex_unlock(&cache->lock);
}

/* Fills in what a size depends on. False if it is not kept. */
static bool size_key(struct known_size *key, const struct oid *blob,
                     const struct conversion *conversion)
{
    const char *encoding = conversion->encoding ? conversion->encoding : "";

    *key = (struct known_size){.blob = *blob, .conversion = conversion_pack(conversion)};
    if (strlen(encoding) >= sizeof key->encoding)
        return false;
    strcpy(key->encoding, encoding);
    return true;
}

static struct known_size *slot_of(struct checkout_cache *cache, const struct known_size *key)
{
    uint64_t hash = hash_bytes(HASH_BEGIN, &key->blob, sizeof key->blob);

    return &cache->sizes[(hash_bytes(hash, key->encoding, sizeof key->encoding) + key->conversion) %
                         SIZES];
}

bool checkout_cache_find_size(struct checkout_cache *cache, const struct oid *blob,
                              const struct conversion *conversion, uint64_t *size)
{
    struct known_size key, *slot;
    bool found;

    if (!size_key(&key, blob, conversion))
        return false;
    pthread_mutex_lock(&cache->lock);
    slot = slot_of(cache, &key);
    found = slot->conversion == key.conversion && oid_equal(&slot->blob, &key.blob) &&
            strcmp(slot->encoding, key.encoding) == 0;
    if (found)
        *size = slot->size;
    pthread_mutex_unlock(&cache->lock);
    return found;
}

void checkout_cache_keep_size(struct checkout_cache *cache, const struct oid *blob,
                              const struct conversion *conversion, uint64_t size)
{
    struct known_size key;

    if (!size_key(&key, blob, conversion))
        return;
    key.size = size;
    pthread_mutex_lock(&cache->lock);
    *slot_of(cache, &key) = key;
    pthread_mutex_unlock(&cache->lock);
}
