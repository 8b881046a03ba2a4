/* thread.h - waits that end in time, whatever the time of day becomes meanwhile; a thread's priority. */
#ifndef GITCACHE_BASE_THREAD_H
#define GITCACHE_BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

/* 0, and the thread is joined; ETIMEDOUT after so many milliseconds, whatever the time of day becomes
 * meanwhile; or what pthread_join(3) says. */
int thread_join(pthread_t thread, int milliseconds);

/* A condition for thread_wait_until. */
void thread_condition_init(pthread_cond_t *condition);

/* As pthread_cond_timedwait(3), until clock_now() is `deadline`: 0, or ETIMEDOUT. */
int thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline);

/* The thread that calls this goes behind others from now on, until its end (setpriority(2)). */
void thread_lower_priority(void);

#endif
