/* spawn.h - starts a child of the supervisor: a worker, or a program that is asked whether it could
 * be one. */
#ifndef FS_SUPERVISOR_SPAWN_H
#define FS_SUPERVISOR_SPAWN_H

#include <sys/types.h>

#include "fs/supervisor/kept.h"

/* The descriptors that it inherits. */
enum worker_fd {
    WORKER_FUSE_FD = 3,
    WORKER_NODES_FD = 4,
    WORKER_STATE_FD = 5,
    /* Gets a byte when requests are being taken, and one each time that the lists were read again.
     */
    WORKER_READY_FD = 6,
    WORKER_LISTS_FD = 7, /* last_reading.h */
};

/* Runs the program at exe_fd; it dies with the caller. *talk is the reading end of what it says on
 * WORKER_READY_FD, owned, or -1. Returns its process id; 0 if it can't be started. */
pid_t spawn(const struct kept *kept, int exe_fd, const char *const *argv, int *talk);

#endif
