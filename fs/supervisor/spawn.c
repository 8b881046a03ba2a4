#include "fs/supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fs/exit.h"

int spawn_move_fd(int fd)
{
    if (fd < 0)
        return fd;

    int high = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_FDS), saved = errno;
    close(fd);
    errno = saved;
    return high;
}

/* In the child: the descriptors at the numbers that a worker knows, and no other end than the
 * supervisor's. Signals stay blocked: one that comes before the worker can take it must not kill
 * it. */
static void become(const struct spawn_fds *fds, int exe_fd, const char *verb, int talk,
                   pid_t supervisor)
{
    const char *argv[] = {"startpointfs", verb, NULL};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor)
        _exit(EXIT_FAILED);
    if (dup2(fds->fuse, WORKER_FUSE_FD) < 0 || dup2(fds->nodes, WORKER_NODES_FD) < 0 ||
        dup2(fds->state, WORKER_STATE_FD) < 0 || dup2(talk, WORKER_READY_FD) < 0 ||
        dup2(fds->lists, WORKER_LISTS_FD) < 0 || dup2(fds->arguments, WORKER_ARGUMENTS_FD) < 0)
        _exit(exit_fail(EXIT_FAILED, "cannot give the worker its files: %s", strerror(errno)));
    fexecve(exe_fd, (char *const *)argv, environ);
    _exit(exit_fail(EXIT_FAILED, "cannot start the worker: %s", strerror(errno)));
}

pid_t spawn_child(const struct spawn_fds *fds, int exe_fd, const char *verb, int *pipe_fd)
{
    pid_t me = getpid();
    int ends[2];

    *pipe_fd = -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return 0;
    /* The child's end must not be where dup2 puts another. */
    int writer = spawn_move_fd(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK); /* whatever holds the other end */
    pid_t pid = writer < 0 ? -1 : fork();
    int saved = errno;
    if (pid == 0)
        become(fds, exe_fd, verb, writer, me);
    if (writer >= 0)
        close(writer);
    if (pid < 0) {
        close(ends[0]);
        errno = saved;
        return 0;
    }
    *pipe_fd = ends[0];
    return pid;
}
