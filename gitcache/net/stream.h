/* stream.h - bytes to and from a server over descriptors: a socket, or a process's pipes. Every
 * wait has a deadline and asks once a second whether to go on. */
#ifndef GITCACHE_NET_STREAM_H
#define GITCACHE_NET_STREAM_H

#include <stddef.h>
#include <sys/types.h>

#include "gitcache/base/error.h"
#include "gitcache/base/watch.h"
#include "gitcache/net/pace.h"
#include "gitcache/net/process.h"

struct stream {
    int in, out;               /* read from in, write to out; the same for a socket; non-blocking */
    struct process process;    /* owns in and out, if there is one */
    char messages[600];        /* the end of what the process said on its standard error */
    const char *who;           /* the URL in error sentences; borrowed */
    unsigned silence;          /* seconds */
    struct pace pace;          /* of the answer that is read; all zero: not of interest */
    const struct watch *watch; /* of the call under way; may be NULL */
};

/* Of a socket, which the stream owns from now on. */
void stream_init_socket(struct stream *stream, int fd);
/* Of a process, likewise. */
void stream_init_process(struct stream *stream, const struct process *process);
/* Closes, and ends the process; returns its exit status or -1. */
int stream_close(struct stream *stream);

/* Writes all. ETIMEDOUT, ECANCELED, EPIPE where the other end has closed, EIO. Needs SIGPIPE to be
 * blocked or ignored. */
int stream_write(struct stream *stream, const void *bytes, size_t size, struct error *e);

/* Reads some: their number in *got, 0 at the end. ETIMEDOUT, ECANCELED, EIO. */
int stream_read(struct stream *stream, void *bytes, size_t size, size_t *got, struct error *e);

/* After the end of the answer: reads what the process still has to say, for at most half a second.
 * Returns its last line (borrowed from stream->messages), "" if there is none. */
const char *stream_last_words(struct stream *stream);

#endif
