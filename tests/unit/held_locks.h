/* held_locks.h - a mutex that is unlocked by who does not hold it, or locked by who does, ends the program: else the one would go
 * unnoticed, and the other wait for ever. Included by sandbox.h. ThreadSanitizer sees both by itself. */
#ifndef TESTS_HELD_LOCKS_H
#define TESTS_HELD_LOCKS_H

#if defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

typedef int mutex_call(pthread_mutex_t *mutex);

static bool is_own_mutex(const pthread_mutex_t *mutex)
{
    return mutex->__data.__owner == gettid();
}

static mutex_call *real_mutex_call(const char *name)
{
    mutex_call *call;

    *(void **)&call = dlsym(RTLD_NEXT, name);
    return call;
}

static void end_for_mutex(const char *sentence)
{
    ssize_t written = write(STDERR_FILENO, sentence, strlen(sentence));

    (void)written;
    abort();
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static mutex_call *_Atomic real;

    if (!real)
        real = real_mutex_call("pthread_mutex_lock");
    if (is_own_mutex(mutex) && mutex->__data.__kind == PTHREAD_MUTEX_TIMED_NP)
        end_for_mutex("a mutex is locked by who holds it\n");
    return real(mutex);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    static mutex_call *_Atomic real;

    if (!real)
        real = real_mutex_call("pthread_mutex_unlock");
    if (!is_own_mutex(mutex) && mutex->__data.__kind == PTHREAD_MUTEX_TIMED_NP)
        end_for_mutex("a mutex is unlocked by who does not hold it\n");
    return real(mutex);
}
#endif

#endif
