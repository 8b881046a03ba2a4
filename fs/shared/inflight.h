/* inflight.h - the requests that a worker has read and not answered, in memory that outlives it.
 *
 * Two things need to know them when a worker has died:
 *  - A kernel that cannot resend (before Linux 6.9) waits for their answers for ever: the next
 *    worker gives them an error.
 *  - A request that was being worked on may be what killed it: see crash_record.h.
 *
 * A request that is read and whose worker dies before it has a slot is not lost either: the kernel
 * itself writes each request's header into `heads`, in the system call that reads it. */
#ifndef FS_SHARED_INFLIGHT_H
#define FS_SHARED_INFLIGHT_H

#include <stdbool.h>

#include "fs/shared/crash_record.h"
#include "fs/shared/fuse_message.h"

#define INFLIGHT_READERS 64 /* threads that read requests */

struct inflight {
    struct request_header heads[INFLIGHT_READERS]; /* what each thread has read last */
    struct crash_record requests; /* by their number, without the kernel's mark for a resent one */
};

/* Whether all have been answered. */
bool inflight_is_empty(const struct inflight *inflight);

/* A worker begins; `was_killed` as for crash_record_recover. If the kernel does not resend, `give_up`
 * is called for every request that is left (and possibly for some that have been answered), and the
 * table is empty then. */
void inflight_recover(struct inflight *inflight, bool resends, bool was_killed,
                      void (*give_up)(void *data, uint64_t unique), void *data);

#endif
