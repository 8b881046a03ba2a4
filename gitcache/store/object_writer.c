#include "gitcache/store/object_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int write_at(int fd, const char *bytes, size_t size, off_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, bytes, size, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        bytes += n;
        size -= (size_t)n;
        offset += n;
    }
    return 0;
}

/* Writes one buffer. Called without the lock; returns the errno. */
static int take(struct object_writer *writer, unsigned i)
{
    const char *bytes = writer->buffers + i * OBJECT_WRITER_BUFFER;
    size_t size = writer->sizes[i];
    int errnum;

    errnum = write_at(writer->fd, bytes, size, writer->offset);
    writer->offset += (off_t)size;
    return errnum;
}

/* Takes the next buffer that is made. Called and returns with the lock held. */
static void take_next(struct object_writer *writer)
{
    int errnum = 0;

    if (!writer->errnum) {
        pthread_mutex_unlock(&writer->lock);
        errnum = take(writer, writer->done % OBJECT_WRITER_BUFFERS);
        pthread_mutex_lock(&writer->lock);
    }
    if (errnum)
        writer->errnum = errnum;
    writer->done++;
    pthread_cond_signal(&writer->changed);
}

static void *run(void *data)
{
    struct object_writer *writer = data;

    pthread_mutex_lock(&writer->lock);
    for (;;) {
        while (writer->done == writer->made && !writer->ended)
            pthread_cond_wait(&writer->changed, &writer->lock);
        if (writer->done == writer->made)
            break;
        take_next(writer);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

int object_writer_begin(struct object_writer *writer, int fd, git_object_t type, uint64_t size)
{
    char header[40];
    int length = snprintf(header, sizeof header, "%s %llu", git_object_type2string(type),
                          (unsigned long long)size);

    *writer = (struct object_writer){.fd = fd};
    writer->buffers = malloc(OBJECT_WRITER_BUFFERS * OBJECT_WRITER_BUFFER);
    if (!writer->buffers)
        return -ENOMEM;
    sha1_begin(&writer->sha1);
    sha1_add(&writer->sha1, header, (size_t)length + 1);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->changed, NULL);
    writer->threaded = pthread_create(&writer->thread, NULL, run, writer) == 0;
    return 0;
}

char *object_writer_buffer(struct object_writer *writer)
{
    char *buffer;

    pthread_mutex_lock(&writer->lock);
    while (writer->made - writer->done == OBJECT_WRITER_BUFFERS)
        pthread_cond_wait(&writer->changed, &writer->lock);
    buffer = writer->buffers + writer->made % OBJECT_WRITER_BUFFERS * OBJECT_WRITER_BUFFER;
    pthread_mutex_unlock(&writer->lock);
    return buffer;
}

void object_writer_commit(struct object_writer *writer, size_t size)
{
    sha1_add(&writer->sha1,
             writer->buffers + writer->made % OBJECT_WRITER_BUFFERS * OBJECT_WRITER_BUFFER, size);
    pthread_mutex_lock(&writer->lock);
    writer->sizes[writer->made++ % OBJECT_WRITER_BUFFERS] = size;
    pthread_cond_signal(&writer->changed);
    if (!writer->threaded)
        take_next(writer);
    pthread_mutex_unlock(&writer->lock);
}

int object_writer_end(struct object_writer *writer, unsigned char sum[SHA1_SIZE])
{
    pthread_mutex_lock(&writer->lock);
    writer->ended = true;
    pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    if (writer->threaded)
        pthread_join(writer->thread, NULL);
    sha1_end(&writer->sha1, sum);
    pthread_mutex_destroy(&writer->lock);
    pthread_cond_destroy(&writer->changed);
    free(writer->buffers);
    return -writer->errnum;
}
