#include "fs/worker/connection.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/shared/fuse_message.h"
#include "fs/worker/operations.h"
#include "fs/worker/suspect.h"
#include "gitcache/base/clock.h"

#define THREADS     8
#define BUFFER_SIZE ((1u << 20) + 65536) /* the kernel wants max_write and a header to fit */
#define USUAL_SIZE  8192                 /* requests of a read-only mount have names at the most */
#define WAKE_SIGNAL SIGUSR1

/* A thread that takes requests. */
struct reader {
    struct connection *connection;
    struct request_header *head; /* in shared memory: what it has read last */
    char *buffer;
    pthread_t thread;
};

struct connection {
    struct worker *worker;
    struct mount *mount; /* its */
    struct fuse_session *fuse;
    int fuse_fd;
    atomic_bool is_open; /* fuse can be used: INIT has been served */
    atomic_bool draining;
    atomic_int failure;            /* the errno of a read after which there is no going on */
    pthread_mutex_t request_trial; /* see crash_record.h */
    struct reader readers[THREADS];
    unsigned reader_count;
    atomic_uint ended;
    int wakeup; /* an eventfd: a thread has ended, or drain was asked for */
};

/* libfuse would read through this; but each thread reads for itself, see read_request. */
static ssize_t read_nothing(int fd, void *buffer, size_t size, void *userdata)
{
    (void)fd;
    (void)buffer;
    (void)size;
    (void)userdata;
    errno = ENOSYS;
    return -1;
}

/* Owners may be mapped where a container sees the mount (mount_setattr(2)). The kernel takes that only from a mount whose
 * rights it checks itself (default_permissions): ours, and perhaps not one that somebody else has made. */
static void allow_idmapped_mounts(struct init_answer *answer, const struct state *state)
{
    const struct init_request *init = (const struct init_request *)state->init;

    if (!state->device || !(init->flags & INIT_EXT) || !(init->flags2 & ALLOW_IDMAP))
        return;
    if (!(answer->flags & INIT_EXT))
        answer->flags2 = 0;
    answer->flags |= INIT_EXT;
    answer->flags2 |= ALLOW_IDMAP;
}

/* libfuse 3.14 forgets to say that requests for one folder may run side by side. Without it, a
 * lookup that waits for the network holds up all others in its folder, where nothing can interrupt
 * them. It does not know idmapped mounts either. */
static void complete_init(struct iovec *iov, int count, const struct state *state)
{
    const struct init_request *init = (const struct init_request *)state->init;
    struct init_answer *answer = count > 1 ? iov[1].iov_base : NULL;

    if (!answer || iov[1].iov_len < sizeof *answer)
        return;
    if (init->flags & PARALLEL_DIROPS)
        answer->flags |= PARALLEL_DIROPS;
    allow_idmapped_mounts(answer, state);
}

static ssize_t write_answer(int fd, struct iovec *iov, int count, void *userdata)
{
    const struct worker *worker = userdata;
    const struct mount *mount = &worker->mount;
    const struct init_request *init = (const struct init_request *)mount->state->init;
    const struct answer_header *answer = iov[0].iov_base;
    bool is_init = answer->unique == init->header.unique;

    if (is_init)
        complete_init(iov, count, mount->state);
    ssize_t size = writev(fd, iov, count);
    if (answer->unique) /* else it is a notification */
        crash_record_end(&mount->state->inflight.requests, answer->unique & ~RESENT);
    /* The kernel has had the answer to INIT from the first worker. */
    if (size < 0 && errno == ENOENT && is_init) {
        size = 0;
        for (int i = 0; i < count; i++)
            size += (ssize_t)iov[i].iov_len;
    }
    return size;
}

static const struct fuse_custom_io custom_io = {.read = read_nothing, .writev = write_answer};

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

/* Serves one request, marked as being worked on. */
static void serve_tracked(struct connection *connection, struct fuse_buf *buffer)
{
    const struct request_header *request = buffer->mem;
    struct crash_record *requests = &connection->mount->state->inflight.requests;
    uint64_t unique = request->unique & ~RESENT;
    enum crash_verdict verdict = suspect_judge(connection->mount, request, buffer->size);

    if (verdict == CRASH_GIVEN_UP) {
        answer_with_error(connection->fuse_fd, request->unique, -EIO);
        crash_record_end(requests, unique);
        return;
    }
    if (verdict == CRASH_TRIAL)
        pthread_mutex_lock(&connection->request_trial);
    crash_record_work(requests, unique);
    fuse_session_process_buf(connection->fuse, buffer);
    crash_record_pause(requests, unique);
    if (verdict == CRASH_TRIAL)
        pthread_mutex_unlock(&connection->request_trial);
}

