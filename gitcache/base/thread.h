/* thread.h - waits that end in time, whatever the time of day becomes meanwhile. */
#ifndef GITCACHE_BASE_THREAD_H
#define GITCACHE_BASE_THREAD_H

#include <pthread.h>

/* 0, and the thread is joined; ETIMEDOUT after so many milliseconds, whatever the time of day becomes
 * meanwhile; or what pthread_join(3) says. */
int thread_join(pthread_t thread, int milliseconds);

/* A condition whose pthread_cond_timedwait(3) takes times of CLOCK_MONOTONIC, as clock_now() tells. */
void thread_condition_init(pthread_cond_t *condition);

#endif
