/* object_writer.h - writes an object's bytes to a file as they come, and hashes them. Private to
 * gitcache/store.
 *
 * Writing is done by a thread of its own beside whoever makes and hashes the bytes: that is half of
 * the time for a large one. Order of calls: begin, then buffer and commit in turns, then end. */
#ifndef GITCACHE_STORE_OBJECT_WRITER_H
#define GITCACHE_STORE_OBJECT_WRITER_H

#include <git2.h>
#include <pthread.h>
#include <stdbool.h>

#include "gitcache/base/error.h"
#include "gitcache/base/sha1.h"

#define OBJECT_WRITER_BUFFER  ((size_t)256 << 10)
#define OBJECT_WRITER_BUFFERS 4

struct object_writer {
    int fd;
    bool threaded; /* else whoever commits does the work */
    pthread_t thread;
    struct sha1 sha1;
    off_t offset;         /* the thread's */
    char *buffers;        /* OBJECT_WRITER_BUFFERS of them */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    size_t sizes[OBJECT_WRITER_BUFFERS];
    unsigned made, done; /* buffers so far */
    bool ended;
    int errnum; /* of a write that failed */
};

/* -ENOMEM. */
int object_writer_begin(struct object_writer *writer, int fd, git_object_t type, uint64_t size);

/* The next OBJECT_WRITER_BUFFER bytes to fill; waits for them. */
char *object_writer_buffer(struct object_writer *writer);
/* So many of them are filled. */
void object_writer_commit(struct object_writer *writer, size_t size);

/* Waits until all is written. 0 or the negative errno of a write. `sum` is the object's id. */
int object_writer_end(struct object_writer *writer, unsigned char sum[SHA1_SIZE]);

#endif