/* The header goes to shared memory first, written by the kernel: there is no moment at which a
 * request has been read and is known to nobody but a process that may die. Returns its size, 0 if
 * there was none, or a negative errno. */
static ssize_t read_request(struct reader *reader)
{
    const struct request_header *head = reader->head;
    struct iovec parts[] = {{reader->head, sizeof *head},
                            {reader->buffer + sizeof *head, BUFFER_SIZE - sizeof *head}};
    ssize_t size = readv(reader->connection->fuse_fd, parts, 2);

    if (size < 0)
        return errno == EINTR || errno == EAGAIN || errno == ENOENT ? 0 : -errno;
    if ((size_t)size < sizeof *head)
        return -EIO;
    memcpy(reader->buffer, head, sizeof *head);
    return size;
}

static void end_session(struct connection *connection, int error)
{
    if (error != -ENODEV && error != -ECONNABORTED)
        atomic_store(&connection->failure, error);
    fuse_session_exit(connection->fuse);
}

static void *serve(void *arg)
{
    struct reader *reader = arg;
    struct connection *connection = reader->connection;

    while (!is_over(connection)) {
        ssize_t size = read_request(reader);
        struct fuse_buf buffer = {.mem = reader->buffer, .size = (size_t)size};
        if (size < 0)
            end_session(connection, (int)size);
        else if (size > 0 && request_is_answered(buffer.mem))
            serve_tracked(connection, &buffer);
        else if (size > 0)
            fuse_session_process_buf(connection->fuse, &buffer);
    }
    atomic_fetch_add(&connection->ended, 1);
    eventfd_write(connection->wakeup, 1);
    return NULL;
}

/* The kernel's first request, as if it had just come. It is served before any thread reads: all may
 * count on what it settles. */
static int serve_init(struct connection *connection, struct error *e)
{
    const struct state *state = connection->mount->state;
    char copy[sizeof state->init];
    struct fuse_buf buffer = {.mem = copy, .size = state->init_size};

    if (state->init_size < sizeof(struct init_request) || state->init_size > sizeof copy)
        return error_set(e, EIO, "the mount's state is damaged: unmount and mount again");
    memcpy(copy, state->init, state->init_size);
    fuse_session_process_buf(connection->fuse, &buffer);
    return fuse_session_exited(connection->fuse)
               ? error_set(e, EPROTO, "cannot agree with the kernel on FUSE's version")
               : 0;
}

static bool kernel_resends(const struct mount *mount)
{
    const struct init_request *init = (const struct init_request *)mount->state->init;

    return init->flags & INIT_EXT && init->flags2 & HAS_RESEND && !mount->settings->no_resend;
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

    inflight_recover(&mount->state->inflight, resends, mount->state->was_killed, give_up,
                     connection);
    if (resends && write(connection->fuse_fd, &notice, sizeof notice) < 0)
        log_warning(mount->log, "the kernel does not resend requests: %s", strerror(errno));
}

/* The kernel copies a request into memory that is there already, also for a thread that is being
 * killed. For memory that it has to make first, it does not: it ends the request with EIO. */
static void touch(struct reader *reader)
{
    memset(reader->head, 0, sizeof *reader->head);
    memset(reader->buffer, 0, USUAL_SIZE);
}

static int start_reader(struct connection *connection)
{
    unsigned i = connection->reader_count;
    struct reader *reader = &connection->readers[i];

    reader->connection = connection;
    reader->head = &connection->mount->state->inflight.heads[i];
    reader->buffer = malloc(BUFFER_SIZE);
    if (reader->buffer)
        touch(reader);
    int r = reader->buffer ? pthread_create(&reader->thread, NULL, serve, reader) : ENOMEM;
    if (r != 0)
        free(reader->buffer);
    else
        connection->reader_count++;
    return -r;
}

/* One will do, if there cannot be more. */
static int start_readers(struct connection *connection, struct error *e)
{
    int r = 0;

    while (connection->reader_count < THREADS && r == 0)
        r = start_reader(connection);
    return connection->reader_count == 0
               ? error_set(e, -r, "cannot start a thread: %s", strerror(-r))
               : 0;
}

static void join_readers(struct connection *connection)
{
    struct timespec pause = {.tv_nsec = 2000000};

    /* A thread may have looked at the flag just before it reads: it is woken until it has seen it.
     */
    while (atomic_load(&connection->ended) < connection->reader_count) {
        for (unsigned i = 0; i < connection->reader_count; i++)
            pthread_kill(connection->readers[i].thread, WAKE_SIGNAL);
        nanosleep(&pause, NULL);
    }
    for (unsigned i = 0; i < connection->reader_count; i++) {
        pthread_join(connection->readers[i].thread, NULL);
        free(connection->readers[i].buffer);
    }
}

