/* thread.h - waits for a thread's end, but not for ever. */
#ifndef GITCACHE_BASE_THREAD_H
#define GITCACHE_BASE_THREAD_H

#include <pthread.h>

/* 0, and the thread is joined; ETIMEDOUT after so many milliseconds, whatever the time of day becomes
 * meanwhile; or what pthread_join(3) says. */
int thread_join(pthread_t thread, int milliseconds);

#endif
