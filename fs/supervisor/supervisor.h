/* supervisor.h - the process that keeps the mount: it opens /dev/fuse, mounts, and sees to it that
 * there is a worker.
 *
 * Once the mount stands it does nothing that can fail: no git, no network, no locks, no allocation.
 * It waits for its child and starts the next. */
#ifndef FS_SUPERVISOR_SUPERVISOR_H
#define FS_SUPERVISOR_SUPERVISOR_H

#include "fs/settings.h"
#include "fs/supervisor/notify.h"

/* What is asked of it. */
struct supervision {
    const struct settings *settings;
    const char *options;    /* for libfuse */
    const char *mountpoint; /* absolute */
    int arguments_fd;       /* of the workers, for their WORKER_ARGUMENTS_FD */
    struct log *log;
    const struct notify *notify;
    void (*ready)(void *data); /* called once, when the mount answers */
    void *data;
};

/* Mounts and supervises until the mount ends. Returns the exit code: 0 after an unmount, SIGTERM or
 * SIGINT; 1 if mounting failed (a sentence is on stderr). */
int supervisor_run(const struct supervision *supervision);

#endif
