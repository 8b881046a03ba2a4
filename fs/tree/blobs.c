#include "fs/tree/blobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#define BUCKETS 1024

struct blob {
    uint64_t key;
    unsigned users;
    struct content content;
    struct blob *next_in_bucket;
    struct blob *newer, *older;
};

struct blobs {
    uint64_t max_memory, max_files;
    pthread_mutex_t lock; /* guards all below, and every blob but its content */
    struct blob *buckets[BUCKETS];
    struct blob *newest, *oldest;
    uint64_t memory, files; /* bytes */
};

struct blobs *blobs_new(uint64_t max_memory, uint64_t max_files)
{
    struct blobs *blobs = calloc(1, sizeof *blobs);

    if (!blobs)
        return NULL;
    blobs->max_memory = max_memory;
    blobs->max_files = max_files;
    pthread_mutex_init(&blobs->lock, NULL);
    return blobs;
}

static void blob_free(struct blob *blob)
{
    content_release(&blob->content);
    free(blob);
}

void blobs_free(struct blobs *blobs)
{
    if (!blobs)
        return;
    while (blobs->oldest) {
        struct blob *blob = blobs->oldest;
        blobs->oldest = blob->newer;
        blob_free(blob);
    }
    pthread_mutex_destroy(&blobs->lock);
    free(blobs);
}

static bool is_file(const struct blob *blob)
{
    return blob->content.fd >= 0;
}

/* The sum that a blob's bytes count for. */
static uint64_t *sum_of(struct blobs *blobs, const struct blob *blob)
{
    return is_file(blob) ? &blobs->files : &blobs->memory;
}

static struct blob **bucket_of(struct blobs *blobs, uint64_t key)
{
    return &blobs->buckets[key * 11400714819323198485ull >> 54];
}

static void link_newest(struct blobs *blobs, struct blob *blob)
{
    blob->newer = NULL;
    blob->older = blobs->newest;
    if (blobs->newest)
        blobs->newest->newer = blob;
    else
        blobs->oldest = blob;
    blobs->newest = blob;
}

static void unlink_age(struct blobs *blobs, struct blob *blob)
{
    *(blob->newer ? &blob->newer->older : &blobs->newest) = blob->older;
    *(blob->older ? &blob->older->newer : &blobs->oldest) = blob->newer;
}

static void drop(struct blobs *blobs, struct blob *blob)
{
    struct blob **link = bucket_of(blobs, blob->key);

    while (*link != blob)
        link = &(*link)->next_in_bucket;
    *link = blob->next_in_bucket;
    unlink_age(blobs, blob);
    *sum_of(blobs, blob) -= blob->content.size;
    blob_free(blob);
}

static void evict(struct blobs *blobs)
{
    struct blob *blob = blobs->oldest;

    while (blob && blob != blobs->newest &&
           (blobs->memory > blobs->max_memory || blobs->files > blobs->max_files)) {
        struct blob *newer = blob->newer;
        bool counts =
            is_file(blob) ? blobs->files > blobs->max_files : blobs->memory > blobs->max_memory;
        if (blob->users == 0 && counts)
            drop(blobs, blob);
        blob = newer;
    }
}

static struct blob *find(struct blobs *blobs, uint64_t key)
{
    struct blob *blob = *bucket_of(blobs, key);

    while (blob && blob->key != key)
        blob = blob->next_in_bucket;
    return blob;
}

/* The caller holds the lock. */
static struct blob *use(struct blobs *blobs, struct blob *blob)
{
    blob->users++;
    unlink_age(blobs, blob);
    link_newest(blobs, blob);
    return blob;
}

struct blob *blobs_find(struct blobs *blobs, uint64_t key)
{
    pthread_mutex_lock(&blobs->lock);
    struct blob *blob = find(blobs, key);
    if (blob)
        use(blobs, blob);
    pthread_mutex_unlock(&blobs->lock);
    return blob;
}

/* The caller holds the lock. */
static void add(struct blobs *blobs, struct blob *blob)
{
    struct blob **bucket = bucket_of(blobs, blob->key);

    blob->next_in_bucket = *bucket;
    *bucket = blob;
    link_newest(blobs, blob);
    *sum_of(blobs, blob) += blob->content.size;
    evict(blobs);
}

int blobs_add(struct blobs *blobs, uint64_t key, struct content *content, struct blob **out)
{
    struct blob *blob = calloc(1, sizeof *blob);

    if (!blob) {
        content_release(content);
        return -ENOMEM;
    }
    *blob = (struct blob){.key = key, .users = 1, .content = *content};
    pthread_mutex_lock(&blobs->lock);
    struct blob *there = find(blobs, key);
    if (there)
        use(blobs, there);
    else
        add(blobs, blob);
    pthread_mutex_unlock(&blobs->lock);
    if (there)
        blob_free(blob);
    *out = there ? there : blob;
    return 0;
}

void blobs_put(struct blobs *blobs, struct blob *blob)
{
    pthread_mutex_lock(&blobs->lock);
    blob->users--;
    evict(blobs);
    pthread_mutex_unlock(&blobs->lock);
}

void blobs_put_read(struct blobs *blobs, struct blob *blob)
{
    pthread_mutex_lock(&blobs->lock);
    if (--blob->users == 0)
        drop(blobs, blob);
    pthread_mutex_unlock(&blobs->lock);
}

void blobs_drop(struct blobs *blobs, uint64_t key)
{
    pthread_mutex_lock(&blobs->lock);
    struct blob *blob = find(blobs, key);
    if (blob && blob->users == 0)
        drop(blobs, blob);
    pthread_mutex_unlock(&blobs->lock);
}

bool blobs_drop_files(struct blobs *blobs)
{
    bool dropped = false;

    pthread_mutex_lock(&blobs->lock);
    for (struct blob *blob = blobs->oldest, *newer; blob; blob = newer) {
        newer = blob->newer;
        if (is_file(blob) && blob->users == 0) {
            drop(blobs, blob);
            dropped = true;
        }
    }
    pthread_mutex_unlock(&blobs->lock);
    return dropped;
}

const struct content *blobs_content(const struct blob *blob)
{
    return &blob->content;
}
