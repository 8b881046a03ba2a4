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
    bool loading;
    bool mapped; /* bytes are a mapped temporary file */
    int error;   /* of the load that others waited for */
    void *bytes;
    size_t size;
    struct blob *next_in_bucket;
    struct blob *newer, *older;
};

struct blobs {
    size_t max_bytes;
    char *folder;
    blobs_load load;
    void *data;
    pthread_mutex_t lock; /* guards all below, and every blob but its bytes */
    pthread_cond_t loaded;
    struct blob *buckets[BUCKETS];
    struct blob *newest, *oldest;
    size_t bytes;    /* in memory */
    unsigned mapped; /* large ones */
};

struct blobs *blobs_new(size_t max_bytes, const char *folder, blobs_load load, void *data)
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
    blobs->load = load;
    blobs->data = data;
    pthread_mutex_init(&blobs->lock, NULL);
    pthread_cond_init(&blobs->loaded, NULL);
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
    pthread_cond_destroy(&blobs->loaded);
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

/* Loads a blob that is linked and marked as loading. Called and returns with the lock held. */
static void load(struct blobs *blobs, struct blob *blob)
{
    pthread_mutex_unlock(&blobs->lock);
    blob->error = blobs->load(blobs->data, blob->key, &blob->bytes, &blob->size);
    if (blob->error == 0 && blob->size > LARGE)
        move_to_file(blobs, blob);
    pthread_mutex_lock(&blobs->lock);
    blob->loading = false;
    if (blob->error) {
        blob->bytes = NULL;
        blob->size = 0;
    } else if (blob->mapped) {
        blobs->mapped++;
    } else {
        blobs->bytes += blob->size;
    }
    pthread_cond_broadcast(&blobs->loaded);
}

/* Gives up one use; a blob that could not be loaded goes with its last user. */
static void unuse(struct blobs *blobs, struct blob *blob)
{
    if (--blob->users == 0 && blob->error)
        drop(blobs, blob);
    evict(blobs);
}

int blobs_get(struct blobs *blobs, uint32_t key, struct blob **out)
{
    int r = 0;

    pthread_mutex_lock(&blobs->lock);
    struct blob *blob = find(blobs, key);
    if (blob) {
        blob->users++;
        while (blob->loading)
            pthread_cond_wait(&blobs->loaded, &blobs->lock);
        unlink_age(blobs, blob);
        link_newest(blobs, blob);
    } else {
        blob = calloc(1, sizeof *blob);
        if (!blob) {
            r = -ENOMEM;
            goto out;
        }
        blob->key = key;
        blob->users = 1;
        blob->loading = true;
        blob->next_in_bucket = *bucket_of(blobs, key);
        *bucket_of(blobs, key) = blob;
        link_newest(blobs, blob);
        load(blobs, blob);
        evict(blobs);
    }
    r = blob->error;
    if (r < 0)
        unuse(blobs, blob);
    else
        *out = blob;
out:
    pthread_mutex_unlock(&blobs->lock);
    return r;
}

void blob_put(struct blobs *blobs, struct blob *blob)
{
    pthread_mutex_lock(&blobs->lock);
    unuse(blobs, blob);
    pthread_mutex_unlock(&blobs->lock);
}

const void *blob_bytes(const struct blob *blob)
{
    return blob->bytes;
}

size_t blob_size(const struct blob *blob)
{
    return blob->size;
}
