/* mount_probe.h - asks a mount how it is, on a thread of its own: a mount that hangs holds up this
 * thread, and no request for longer than MOUNT_PROBE_PATIENCE.
 *
 * Who wants an answer waits (mount_probe_wait), and is woken when there is one that is younger than
 * MOUNT_PROBE_FRESH, or when its patience is over. What is known then is said by mount_probe_report. */
#ifndef FS_SERVICE_MOUNT_PROBE_H
#define FS_SERVICE_MOUNT_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "gitcache/base/error.h"

#define MOUNT_PROBE_FRESH    1000 /* milliseconds */
#define MOUNT_PROBE_PATIENCE 4000

/* Asks the mount: its Prometheus text, malloc'd, or a negative errno with a sentence. May take
 * long. */
typedef int mount_probe_ask(void *data, char **text, struct error *e);

struct mount_probe;

struct mount_probe_options {
    mount_probe_ask *ask;
    void *data;
    /* Around the wait of who asked; called with the probe's lock held. */
    void (*suspend)(void *waiter);
    void (*resume)(void *waiter);
};

/* Embedded in who waits; stays until it is resumed. */
struct mount_probe_waiter {
    struct mount_probe_waiter *next;
    void *waiter;
    int64_t until; /* clock_now */
};

int mount_probe_open(struct mount_probe **out, const struct mount_probe_options *options,
                     struct error *e);
/* Everybody who waits is resumed, and nobody waits any more. */
void mount_probe_stop(struct mount_probe *probe);
/* After mount_probe_stop, when nobody asks any more. False: the thread hangs in the mount; it is left
 * behind with all that it uses, as the program is ending. */
bool mount_probe_close(struct mount_probe *probe);

/* Waits unless there is a fresh answer; returns whether it does. */
bool mount_probe_wait(struct mount_probe *probe, struct mount_probe_waiter *waiter, void *data);

/* The last answer: 0 with *text, a copy that the caller owns, where text is not NULL; else the
 * errno and sentence of the failure, which is ETIMEDOUT if the mount does not answer. */
int mount_probe_report(struct mount_probe *probe, char **text, struct error *e);

/* Resumes those whose patience is over. To be called a few times a second. */
void mount_probe_expire(struct mount_probe *probe, int64_t now);

#endif
