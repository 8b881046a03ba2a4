/* spawn.h - starts a child of the supervisor: a worker, or a program that is asked whether it could be
 * one. */
#ifndef FS_SUPERVISOR_SPAWN_H
#define FS_SUPERVISOR_SPAWN_H

#include <sys/types.h>

/* The descriptors that a worker finds. */
enum worker_fd {
    WORKER_FUSE_FD = 3,
    WORKER_NODES_FD = 4,
    WORKER_STATE_FD = 5,
    /* Gets a byte when requests are being taken, and one each time that the lists were read again.
     */
    WORKER_READY_FD = 6,
    WORKER_LISTS_FD = 7,     /* last_reading.h */
    WORKER_ARGUMENTS_FD = 8, /* what `mount` was called with */
};

#define SPAWN_FDS 10 /* a child's own descriptors lie below; the supervisor's from here on */

/* What a child inherits, beside its end of the pipe. */
struct spawn_fds {
    int fuse, nodes, state, lists, arguments;
};

/* Runs the program at exe_fd as "startpointfs VERB"; it dies with the caller. *pipe_fd is the
 * reading end of what it says on WORKER_READY_FD, owned, or -1. Returns its process id; 0 if it
 * cannot be started, with errno. */
pid_t spawn_child(const struct spawn_fds *fds, int exe_fd, const char *verb, int *pipe_fd);

/* Moves a descriptor out of the way of those that a child inherits; returns it. A negative one is
 * returned as it is; -1 with errno if it cannot be moved, it is closed then. */
int spawn_move_fd(int fd);

#endif