/* A kernel that cannot resend wants all its answers from this worker. */
static void answer_all(const struct connection *connection)
{
    const struct mount *mount = connection->mount;
    struct timespec pause = {.tv_nsec = 10000000};
    int64_t until = clock_now() + mount->settings->timeout * 1000ll;

    while (!kernel_resends(mount) && !inflight_is_empty(&mount->state->inflight) &&
           clock_now() < until)
        nanosleep(&pause, NULL);
}

/* Waits for the mount's end, or for connection_drain. */
static void wait_for_end(struct connection *connection)
{
    eventfd_t count;

    while (!is_over(connection))
        eventfd_read(connection->wakeup, &count);
}

static bool notify_epoch(const struct connection *connection)
{
    struct answer_header notice = {.length = sizeof notice, .error = NOTIFY_INC_EPOCH, .unique = 0};
    return write(connection->fuse_fd, &notice, sizeof notice) >= 0;
}

static int open_session(struct connection *connection, struct error *e)
{
    const char *argv[] = {"startpointfs", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, (char **)argv);

    connection->fuse = fuse_session_new(&args, &operations, sizeof operations, connection->worker);
    fuse_opt_free_args(&args);
    if (!connection->fuse)
        return error_set(e, ENOMEM, "cannot make a FUSE session");
    int r = fuse_session_custom_io(connection->fuse, &custom_io, connection->fuse_fd);
    return r < 0 ? error_set(e, -r, "cannot use the FUSE descriptor: %s", strerror(-r))
                 : serve_init(connection, e);
}

struct connection *connection_new(struct worker *worker, int fuse_fd)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (!connection)
        return NULL;
    connection->worker = worker;
    connection->mount = &worker->mount;
    connection->fuse_fd = fuse_fd;
    connection->wakeup = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&connection->request_trial, NULL);
    return connection;
}

int connection_run(struct connection *connection, bool again, void (*ready)(void *data), void *data,
                   struct error *e)
{
    struct mount *mount = connection->mount;
    struct sigaction wake = {.sa_handler = on_wake};
    int r;

    sigaction(WAKE_SIGNAL, &wake, NULL);
    r = open_session(connection, e);
    if (r < 0)
        return r;
    atomic_store(&connection->is_open, true);
    if (again)
        recover(connection);
    if (atomic_load(&mount->state->has_epochs) == EPOCHS_UNASKED)
        atomic_store(&mount->state->has_epochs,
                     notify_epoch(connection) ? EPOCHS_KNOWN : EPOCHS_UNKNOWN);
    r = start_readers(connection, e);
    if (r < 0)
        return r;
    ready(data);
    wait_for_end(connection);
    join_readers(connection);
    r = atomic_load(&connection->failure);
    if (r < 0)
        return error_set(e, -r, "cannot read the kernel's requests: %s", strerror(-r));
    if (fuse_session_exited(connection->fuse))
        return CONNECTION_UNMOUNTED;
    answer_all(connection);
    return CONNECTION_DRAINED;
}

void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    if (connection->fuse)
        fuse_session_destroy(connection->fuse);
    close(connection->wakeup);
    pthread_mutex_destroy(&connection->request_trial);
    free(connection);
}

void connection_drain(struct connection *connection)
{
    if (!connection)
        return;
    atomic_store(&connection->draining, true);
    eventfd_write(connection->wakeup, 1);
}

void connection_file_corrected(struct connection *connection, uint32_t file)
{
    if (atomic_load(&connection->is_open))
        fuse_lowlevel_notify_inval_inode(connection->fuse, node_id(connection->mount->nodes, file),
                                         -1, 0);
}

void connection_folder_changed(struct connection *connection, uint32_t folder, bool renamed)
{
    if (!atomic_load(&connection->is_open))
        return;
    if (renamed && state_has_epochs(connection->mount->state))
        notify_epoch(connection);
    fuse_lowlevel_notify_inval_inode(connection->fuse, node_id(connection->mount->nodes, folder),
                                     -1, 0);
}

/* It takes no lock of the kernel's that a request may hold. A kernel that does not know it says so. */
void connection_unwanted(struct connection *connection, const uint64_t *ids, size_t count)
{
    struct prune_notice notice = {.count = (uint32_t)count};
    struct answer_header header = {
        .length = (uint32_t)(sizeof header + sizeof notice + count * sizeof *ids),
        .error = NOTIFY_PRUNE};
    struct iovec parts[] = {
        {&header, sizeof header}, {&notice, sizeof notice}, {(void *)ids, count * sizeof *ids}};

    if (atomic_load(&connection->is_open) && writev(connection->fuse_fd, parts, 3) < 0)
        log_debug(connection->mount->log, "the kernel does not forget nodes when told to: %s",
                  strerror(errno));
}
