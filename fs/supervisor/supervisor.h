/* supervisor.h - the process that keeps the mount: it opens /dev/fuse, mounts, and sees to it that
 * there is a worker.
 *
 * Once the mount stands it does nothing that can fail: no git, no network, no locks, no allocation.
 * It waits for its child and starts the next. */
#ifndef FS_SUPERVISOR_SUPERVISOR_H
#define FS_SUPERVISOR_SUPERVISOR_H

#include "fs/settings.h"
#include "fs/supervisor/custody.h"
#include "fs/supervisor/notify.h"

/* What is asked of it. */
struct supervision {
    const struct settings *settings;
    const char *options;    /* for libfuse */
    const char *mountpoint; /* absolute */
    int arguments_fd;       /* of the workers, for their WORKER_ARGUMENTS_FD */
    struct log *log;
    const struct notify *notify;
    struct custody *custody;   /* has been asked what there is to take over */
    uint64_t operands;         /* a hash of what is to be shown */
    void (*ready)(void *data); /* called once, when the mount answers */
    void *data;
};

/* Mounts, or takes over, and supervises until the mount ends. Returns the exit code: 0 after an unmount, SIGTERM or
 * SIGINT, and after SIGUSR2, which leaves the mount to whoever holds it (it is SIGTERM where nobody does); 1 if
 * mounting failed (a sentence is on stderr; what was taken over is left to who holds it). */
int supervisor_run(const struct supervision *supervision);

#endif
