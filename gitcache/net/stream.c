#include "gitcache/net/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/clock.h"
#include "gitcache/net/answer.h"

void stream_init_socket(struct stream *stream, int fd)
{
    memset(stream, 0, sizeof *stream);
    stream->in = stream->out = fd;
    stream->process = PROCESS_NONE;
}

void stream_init_process(struct stream *stream, const struct process *process)
{
    memset(stream, 0, sizeof *stream);
    stream->in = process->out;
    stream->out = process->in;
    stream->process = *process;
}

int stream_close(struct stream *stream)
{
    int status = -1;

    if (stream->process.pid > 0)
        status = process_end(&stream->process, 200);
    else
        process_close(&stream->in);
    stream->in = stream->out = -1;
    return status;
}

/* Reads what the process says, for it would stop if nobody did, and keeps the end of it. */
static void take_messages(struct stream *stream)
{
    char buffer[256];
    size_t used = strlen(stream->messages), room = sizeof stream->messages - 1 - used;
    ssize_t n = read(stream->process.err, buffer, sizeof buffer);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        process_close(&stream->process.err);
        return;
    }
    if (room < (size_t)n) {
        size_t drop = (size_t)n - room;
        memmove(stream->messages, stream->messages + drop, used - drop);
        used -= drop;
    }
    for (ssize_t i = 0; i < n; i++)
        stream->messages[used++] = buffer[i] ? buffer[i] : '?';
    stream->messages[used] = '\0';
}

/* One wait of at most `timeout` ms for fd and the process's messages. 1 if fd is ready. */
static int wait_once(struct stream *stream, int fd, short events, int timeout)
{
    struct pollfd fds[2] = {{fd, events, 0}, {stream->process.err, POLLIN, 0}};
    int r = poll(fds, 2, timeout); /* a negative descriptor is left out */

    if (r < 0)
        return errno == EINTR ? 0 : -errno;
    if (fds[1].revents)
        take_messages(stream);
    return fds[0].revents != 0;
}

static bool is_too_slow(const struct stream *stream)
{
    return stream->pace.seconds && clock_now() >= pace_deadline(&stream->pace);
}

static int wait_ready(struct stream *stream, int fd, short events, struct error *e)
{
    const struct watch *watch = stream->watch;
    int64_t deadline = clock_now() + stream->silence * INT64_C(1000);

    for (;;) {
        int64_t left = deadline - clock_now();
        int r;
        if (watch_is_cancelled(watch))
            return error_set(e, ECANCELED, "%s: cancelled", stream->who);
        if (left > 0 && is_too_slow(stream))
            return answer_too_slow(e, stream->who, stream->pace.seconds);
        if (left <= 0)
            return error_set(e, ETIMEDOUT, "%s: the server sent nothing for %u seconds",
                             stream->who, stream->silence);
        r = wait_once(stream, fd, events, left < 1000 ? (int)left : 1000);
        if (r < 0)
            return error_set(e, -r, "%s: %s", stream->who, strerror(-r));
        if (r > 0)
            return 0;
    }
}

static int lost(const struct stream *stream, int errnum, struct error *e)
{
    return error_set(e, errnum == EPIPE ? EPIPE : EIO, "%s: the connection was lost: %s",
                     stream->who, strerror(errnum));
}

int stream_write(struct stream *stream, const void *bytes, size_t size, struct error *e)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t n = write(stream->out, at, size);
        if (n >= 0) {
            at += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) {
            int r = wait_ready(stream, stream->out, POLLOUT, e);
            if (r < 0)
                return r;
        } else if (errno != EINTR) {
            return lost(stream, errno == ECONNRESET ? EPIPE : errno, e);
        }
    }
    return 0;
}

int stream_read(struct stream *stream, void *bytes, size_t size, size_t *got, struct error *e)
{
    /* Also where there always is something to read, so that nothing ever waits. */
    if (is_too_slow(stream))
        return answer_too_slow(e, stream->who, stream->pace.seconds);
    for (;;) {
        ssize_t n = read(stream->in, bytes, size);
        if (n >= 0) {
            *got = (size_t)n;
            return 0;
        }
        if (errno == EAGAIN) {
            int r = wait_ready(stream, stream->in, POLLIN, e);
            if (r < 0)
                return r;
        } else if (errno == ECONNRESET) {
            *got = 0;
            return 0;
        } else if (errno != EINTR) {
            return lost(stream, errno, e);
        }
    }
}

const char *stream_last_words(struct stream *stream)
{
    int64_t deadline = clock_now() + 500, left;
    char *end, *line;

    /* Not up to the end of the pipe alone: ssh's ControlMaster keeps it open in the background. */
    while (stream->process.err >= 0 && (left = deadline - clock_now()) > 0)
        wait_once(stream, -1, 0, (int)left);
    end = stream->messages + strlen(stream->messages);
    while (end > stream->messages && strchr("\r\n ", end[-1]))
        *--end = '\0';
    line = strrchr(stream->messages, '\n');
    return line ? line + 1 : stream->messages;
}
