/* inflight.h - the requests that a worker has read and not answered, in memory that outlives it.
 *
 * Two things need to know them when a worker has died:
 *  - A kernel that can't resend (before Linux 6.9) waits for their answers for ever: the next
 * worker gives them an error.
 *  - A request that was being worked on when a worker died may be what killed it. When that has
 * happened to it three times, it is answered with EIO, so that one poisoned file takes nobody else
 * down.
 *
 * A table of slots found by the request's number. If it is full, a request goes untracked: nothing
 * else suffers.
 */
#ifndef FS_INFLIGHT_H
#define FS_INFLIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define INFLIGHT_SLOTS  8192
#define INFLIGHT_DEATHS 3 /* a request is given up when so many workers have died of it */

struct inflight_slot {
    _Atomic uint64_t unique;  /* 0: free */
    _Atomic uint32_t working; /* a thread is at it just now */
    _Atomic uint32_t deaths;
};

struct inflight {
    struct inflight_slot slots[INFLIGHT_SLOTS];
};

/* A request has been read; `unique` without the kernel's mark for those that it sends again.
 * Returns true if it is to be given up. */
bool inflight_begin(struct inflight *inflight, uint64_t unique);

/* Its thread is through with it: answered, or parked. */
void inflight_pause(struct inflight *inflight, uint64_t unique);

/* It has been answered. */
void inflight_end(struct inflight *inflight, uint64_t unique);

/* A worker begins: what the last one was working on when it died is counted as a death. If the
 * kernel does not resend, `give_up` is called for every request that is left, and the table is
 * empty then. */
void inflight_recover(struct inflight *inflight, bool resends,
                      void (*give_up)(void *data, uint64_t unique), void *data);

#endif
