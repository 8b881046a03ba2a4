#include "fs/connection.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/operations.h"

#define THREADS          8
#define WAKE_SIGNAL      SIGUSR1
#define NOTIFY_RESEND    7            /* FUSE_NOTIFY_RESEND of linux/fuse.h, since 6.9 */
#define NOTIFY_INC_EPOCH 8            /* FUSE_NOTIFY_INC_EPOCH, since 6.16 */
#define INIT_EXT         (1u << 30)   /* FUSE_INIT_EXT: flags2 counts */
#define HAS_RESEND       (1u << 7)    /* FUSE_HAS_RESEND, in flags2 */
#define RESENT           (1ull << 63) /* FUSE_UNIQUE_RESEND, in a request's number */
#define OP_FORGET        2
#define OP_INTERRUPT     36
#define OP_BATCH_FORGET  42

struct connection {
    struct mount *mount;
    struct fuse_session *fuse;
    int fuse_fd;
    atomic_bool init_fed;
    atomic_bool draining;
    pthread_t threads[THREADS];
    unsigned thread_count;
    atomic_uint ended;
    int wakeup; /* an eventfd: a thread has ended, or drain was asked for */
};

/* The start of every request and answer, as in linux/fuse.h. */
struct request_header {
    uint32_t length, opcode;
    uint64_t unique, node;
    uint32_t uid, gid, pid;
    uint16_t extensions, padding;
};

struct answer_header {
    uint32_t length;
    int32_t error;
    uint64_t unique;
};

struct init_request {
    struct request_header header;
    uint32_t major, minor, max_readahead, flags, flags2;
};

/* libfuse reads and writes through these; the first read is the INIT that was saved. */
static ssize_t read_request(int fd, void *buffer, size_t size, void *userdata)
{
    struct mount *mount = userdata;
    struct connection *connection = mount->connection;
    const struct state *state = mount->state;

    if (!atomic_exchange(&connection->init_fed, true)) {
        if (state->init_size > size || state->init_size > sizeof state->init) {
            errno = EIO;
            return -1;
        }
        memcpy(buffer, state->init, state->init_size);
        return (ssize_t)state->init_size;
    }
    if (atomic_load(&connection->draining)) {
        errno = EINTR;
        return -1;
    }
    return read(fd, buffer, size);
}

/* Requests that nobody waits for an answer to are not tracked. */
static bool is_answered(const struct request_header *request)
{
    return request->opcode != OP_FORGET && request->opcode != OP_BATCH_FORGET &&
           request->opcode != OP_INTERRUPT;
}

static ssize_t write_answer(int fd, struct iovec *iov, int count, void *userdata)
{
    const struct mount *mount = userdata;
    const struct request_header *init = (const struct request_header *)mount->state->init;
    const struct answer_header *answer = iov[0].iov_base;
    ssize_t size = writev(fd, iov, count);

    if (answer->unique) /* else it is a notification */
        inflight_end(&mount->state->inflight, answer->unique & ~RESENT);
    /* The kernel has had the answer to INIT from the first worker. */
    if (size < 0 && errno == ENOENT && answer->unique == init->unique) {
        size = 0;
        for (int i = 0; i < count; i++)
            size += (ssize_t)iov[i].iov_len;
    }
    return size;
}

static const struct fuse_custom_io custom_io = {.read = read_request, .writev = write_answer};

static void on_wake(int signal)
{
    (void)signal; /* only there to end a read with EINTR */
}

static bool is_over(struct connection *connection)
{
    return fuse_session_exited(connection->fuse) || atomic_load(&connection->draining);
}

static void answer_with_error(int fuse_fd, uint64_t unique, int error)
{
    struct answer_header answer = {.length = sizeof answer, .error = error, .unique = unique};

    /* It may have been interrupted or aborted meanwhile: then nobody waits. */
    if (write(fuse_fd, &answer, sizeof answer) < 0)
        return;
}

/* Serves one request, marked as being worked on; one that has killed three workers is given up. */
static void serve_tracked(struct connection *connection, struct fuse_buf *buffer)
{
    const struct request_header *request = buffer->mem;
    struct inflight *inflight = &connection->mount->state->inflight;
    uint64_t unique = request->unique & ~RESENT;

    if (!is_answered(request)) {
        fuse_session_process_buf(connection->fuse, buffer);
    } else if (inflight_begin(inflight, unique)) {
        log_error(connection->mount->log,
                  "a request (operation %u, inode %llu) is given up: %d workers died of it",
                  request->opcode, (unsigned long long)request->node, INFLIGHT_DEATHS);
        answer_with_error(connection->fuse_fd, request->unique, -EIO);
        inflight_end(inflight, unique);
    } else {
        fuse_session_process_buf(connection->fuse, buffer);
        inflight_pause(inflight, unique);
    }
}

static void *serve(void *arg)
{
    struct connection *connection = arg;
    struct fuse_buf buffer = {.mem = NULL};

    while (!is_over(connection)) {
        int r = fuse_session_receive_buf(connection->fuse, &buffer);
        if (r == -EINTR || r == -EAGAIN)
            continue;
        if (r <= 0)
            break;
        serve_tracked(connection, &buffer);
    }
    free(buffer.mem);
    atomic_fetch_add(&connection->ended, 1);
    eventfd_write(connection->wakeup, 1);
    return NULL;
}

