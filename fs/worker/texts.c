#include "fs/worker/texts.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/clock.h"

#define REMAKE_INTERVAL 1000 /* milliseconds */

struct text {
    atomic_uint users;
    char *bytes;
    size_t size;
    int64_t made_at;
};

/* The last text of one control file. */
struct latest_text {
    uint32_t node;
    struct text *text;
    int64_t made_at; /* clock_now() */
    struct latest_text *next;
};

struct texts {
    texts_make make;
    void *data;
    pthread_mutex_t lock; /* guards all below; not held while a text is made */
    struct latest_text *first;
};

void texts_put(struct text *text)
{
    if (text && atomic_fetch_sub(&text->users, 1) == 1) {
        free(text->bytes);
        free(text);
    }
}

struct texts *texts_new(texts_make make, void *data)
{
    struct texts *texts = calloc(1, sizeof *texts);

    if (!texts)
        return NULL;
    texts->make = make;
    texts->data = data;
    pthread_mutex_init(&texts->lock, NULL);
    return texts;
}

void texts_free(struct texts *texts)
{
    if (!texts)
        return;
    for (struct latest_text *latest = texts->first, *next; latest; latest = next) {
        next = latest->next;
        texts_put(latest->text);
        free(latest);
    }
    pthread_mutex_destroy(&texts->lock);
    free(texts);
}

/* The caller holds the lock. NULL: out of memory. */
static struct latest_text *find(struct texts *texts, uint32_t node)
{
    struct latest_text *latest = texts->first;

    while (latest && latest->node != node)
        latest = latest->next;
    if (!latest && (latest = calloc(1, sizeof *latest))) {
        latest->node = node;
        latest->next = texts->first;
        texts->first = latest;
    }
    return latest;
}

/* Takes the bytes over. */
static int replace(struct latest_text *latest, char *bytes)
{
    struct text *text;

    latest->made_at = clock_now();
    if (latest->text && strcmp(latest->text->bytes, bytes) == 0) {
        free(bytes);
        return 0;
    }
    text = calloc(1, sizeof *text);
    if (!text) {
        free(bytes);
        return -ENOMEM;
    }
    atomic_init(&text->users, 1);
    text->bytes = bytes;
    text->size = strlen(bytes);
    text->made_at = clock_wall() * 1000000;
    texts_put(latest->text);
    latest->text = text;
    return 0;
}

int texts_get(struct texts *texts, uint32_t node, struct ask *ask, struct text **out)
{
    char *bytes = NULL;
    int r = 0;

    pthread_mutex_lock(&texts->lock);
    struct latest_text *latest = find(texts, node);
    if (latest && ask && (!latest->text || clock_now() - latest->made_at >= REMAKE_INTERVAL)) {
        pthread_mutex_unlock(&texts->lock);
        r = texts->make(texts->data, node, ask, &bytes);
        pthread_mutex_lock(&texts->lock);
        if (r == 0)
            r = replace(latest, bytes);
    }
    if (!latest) {
        r = -ENOMEM;
    } else if (r == 0 && !latest->text) {
        r = -EAGAIN;
    } else if (r == 0) {
        atomic_fetch_add(&latest->text->users, 1);
        *out = latest->text;
    }
    pthread_mutex_unlock(&texts->lock);
    return r;
}

const char *texts_bytes(const struct text *text)
{
    return text->bytes;
}

size_t texts_size(const struct text *text)
{
    return text->size;
}

int64_t texts_made_at(const struct text *text)
{
    return text->made_at;
}
