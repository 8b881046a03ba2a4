/* watch.h - how a caller follows slow work and stops it: a transfer, or waiting for a lock. */
#ifndef GITCACHE_BASE_WATCH_H
#define GITCACHE_BASE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Members may be NULL. They are called from within the slow call, on its thread: `progress` at each
 * arrival of bytes (total so far, and the server's progress line or NULL), `cancelled` at least once
 * a second while nothing arrives. */
struct watch {
    void (*progress)(void *data, uint64_t bytes, const char *line);
    bool (*cancelled)(void *data);
    void *data;
    bool lines; /* ask the server for its progress lines; else it sends none */
    /* All that has arrived was read and found good: from here on it is only written. */
    void (*checked)(void *data);
    /* A sentence for the log, about something that works but not as it should. */
    void (*note)(void *data, const char *sentence);
};

/* For many waits in a row: true once the caller wants no more. `watch` may be NULL. */
static inline bool watch_is_cancelled(const struct watch *watch)
{
    return watch && watch->cancelled && watch->cancelled(watch->data);
}

#endif
