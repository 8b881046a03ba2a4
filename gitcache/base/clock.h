/* clock.h - the two clocks, in milliseconds. */
#ifndef GITCACHE_BASE_CLOCK_H
#define GITCACHE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* For intervals and deadlines: never jumps. */
static inline int64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* For what people read and what is kept on disk: since the epoch. */
static inline int64_t clock_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
