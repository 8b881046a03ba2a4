#include "fs/supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fs/exit.h"

/* In the child: the descriptors at the numbers that a worker knows, and no other end than the
 * supervisor's. Signals stay blocked: one that comes before the worker can take it must not kill
 * it. */
static void become(const struct kept *kept, int exe_fd, const char *const *argv, int talk,
                   pid_t supervisor)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor)
        _exit(EXIT_FAILED);
    if (dup2(kept->fuse_fd, WORKER_FUSE_FD) < 0 || dup2(kept->nodes_fd, WORKER_NODES_FD) < 0 ||
        dup2(kept->state_fd, WORKER_STATE_FD) < 0 || dup2(talk, WORKER_READY_FD) < 0 ||
        dup2(kept->lists_fd, WORKER_LISTS_FD) < 0)
        _exit(EXIT_FAILED);
    fexecve(exe_fd, (char *const *)argv, environ);
    _exit(exit_fail(EXIT_FAILED, "cannot start the worker: %s", strerror(errno)));
}

pid_t spawn(const struct kept *kept, int exe_fd, const char *const *argv, int *talk)
{
    pid_t me = getpid(), pid;
    int ends[2];

    *talk = -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return 0;
    /* The child's end must not be where dup2 puts another. */
    int writer = kept_descriptor(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK); /* whatever holds the other end */
    pid = fork();
    if (pid == 0)
        become(kept, exe_fd, argv, writer, me);
    close(writer);
    if (pid < 0) {
        close(ends[0]);
        return 0;
    }
    *talk = ends[0];
    return pid;
}
