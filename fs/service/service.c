#include "fs/service/service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fs/exit.h"
#include "fs/service/front.h"
#include "fs/service/listen.h"
#include "fs/service/reload.h"

#define TICK 250 /* milliseconds */

struct service {
    const struct service_options *options;
    struct log *log;
    struct shelf shelf;
    struct reload *reload;
    struct front *front;
};

/* All that a signal handler can reach. */
static struct {
    int wakeup; /* an eventfd */
    atomic_bool stop, reload;
} asked;

static void wake(void)
{
    int why = errno;

    eventfd_write(asked.wakeup, 1);
    errno = why;
}

static void on_signal(int signal)
{
    atomic_store(signal == SIGHUP ? &asked.reload : &asked.stop, true);
    wake();
}

static void on_interrupted(void *data)
{
    (void)data;
    on_signal(SIGTERM);
}

static int take_signals(struct error *e)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    asked.wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (asked.wakeup < 0)
        return error_set(e, errno, "cannot wait for signals: %s", strerror(errno));
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    return 0;
}

static int start_front(struct service *service, struct error *e)
{
    const struct service_options *options = service->options;
    char shown[LISTEN_SHOWN_SIZE];
    struct front_options front = {
        .listener = listen_open(options->host, options->port, shown, e),
        .shelf = &service->shelf,
        .has_set = options->origin.count > 0,
        .sha = options->sha,
        .ask_mount = options->ask_mount,
        .mount = options->mount,
        .log = service->log,
    };

    if (front.listener < 0)
        return front.listener;
    int r = front_open(&service->front, &front, e);
    if (r < 0)
        close(front.listener);
    else
        log_info(service->log, "listens on %s", shown);
    return r;
}

static int start_reload(struct service *service, struct error *e)
{
    struct reload_options reload = {
        .origin = service->options->origin,
        .shelf = &service->shelf,
        .log = service->log,
        .interrupted = on_interrupted,
    };

    if (reload.origin.count == 0)
        return 0;
    return reload_open(&service->reload, &reload, e);
}

static void serve(struct service *service)
{
    struct pollfd event = {.fd = asked.wakeup, .events = POLLIN};
    eventfd_t count;

    while (!atomic_load(&asked.stop)) {
        if (poll(&event, 1, TICK) > 0)
            eventfd_read(asked.wakeup, &count);
        if (atomic_exchange(&asked.reload, false))
            reload_now(service->reload);
        front_tick(service->front);
    }
    log_info(service->log, "ends");
}

const char *service_library(void)
{
    return front_library();
}

int service_run(const struct service_options *options, struct error *e)
{
    struct service service = {.options = options};
    int r = log_open(&service.log, options->origin.settings->log_level, NULL, 1);

    if (r < 0)
        return error_set(e, -r, "cannot log: %s", strerror(-r));
    shelf_init(&service.shelf);
    r = load_check(&options->origin, e);
    if (r == 0)
        r = take_signals(e);
    if (r == 0)
        r = start_front(&service, e);
    if (r == 0)
        r = start_reload(&service, e);
    if (r == 0)
        serve(&service);
    bool ended = front_close(service.front);
    ended = reload_close(service.reload) && ended;
    if (!ended)
        _exit(r < 0 ? EXIT_FAILED : EXIT_OK); /* what the thread uses must stay until then */
    shelf_release(&service.shelf);
    log_close(service.log);
    return r;
}
