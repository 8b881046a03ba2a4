/* worker.h - one worker of a mount: it opens all that a mount is, answers the kernel until the mount
 * ends or another worker takes over, and may die at any time. */
#ifndef FS_WORKER_WORKER_H
#define FS_WORKER_WORKER_H

#include "fs/tree/mount.h"

/* What a worker is started with; all is borrowed. */
struct worker_start {
    const struct settings *settings;
    const char *folder;    /* what relative operands are relative to */
    char *const *operands; /* sources, lists and folders of lists; none: the sets */
    size_t operand_count;
    int fuse_fd, nodes_fd, state_fd; /* from the supervisor; owned from then on */
    int lists_fd;                    /* likewise (last_reading.h); -1: it has none */
    /* Calls visit with each file that the network reads; stops at the first non-zero and returns it. */
    int (*each_file)(void *data, int (*visit)(void *visit_data, const char *path),
                     void *visit_data);
    void (*ready)(void *data);    /* requests are being taken */
    void (*reloaded)(void *data); /* the lists have been read again; on another thread */
    void *data;
};

struct worker {
    struct mount mount;
    const struct worker_start *start;
    struct fence *fence;
    struct connection *connection;
    struct texts *texts;           /* what the generated files say */
    struct list_watch *list_watch; /* reloads the lists when they change */
    bool no_open, no_opendir;      /* the kernel does without them; set before the first request */
    pthread_t signals;
    bool has_signals;
};

enum worker_end { WORKER_UNMOUNTED, WORKER_REPLACED };

/* Runs one to its end: an enum worker_end, or a negative errno. The process is to exit after it:
 * on WORKER_REPLACED and failure at once (_exit), since threads may be left that wait for the
 * network, and those who wait for them are the next worker's. */
int worker_run(const struct worker_start *start, struct error *e);

#endif
