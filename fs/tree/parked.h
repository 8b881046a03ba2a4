/* parked.h - requests that wait for the network, or for a reading, without a thread.
 *
 * A FUSE request that needs a listing, a version or a folder of one is parked here: its arguments are kept, its
 * thread goes back to work. When the work ends, the request is replayed from the start. It ends
 * otherwise when
 *  - its caller is interrupted: EINTR at once;
 *  - the work has made no progress for the timeout: ETIMEDOUT;
 *  - its own patience (a soft deadline) is over: it is replayed, and takes what there is.
 *
 * This file knows neither FUSE nor git: what a request is, and how it ends, its owner says. */
#ifndef FS_TREE_PARKED_H
#define FS_TREE_PARKED_H

#include <stddef.h>
#include <stdint.h>

#include "fs/tree/work.h"

struct parked_lot;

enum parked_end { PARKED_REPLAY, PARKED_TIMED_OUT, PARKED_INTERRUPTED };

/* Embedded in the owner's request, which is on the heap. */
struct parked {
    struct parked *next;
    struct work *work;
    int64_t since;    /* clock_now() */
    int64_t patience; /* clock_now() at which it is replayed in any case; 0: none */
    void (*end)(struct parked *parked, enum parked_end how); /* owns the request from then on */
};

/* timeout in milliseconds. NULL: out of memory. Starts a thread for the deadlines. */
struct parked_lot *parked_new(int64_t timeout);
/* Ends all that wait (as timed out), and the thread. */
void parked_free(struct parked_lot *lot);

/* Parks a request until `work` ends. `is_interrupted(data)` is asked under the lot's lock, so that
 * an interrupt is seen here or by parked_interrupt, never by neither. Returns 0 if it is parked
 * (and may have ended already: touch it no more), -EINTR if it is interrupted, -EAGAIN if the work
 * is not running any more (replay it). */
int parked_wait(struct parked_lot *lot, struct parked *parked, struct work *work,
                int (*is_interrupted)(void *data), void *data);

/* Replays all that wait for this work, on the calling thread. */
void parked_wake(struct parked_lot *lot, struct work *work);

/* Ends those for which match(parked, data) is true as interrupted. */
void parked_interrupt(struct parked_lot *lot, int (*match)(struct parked *parked, void *data),
                      void *data);

size_t parked_count(struct parked_lot *lot);

#endif
