#include "fs/tree/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gitcache/base/disk.h"

#define BUCKETS    1024
#define LARGE      ((size_t)16 << 20)
#define MAX_MAPPED 64 /* large files kept at once */

struct blob {
    uint32_t key;
    unsigned users;
    bool mapped; /* bytes are a mapped temporary file */
    void *bytes;
    size_t size;
    struct blob *next_in_bucket;
    struct blob *newer, *older;
};

struct blobs {
    size_t max_bytes;
    char *folder;
    pthread_mutex_t lock; /* guards all below, and every blob but its bytes */
    struct blob *buckets[BUCKETS];
    struct blob *newest, *oldest;
    size_t bytes;    /* in memory */
    unsigned mapped; /* large ones */
};

struct blobs *blobs_new(size_t max_bytes, const char *folder)
{
    struct blobs *blobs = calloc(1, sizeof *blobs);

    if (!blobs)
        return NULL;
    blobs->folder = strdup(folder);
    if (!blobs->folder) {
        free(blobs);
        return NULL;
    }
    blobs->max_bytes = max_bytes;
    pthread_mutex_init(&blobs->lock, NULL);
    return blobs;
}

static void blob_free(struct blob *blob)
{
    if (blob->mapped)
        munmap(blob->bytes, blob->size);
    else
        free(blob->bytes);
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
    free(blobs->folder);
    free(blobs);
}

static struct blob **bucket_of(struct blobs *blobs, uint32_t key)
{
    return &blobs->buckets[key * 2654435761u >> 22];
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
    if (blob->mapped)
        blobs->mapped--;
    else
        blobs->bytes -= blob->size;
    blob_free(blob);
}

static void evict(struct blobs *blobs)
{
    struct blob *blob = blobs->oldest;

    while (blob && blob != blobs->newest &&
           (blobs->bytes > blobs->max_bytes || blobs->mapped > MAX_MAPPED)) {
        struct blob *newer = blob->newer;
        bool counts = blob->mapped ? blobs->mapped > MAX_MAPPED : blobs->bytes > blobs->max_bytes;
        if (blob->users == 0 && counts)
            drop(blobs, blob);
        blob = newer;
    }
}

/* Moves a large blob's bytes to an unlinked file, if that can be done. */
static void move_to_file(const struct blobs *blobs, struct blob *blob)
{
    int fd = open(blobs->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0)
        return;
    if (disk_write_all(fd, blob->bytes, blob->size) == 0) {
        void *mapping = mmap(NULL, blob->size, PROT_READ, MAP_SHARED, fd, 0);
        if (mapping != MAP_FAILED) {
            free(blob->bytes);
            blob->bytes = mapping;
            blob->mapped = true;
        }
    }
    close(fd);
}

static struct blob *find(struct blobs *blobs, uint32_t key)
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

struct blob *blobs_find(struct blobs *blobs, uint32_t key)
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
    if (blob->mapped)
        blobs->mapped++;
    else
        blobs->bytes += blob->size;
    evict(blobs);
}

int blobs_add(struct blobs *blobs, uint32_t key, void *bytes, size_t size, struct blob **out)
{
    struct blob *blob = calloc(1, sizeof *blob);

    if (!blob) {
        free(bytes);
        return -ENOMEM;
    }
    *blob = (struct blob){.key = key, .users = 1, .bytes = bytes, .size = size};
    if (size > LARGE)
        move_to_file(blobs, blob);
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

const void *blobs_bytes(const struct blob *blob)
{
    return blob->bytes;
}

size_t blobs_size(const struct blob *blob)
{
    return blob->size;
}
