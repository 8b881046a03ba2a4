/* process.h - a program that is talked to over pipes: ssh, git upload-pack, git credential.
 *
 * Started with vfork, since a fork of a many-threaded program that maps much memory is slow and
 * unsafe, and not with posix_spawn, which cannot say that it must not outlive us: it gets SIGTERM
 * when the thread that started it ends, also by kill -9. It gets its own process group, default
 * signals and only descriptors 0 to 2. */
#ifndef GITCACHE_NET_PROCESS_H
#define GITCACHE_NET_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "gitcache/base/error.h"

/* Who has started a process, where that was another than us: only a parent may reap. */
struct process_owner {
    void (*kill_group)(void *data, pid_t pid, int number);
    int (*reap)(void *data, pid_t pid); /* of one that has ended: as process_end returns it */
    void *data;
};

struct process {
    pid_t pid; /* 0: none */
    int in;    /* its standard input, to write to; our three ends are non-blocking and may be -1 */
    int out;   /* its standard output, to read from */
    int err;   /* its standard error, to read from */
    int ended; /* a pidfd: readable once it has ended */
    const struct process_owner *owner; /* NULL: we are its parent */
};

#define PROCESS_NONE ((struct process){.in = -1, .out = -1, .err = -1, .ended = -1})

/* Starts argv[0], searched in PATH, with the environment and these NAME=VALUE (NULL-terminated)
 * added or replaced; a NAME alone is taken out. The error is the errno of what failed (ENOENT: no such program), its sentence
 * names the program. */
int process_start(struct process *out, const char *const argv[], const char *const variables[],
                  struct error *e);

/* Closes the pipes and sees the process off: it has `grace` milliseconds to end by itself, then
 * its group is killed. Always reaps. Returns the exit status, or -1 if it was killed. */
int process_end(struct process *process, unsigned grace);

/* Waits for a child of ours, with waitpid(2)'s flags. Its exit status; -1 if it was killed, -EAGAIN if it
 * goes on (WNOHANG). */
int process_reap(pid_t pid, int flags);

/* Closes one of the descriptors; idempotent. */
void process_close(int *fd);

#endif
