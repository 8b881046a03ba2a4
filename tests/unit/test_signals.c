/* test_signals.c - what a worker does when it is told something: signals are a process's, so each is told to one of its own. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>

#include "fs/worker/connection.h"
#include "fs/worker/list_watch.h"
#include "fs/worker/signals.h"
#include "tests/unit/apart.h"

static atomic_uint reloads, drains;

void __wrap_list_watch_reload(struct list_watch *watch);
void __wrap_connection_drain(struct connection *connection);

void __wrap_list_watch_reload(struct list_watch *watch)
{
    (void)watch;
    reloads++;
}

void __wrap_connection_drain(struct connection *connection)
{
    (void)connection;
    drains++;
}

static bool is_blocked(int signal)
{
    sigset_t blocked;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    return sigismember(&blocked, signal);
}

static void wait_for(atomic_uint *count, unsigned expected)
{
    while (*count < expected)
        sched_yield();
}

static void tell(void *data)
{
    int last = *(int *)data;
    struct worker worker = {.start = NULL};
    sigset_t supervisors;
    pthread_t thread;

    alarm(20);
    sigfillset(&supervisors); /* as a supervisor has them blocked */
    pthread_sigmask(SIG_SETMASK, &supervisors, NULL);
    signals_block();
    for (int signal = 1; signal < SIGSYS; signal++)
        CHECK(is_blocked(signal) ==
              (signal == SIGHUP || signal == SIGINT || signal == SIGTERM || signal == SIGUSR2));
    CHECK(kill(getpid(), SIGINT) == 0); /* a terminal's: the supervisor's to see to */
    CHECK(kill(getpid(), SIGHUP) == 0); /* one that comes early is not lost */
    CHECK(signals_start(&thread, &worker) == 0);
    wait_for(&reloads, 1);
    CHECK(kill(getpid(), SIGHUP) == 0);
    wait_for(&reloads, 2);
    CHECK(drains == 0);
    if (last) {
        CHECK(kill(getpid(), last) == 0);
        wait_for(&drains, 1);
    }
    signals_stop(thread);
    CHECK(drains == 1 && reloads == 2);
}

static void what_a_worker_is_told(void **state)
{
    static int last[] = {SIGTERM, SIGUSR2, 0}; /* 0: it ends by itself */

    (void)state;
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        run_apart(tell, &last[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_worker_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
