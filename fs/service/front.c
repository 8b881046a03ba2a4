#include "fs/service/front.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fs/service/responder.h"
#include "gitcache/base/clock.h"

#define THREADS_MOST   4
#define SPARE_FILES    128  /* of the limit of open files, for other things than connections */
#define CLOSE_PATIENCE 5000 /* milliseconds for the requests in hand */

struct front {
    struct front_options options;
    struct MHD_Daemon *daemon;
    struct mount_probe *probe; /* NULL: no mount is asked */
    struct responder responder;
    struct clients clients;
    struct figures figures;
};

static bool announces_too_much(struct MHD_Connection *connection)
{
    const char *length = responder_header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length && strtoull(length, NULL, 10) > FRONT_BODY_MOST;
}

/* libmicrohttpd calls this when the headers are there, for each piece of the body, and when all of
 * it is there. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context)
{
    struct front *front = cls;
    struct exchange *exchange = *context;

    (void)url; /* exchange->path is the one that was sent */
    (void)version;
    if (!exchange)
        return MHD_NO;
    if (!exchange->has_begun) {
        exchange->has_begun = true;
        return announces_too_much(connection)
                   ? responder_refuse_body(&front->responder, connection, exchange)
                   : MHD_YES;
    }
    if (*upload_size == 0)
        return responder_answer(&front->responder, connection, exchange, method);
    int r = exchange_feed(exchange, upload, *upload_size, FRONT_BODY_MOST);
    *upload_size = 0;
    return r < 0 ? MHD_NO : MHD_YES;
}

/* The request line is there. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct front *front = cls;
    struct exchange *exchange = exchange_new(target);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    if (exchange && info)
        exchange->client = info->socket_context;
    if (exchange)
        clients_set(&front->clients, exchange->client, CLIENT_SENDING);
    return exchange;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct front *front = cls;
    struct exchange *exchange = *context;

    (void)connection;
    (void)code;
    if (!exchange)
        return;
    if (exchange->status)
        figures_count(&front->figures, exchange->route, exchange->status, exchange_age(exchange));
    clients_set(&front->clients, exchange->client, CLIENT_IDLE);
    exchange_free(exchange);
    *context = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct front *front = cls;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        clients_remove(&front->clients, *context);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = info ? clients_add(&front->clients, info->connect_fd) : NULL;
}

/* Paths are answered as they were sent. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void log_line(void *cls, const char *format, va_list arguments)
{
    struct front *front = cls;
    char line[500];

    vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\n")] = '\0';
    log_debug(front->options.log, "http: %s", line);
}

static void suspend(void *connection)
{
    MHD_suspend_connection(connection);
}

static void resume(void *connection)
{
    MHD_resume_connection(connection);
}

/* How many connections the limit of open files allows. */
static unsigned connections_most(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return SPARE_FILES;
    if (limit.rlim_cur >= FRONT_CONNECTIONS + SPARE_FILES)
        return FRONT_CONNECTIONS;
    return limit.rlim_cur > 2 * SPARE_FILES ? (unsigned)limit.rlim_cur - SPARE_FILES : SPARE_FILES;
}

static unsigned threads_most(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 2 ? 2 : processors > THREADS_MOST ? THREADS_MOST : (unsigned)processors;
}

static int start_daemon(struct front *front, struct error *e)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;

    front->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, front, MHD_OPTION_EXTERNAL_LOGGER, log_line, front,
        MHD_OPTION_LISTEN_SOCKET, front->options.listener, MHD_OPTION_THREAD_POOL_SIZE,
        threads_most(), MHD_OPTION_CONNECTION_LIMIT, front->clients.most,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)FRONT_MEMORY_MOST, MHD_OPTION_URI_LOG_CALLBACK,
        on_target, front, MHD_OPTION_NOTIFY_COMPLETED, on_completed, front,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, front, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!front->daemon)
        return error_set(e, EIO, "cannot start the HTTP server");
    return 0;
}

int front_open(struct front **out, const struct front_options *options, struct error *e)
{
    struct mount_probe_options probe = {options->ask_mount, options->mount, suspend, resume};
    struct front *front = calloc(1, sizeof *front);
    int r = 0;

    if (!front)
        return error_no_memory(e);
    front->options = *options;
    clients_init(&front->clients, connections_most());
    if (options->ask_mount)
        r = mount_probe_open(&front->probe, &probe, e);
    front->responder = (struct responder){
        .shelf = options->shelf,
        .has_set = options->has_set,
        .sha = options->sha,
        .probe = front->probe,
        .clients = &front->clients,
        .figures = &front->figures,
        .log = options->log,
    };
    if (r == 0)
        r = start_daemon(front, e);
    if (r < 0) {
        mount_probe_stop(front->probe);
        mount_probe_close(front->probe);
        clients_release(&front->clients);
        free(front);
        return r;
    }
    *out = front;
    return 0;
}

static void wait_for_answers(struct front *front)
{
    struct timespec pause = {.tv_nsec = 20000000};
    int64_t until = clock_now() + CLOSE_PATIENCE;

    while (clients_count(&front->clients).busy > 0 && clock_now() < until) {
        nanosleep(&pause, NULL);
        front_tick(front);
    }
}

bool front_close(struct front *front)
{
    if (!front)
        return true;
    MHD_socket listener = MHD_quiesce_daemon(front->daemon);
    if (listener != MHD_INVALID_SOCKET)
        close(listener);
    wait_for_answers(front);
    mount_probe_stop(front->probe); /* or else suspended connections could not be ended */
    MHD_stop_daemon(front->daemon);
    bool ended = mount_probe_close(front->probe);
    clients_release(&front->clients);
    free(front);
    return ended;
}

void front_tick(struct front *front)
{
    int64_t now = clock_now();

    clients_expire(&front->clients, now);
    if (front->probe)
        mount_probe_expire(front->probe, now);
}

const char *front_library(void)
{
    return MHD_get_version();
}
