/* work.h - something that a request can wait for: a listing, a fetch or a reading under way.
 *
 * Order of a finishing thread: record the result, clear `running`, then parked_wake. A request that
 * is about to be parked looks at `running` under the parking lot's lock; so it is woken, or never
 * parked. */
#ifndef FS_TREE_WORK_H
#define FS_TREE_WORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct work {
    atomic_bool running;
    _Atomic int64_t began_at;    /* clock_now(), of an attempt; 0 while queued */
    _Atomic int64_t progress_at; /* clock_now() of the last sign of life; 0 while queued */
    _Atomic uint64_t bytes;      /* received so far */
    atomic_uint waiting;         /* requests that are parked for it */
};

/* Before it is queued. */
static inline void work_begin(struct work *work)
{
    atomic_store(&work->bytes, 0);
    atomic_store(&work->began_at, 0);
    atomic_store(&work->progress_at, 0);
    atomic_store(&work->running, true);
}

#endif
