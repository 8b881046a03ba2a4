#include "gitcache/store/pack_descriptors.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct held_descriptor {
    const struct pack_file *pack;
    int fd;
};

struct pack_descriptors {
    pthread_mutex_t lock; /* guards what follows: the one given last is the last */
    struct held_descriptor held[PACK_DESCRIPTORS_MAX];
    size_t count;
};

struct pack_descriptors *pack_descriptors_new(void)
{
    struct pack_descriptors *descriptors = calloc(1, sizeof *descriptors);

    if (descriptors)
        pthread_mutex_init(&descriptors->lock, NULL);
    return descriptors;
}

void pack_descriptors_free(struct pack_descriptors *descriptors)
{
    if (!descriptors)
        return;
    for (size_t i = 0; i < descriptors->count; i++)
        close(descriptors->held[i].fd);
    pthread_mutex_destroy(&descriptors->lock);
    free(descriptors);
}

/* Takes one out of the row. The caller holds the lock. */
static int remove_at(struct pack_descriptors *descriptors, size_t i)
{
    int fd = descriptors->held[i].fd;

    descriptors->count--;
    memmove(&descriptors->held[i], &descriptors->held[i + 1],
            (descriptors->count - i) * sizeof descriptors->held[i]);
    return fd;
}

int pack_descriptors_take(struct pack_descriptors *descriptors, const struct pack_file *pack)
{
    int fd = -1;

    pthread_mutex_lock(&descriptors->lock);
    for (size_t i = descriptors->count; i-- > 0 && fd < 0;)
        if (descriptors->held[i].pack == pack)
            fd = remove_at(descriptors, i);
    pthread_mutex_unlock(&descriptors->lock);
    return fd;
}

void pack_descriptors_give(struct pack_descriptors *descriptors, const struct pack_file *pack,
                           int fd)
{
    int oldest = -1;

    pthread_mutex_lock(&descriptors->lock);
    if (descriptors->count == PACK_DESCRIPTORS_MAX)
        oldest = remove_at(descriptors, 0);
    descriptors->held[descriptors->count++] = (struct held_descriptor){pack, fd};
    pthread_mutex_unlock(&descriptors->lock);
    if (oldest >= 0)
        close(oldest);
}

void pack_descriptors_forget(struct pack_descriptors *descriptors, const struct pack_file *pack)
{
    int fd;

    while ((fd = pack_descriptors_take(descriptors, pack)) >= 0)
        close(fd);
}
