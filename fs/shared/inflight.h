/* inflight.h - the requests that a worker has read and not answered, in memory that outlives it.
 *
 * Two things need to know them when a worker has died:
 *  - A kernel that can't resend (before Linux 6.9) waits for their answers for ever: the next
 * worker gives them an error.
 *  - A request that was being worked on when a worker died may be what killed it. When that has
 * happened to it three times, it is answered with EIO, so that one poisoned file takes nobody else
 * down.
 *
 * Eight requests may be worked on when one of them kills the worker; the other seven must not be
 * blamed. So a request that was there at two deaths has its third chance on trial: only one of
 * those is worked on at a time, and only the guilty one can be there at a third death.
 *
 * A table of slots found by the request's number. If it is full, a request goes untracked: nothing
 * else suffers. A request that is read and whose worker dies before it has a slot is not lost
 * either: the kernel itself writes each request's header into `heads`, in the system call that
 * reads it. */
#ifndef FS_SHARED_INFLIGHT_H
#define FS_SHARED_INFLIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/shared/fuse_message.h"

#define INFLIGHT_SLOTS   8192
#define INFLIGHT_READERS 64 /* threads that read requests */
#define INFLIGHT_DEATHS  3  /* a request is given up when so many workers have died of it */

struct inflight_slot {
    _Atomic uint64_t unique;  /* 0: free */
    _Atomic uint32_t working; /* a thread is at it just now */
    _Atomic uint32_t deaths;
    _Atomic uint32_t worker; /* the last worker that had it */
};

struct inflight {
    struct request_header heads[INFLIGHT_READERS]; /* what each thread has read last */
    struct inflight_slot slots[INFLIGHT_SLOTS];
};

enum inflight_verdict {
    INFLIGHT_SERVE,
    INFLIGHT_TRIAL, /* serve it, but no two of them at a time */
    INFLIGHT_GIVE_UP,
};

/* A request has been read by the mount's `worker`-th worker; `unique` without the kernel's mark for
 * those that it sends again. */
enum inflight_verdict inflight_begin(struct inflight *inflight, uint64_t unique, uint32_t worker);

/* A thread works on it from now on; if the worker dies, it may be the request's fault. */
void inflight_work(struct inflight *inflight, uint64_t unique);

/* Its thread is through with it: answered, or parked. */
void inflight_pause(struct inflight *inflight, uint64_t unique);

/* It has been answered. */
void inflight_end(struct inflight *inflight, uint64_t unique);

/* Whether all have been answered. */
bool inflight_is_empty(const struct inflight *inflight);

/* The `worker`-th worker begins: what the last one was working on when it died is counted as a
 * death. If the kernel does not resend, `give_up` is called for every request that is left (and
 * possibly for some that have been answered), and the table is empty then. */
void inflight_recover(struct inflight *inflight, uint32_t worker, bool resends,
                      void (*give_up)(void *data, uint64_t unique), void *data);

#endif
