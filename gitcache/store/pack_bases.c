#include "gitcache/store/pack_bases.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS   4096
#define MAX_BYTES ((size_t)24 << 20) /* kept in all */
#define MAX_SIZE  ((size_t)2 << 20)  /* of one */

struct kept_base {
    unsigned char pack[SHA1_SIZE];
    uint32_t position;
    struct pack_base *base;
    struct kept_base *next_in_bucket, *newer, *older;
};

struct pack_bases {
    pthread_mutex_t lock; /* guards all below */
    struct kept_base *buckets[BUCKETS], *newest, *oldest;
    size_t bytes;
};

struct pack_base *pack_base_new(size_t size)
{
    struct pack_base *base = size < SIZE_MAX / 2 ? malloc(sizeof *base + size + 1) : NULL;

    if (!base)
        return NULL;
    atomic_init(&base->users, 1);
    base->size = size;
    base->bytes[size] = '\0';
    return base;
}

void pack_base_put(struct pack_base *base)
{
    if (base && atomic_fetch_sub(&base->users, 1) == 1)
        free(base);
}

struct pack_bases *pack_bases_new(void)
{
    struct pack_bases *bases = calloc(1, sizeof *bases);

    if (bases)
        pthread_mutex_init(&bases->lock, NULL);
    return bases;
}

/* A pack's checksum is as good as a hash. */
static struct kept_base **bucket_of(struct pack_bases *bases, const unsigned char *pack,
                                    uint32_t position)
{
    uint32_t word;

    memcpy(&word, pack, sizeof word);
    return &bases->buckets[(word ^ position * 2654435761u) % BUCKETS];
}

static void link_newest(struct pack_bases *bases, struct kept_base *kept)
{
    kept->newer = NULL;
    kept->older = bases->newest;
    *(bases->newest ? &bases->newest->newer : &bases->oldest) = kept;
    bases->newest = kept;
}

static void unlink_age(struct pack_bases *bases, struct kept_base *kept)
{
    *(kept->newer ? &kept->newer->older : &bases->newest) = kept->older;
    *(kept->older ? &kept->older->newer : &bases->oldest) = kept->newer;
}

static void drop_oldest(struct pack_bases *bases)
{
    struct kept_base *kept = bases->oldest;
    struct kept_base **link = bucket_of(bases, kept->pack, kept->position);

    while (*link != kept)
        link = &(*link)->next_in_bucket;
    *link = kept->next_in_bucket;
    unlink_age(bases, kept);
    bases->bytes -= kept->base->size;
    pack_base_put(kept->base);
    free(kept);
}

void pack_bases_free(struct pack_bases *bases)
{
    if (!bases)
        return;
    while (bases->oldest)
        drop_oldest(bases);
    pthread_mutex_destroy(&bases->lock);
    free(bases);
}

/* The caller holds the lock. */
static struct kept_base *find(struct pack_bases *bases, const unsigned char *pack,
                              uint32_t position)
{
    struct kept_base *kept = *bucket_of(bases, pack, position);

    while (kept && (kept->position != position || memcmp(kept->pack, pack, SHA1_SIZE) != 0))
        kept = kept->next_in_bucket;
    return kept;
}

struct pack_base *pack_bases_get(struct pack_bases *bases, const unsigned char pack[SHA1_SIZE],
                                 uint32_t position)
{
    struct pack_base *base = NULL;
    struct kept_base *kept;

    if (!bases)
        return NULL;
    pthread_mutex_lock(&bases->lock);
    kept = find(bases, pack, position);
    if (kept) {
        unlink_age(bases, kept);
        link_newest(bases, kept);
        base = kept->base;
        atomic_fetch_add(&base->users, 1);
    }
    pthread_mutex_unlock(&bases->lock);
    return base;
}

void pack_bases_keep(struct pack_bases *bases, const unsigned char pack[SHA1_SIZE],
                     uint32_t position, struct pack_base *base)
{
    struct kept_base *kept, **bucket;

    if (!bases || base->size > MAX_SIZE)
        return;
    kept = calloc(1, sizeof *kept);
    if (!kept)
        return;
    pthread_mutex_lock(&bases->lock);
    if (find(bases, pack, position)) {
        free(kept);
    } else {
        bucket = bucket_of(bases, pack, position);
        memcpy(kept->pack, pack, SHA1_SIZE);
        kept->position = position;
        kept->base = base;
        atomic_fetch_add(&base->users, 1);
        kept->next_in_bucket = *bucket;
        *bucket = kept;
        link_newest(bases, kept);
        bases->bytes += base->size;
        while (bases->bytes > MAX_BYTES && bases->oldest)
            drop_oldest(bases);
    }
    pthread_mutex_unlock(&bases->lock);
}
