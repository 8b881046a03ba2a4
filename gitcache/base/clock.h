/* clock.h - the two clocks, in milliseconds. */
#ifndef GITCACHE_BASE_CLOCK_H
#define GITCACHE_BASE_CLOCK_H

#include <stdbool.h>
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

#define CLOCKS_DIFFER 2 /* seconds, of machines that share a cache */

/* Whether a time that was kept (seconds since the epoch) lies ahead: a clock was wrong then, or is now.
 * Such a time counts as old, wherever one is looked at. */
static inline bool clock_is_ahead(int64_t seconds)
{
    return seconds > clock_wall() / 1000 + CLOCKS_DIFFER;
}

#endif