/* INIT is served by this thread alone: all others may count on what it settles. */
static int serve_init(struct connection *connection, struct error *e)
{
    struct fuse_buf buffer = {.mem = NULL};
    int r = fuse_session_receive_buf(connection->fuse, &buffer);

    if (r > 0)
        fuse_session_process_buf(connection->fuse, &buffer);
    free(buffer.mem);
    return r > 0 ? 0 : error_set(e, EIO, "cannot start the session: %s", strerror(-r));
}

static bool kernel_resends(const struct mount *mount)
{
    const struct init_request *init = (const struct init_request *)mount->state->init;

    return mount->state->init_size >= sizeof *init && init->flags & INIT_EXT &&
           init->flags2 & HAS_RESEND && !mount->settings->no_resend;
}

static void give_up(void *data, uint64_t unique)
{
    struct connection *connection = data;
    answer_with_error(connection->fuse_fd, unique, -EIO);
}

/* What the last worker left: the kernel sends it again, or it ends with an error. */
static void recover(struct connection *connection)
{
    struct mount *mount = connection->mount;
    struct answer_header notice = {.length = sizeof notice, .error = NOTIFY_RESEND, .unique = 0};
    bool resends = kernel_resends(mount);

    inflight_recover(&mount->state->inflight, resends, give_up, connection);
    if (resends && write(connection->fuse_fd, &notice, sizeof notice) < 0)
        log_warning(mount->log, "the kernel does not resend requests: %s", strerror(errno));
}

static int start_threads(struct connection *connection, struct error *e)
{
    for (; connection->thread_count < THREADS; connection->thread_count++) {
        int r =
            pthread_create(&connection->threads[connection->thread_count], NULL, serve, connection);
        if (r != 0 && connection->thread_count == 0)
            return error_set(e, r, "cannot start a thread: %s", strerror(r));
        if (r != 0)
            break;
    }
    return 0;
}

static void join_threads(struct connection *connection)
{
    struct timespec pause = {.tv_nsec = 2000000};

    /* A thread may have looked at the flag just before it reads: it is woken until it has seen it.
     */
    while (atomic_load(&connection->draining) &&
           atomic_load(&connection->ended) < connection->thread_count) {
        for (unsigned i = 0; i < connection->thread_count; i++)
            pthread_kill(connection->threads[i], WAKE_SIGNAL);
        nanosleep(&pause, NULL);
    }
    for (unsigned i = 0; i < connection->thread_count; i++)
        pthread_join(connection->threads[i], NULL);
}

/* Waits for the mount's end, or for connection_drain. */
static void wait_for_end(struct connection *connection)
{
    eventfd_t count;

    while (!is_over(connection) && atomic_load(&connection->ended) < connection->thread_count)
        eventfd_read(connection->wakeup, &count);
}

static bool notify_epoch(const struct connection *connection)
{
    struct answer_header notice = {.length = sizeof notice, .error = NOTIFY_INC_EPOCH, .unique = 0};
    return write(connection->fuse_fd, &notice, sizeof notice) >= 0;
}

int connection_run(struct mount *mount, int fuse_fd, bool again, void (*ready)(void *data),
                   void *data, struct error *e)
{
    const char *argv[] = {"startpointfs", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, (char **)argv);
    struct connection *connection = calloc(1, sizeof *connection);
    struct sigaction wake = {.sa_handler = on_wake};
    int r;

    if (!connection)
        return error_set(e, ENOMEM, "out of memory");
    mount->connection = connection;
    connection->mount = mount;
    connection->fuse_fd = fuse_fd;
    connection->wakeup = eventfd(0, EFD_CLOEXEC);
    connection->fuse = fuse_session_new(&args, &operations, sizeof operations, mount);
    fuse_opt_free_args(&args);
    if (!connection->fuse)
        return error_set(e, ENOMEM, "cannot make a FUSE session");
    sigaction(WAKE_SIGNAL, &wake, NULL);
    r = fuse_session_custom_io(connection->fuse, &custom_io, fuse_fd);
    if (r < 0)
        return error_set(e, -r, "cannot use the FUSE descriptor: %s", strerror(-r));
    r = serve_init(connection, e);
    if (r < 0)
        return r;
    if (again)
        recover(connection);
    if (atomic_load(&mount->state->has_epochs) == EPOCHS_UNASKED)
        atomic_store(&mount->state->has_epochs,
                     notify_epoch(connection) ? EPOCHS_KNOWN : EPOCHS_UNKNOWN);
    r = start_threads(connection, e);
    if (r < 0)
        return r;
    ready(data);
    wait_for_end(connection);
    join_threads(connection);
    return atomic_load(&connection->draining) ? CONNECTION_DRAINED : CONNECTION_UNMOUNTED;
}

void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    if (connection->fuse)
        fuse_session_destroy(connection->fuse);
    close(connection->wakeup);
    free(connection);
}

void connection_drain(struct connection *connection)
{
    if (!connection)
        return;
    atomic_store(&connection->draining, true);
    eventfd_write(connection->wakeup, 1);
}

bool connection_has_epochs(const struct connection *connection)
{
    return connection && atomic_load(&connection->mount->state->has_epochs) == EPOCHS_KNOWN;
}

void connection_folder_changed(struct connection *connection, uint32_t folder, bool renamed)
{
    if (!connection || !connection->fuse)
        return;
    if (renamed && connection_has_epochs(connection))
        notify_epoch(connection);
    fuse_lowlevel_notify_inval_inode(connection->fuse, folder + 1ull, -1, 0);
}
