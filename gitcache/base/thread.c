#include "gitcache/base/thread.h"

#include <errno.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "gitcache/base/clock.h"

#define LOWER_PRIORITY 10 /* as nice(1) -n */

/* Not pthread_clockjoin_np: ThreadSanitizer does not know that, and takes what comes after for a race. */
int thread_join(pthread_t thread, int milliseconds)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    int64_t until = clock_now() + milliseconds;
    int r;

    while ((r = pthread_tryjoin_np(thread, NULL)) == EBUSY && clock_now() < until)
        nanosleep(&moment, NULL);
    return r == EBUSY ? ETIMEDOUT : r;
}

void thread_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

int thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline)
{
    const struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};

    return pthread_cond_timedwait(condition, lock, &until);
}

/* To Linux, a thread is a process here. */
void thread_lower_priority(void)
{
    id_t id = (id_t)gettid();

    setpriority(PRIO_PROCESS, id, getpriority(PRIO_PROCESS, id) + LOWER_PRIORITY);
}
