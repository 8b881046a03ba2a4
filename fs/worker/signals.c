#include "fs/worker/signals.h"

#include <signal.h>

#include "fs/worker/connection.h"
#include "fs/worker/list_watch.h"

static void understood(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGUSR2);
}

void signals_block(void)
{
    sigset_t signals;

    understood(&signals);
    /* Ctrl-C goes to all processes of a terminal: the supervisor sees to it. */
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_SETMASK, &signals, NULL);
}

static void *take_signals(void *arg)
{
    struct worker *worker = arg;
    sigset_t signals;
    int signal;

    understood(&signals);
    while (sigwait(&signals, &signal) == 0) {
        if (signal == SIGHUP) {
            list_watch_reload(worker->list_watch);
            continue;
        }
        connection_drain(worker->connection);
        break;
    }
    return NULL;
}

int signals_start(pthread_t *thread, struct worker *worker)
{
    return -pthread_create(thread, NULL, take_signals, worker);
}

void signals_stop(pthread_t thread)
{
    pthread_kill(thread, SIGUSR2);
    pthread_join(thread, NULL);
}
