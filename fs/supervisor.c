#include "fs/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/clock.h"
#include "fs/nodes.h"
#include "fs/state.h"
#include "fs/verb.h"

#define READ_BUFFER  65536 /* more than any first request needs */
#define PAUSE_FIRST  100   /* milliseconds before a worker that died at once is replaced */
#define PAUSE_LAST   10000
#define STABLE_AFTER 10000 /* a worker that lived so long died by accident */

struct supervisor {
    const struct supervision *supervision;
    struct fuse_session *fuse;
    struct state *state;
    int fuse_fd, nodes_fd, state_fd, exe_fd, signal_fd;
    int ready_fd; /* the reading end; -1 once the worker has said that it is ready */
    sigset_t old_signals;
    char exe_path[PATH_MAX]; /* where `reload` looks for the program */
    pid_t worker;
    pid_t probe;      /* tries whether candidate_fd can go on with what there is; 0: none */
    int candidate_fd; /* the program on disk */
    int probe_fd;     /* what the probe has to say */
    int64_t started_at;
    int pause;
    bool was_ready, stopping;
};

/* ---- setting up: everything that can fail ---- */

static int mount_fuse(struct supervisor *s)
{
    static const struct fuse_lowlevel_ops none;
    const struct settings *settings = s->supervision->settings;
    char *options;
    int r;

    if (asprintf(&options, "ro,fsname=startpointfs,subtype=startpointfs%s%s",
                 settings->fuse_options ? "," : "",
                 settings->fuse_options ? settings->fuse_options : "") < 0)
        return verb_fail(EXIT_FAILED, "out of memory");
    const char *argv[] = {"startpointfs", "-o", options, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, (char **)argv);
    s->fuse = fuse_session_new(&args, &none, sizeof none, NULL);
    r = s->fuse ? fuse_session_mount(s->fuse, s->supervision->mountpoint) : -1;
    fuse_opt_free_args(&args);
    free(options);
    if (r < 0)
        return verb_fail(EXIT_FAILED, "cannot mount on %s (see above)", s->supervision->mountpoint);
    /* libfuse closes its own descriptor when it unmounts; the workers' must stay open until then.
     */
    s->fuse_fd = fcntl(fuse_session_fd(s->fuse), F_DUPFD_CLOEXEC, 10);
    return s->fuse_fd < 0 ? verb_fail(EXIT_FAILED, "cannot keep /dev/fuse: %s", strerror(errno))
                          : 0;
}

/* The kernel's first request, which every worker is fed with. It is there as soon as the mount is.
 */
static int save_init(struct supervisor *s)
{
    char *buffer = malloc(READ_BUFFER);
    ssize_t size = buffer ? read(s->fuse_fd, buffer, READ_BUFFER) : -1;
    int r = 0;

    if (size <= 0 || (size_t)size > sizeof s->state->init) {
        r = verb_fail(EXIT_FAILED, "the kernel does not begin the session: %s", strerror(errno));
    } else {
        memcpy(s->state->init, buffer, (size_t)size);
        s->state->init_size = (uint32_t)size;
    }
    free(buffer);
    return r;
}

/* Moves a descriptor out of the way of those that a worker inherits. */
static int keep(int fd)
{
    if (fd < 0)
        return fd;

    int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    close(fd);
    return high;
}

static int set_up(struct supervisor *s)
{
    struct error error;
    sigset_t signals;
    int fd;

    fd = nodes_create(s->supervision->settings->max_nodes, clock_wall() / 1000, &error);
    if (fd < 0)
        return verb_fail(EXIT_FAILED, "%s", error.text);
    s->nodes_fd = keep(fd);
    fd = state_create(&error);
    if (fd < 0 || state_map(&s->state, fd, &error) < 0)
        return verb_fail(EXIT_FAILED, "%s", error.text);
    s->state_fd = keep(fd);
    s->exe_fd = keep(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    if (readlink("/proc/self/exe", s->exe_path, sizeof s->exe_path - 1) < 0)
        return verb_fail(EXIT_FAILED, "cannot find this program: %s", strerror(errno));
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, &s->old_signals);
    s->signal_fd = keep(signalfd(-1, &signals, SFD_CLOEXEC));
    if (s->nodes_fd < 0 || s->state_fd < 0 || s->exe_fd < 0 || s->signal_fd < 0)
        return verb_fail(EXIT_FAILED, "cannot keep a descriptor: %s", strerror(errno));
    int r = mount_fuse(s);
    return r ? r : save_init(s);
}

/* ---- supervising: nothing that can fail ---- */

/* In the child: the descriptors at the numbers that a worker knows, and no other end than the
 * supervisor's. */
static void become(const struct supervisor *s, int exe_fd, const char *const *argv, int ready,
                   pid_t supervisor)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor)
        _exit(EXIT_FAILED);
    sigprocmask(SIG_SETMASK, &s->old_signals, NULL);
    if (dup2(s->fuse_fd, WORKER_FUSE_FD) < 0 || dup2(s->nodes_fd, WORKER_NODES_FD) < 0 ||
        dup2(s->state_fd, WORKER_STATE_FD) < 0 || dup2(ready, WORKER_READY_FD) < 0)
        _exit(EXIT_FAILED);
    fexecve(exe_fd, (char *const *)argv, environ);
    _exit(verb_fail(EXIT_FAILED, "cannot start the worker: %s", strerror(errno)));
}

/* Starts a worker or a probe. *talk is the reading end of its pipe, -1 if it has none. Without a
 * pipe or a process it returns 0. */
static pid_t start(const struct supervisor *s, int exe_fd, const char *const *argv, int *talk)
{
    pid_t me = getpid(), pid;
    int ends[2];

    *talk = -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return 0;
    /* The child's end must not be where dup2 puts another. */
    int writer = fcntl(ends[1], F_DUPFD_CLOEXEC, 20);
    close(ends[1]);
    pid = fork();
    if (pid == 0)
        become(s, exe_fd, argv, writer, me);
    close(writer);
    if (pid < 0) {
        close(ends[0]);
        return 0;
    }
    *talk = ends[0];
    return pid;
}

static void start_worker(struct supervisor *s)
{
    if (s->ready_fd >= 0)
        close(s->ready_fd);
    s->started_at = clock_now();
    s->was_ready = false;
    atomic_fetch_add(&s->state->workers, 1);
    s->worker = start(s, s->exe_fd, s->supervision->worker, &s->ready_fd);
}

static void describe_death(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(status),
                 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
    else
        snprintf(text, size, "ended with exit code %d", WEXITSTATUS(status));
}

/* Milliseconds until the next worker: none after an accident, growing if they die again and again.
 */
static int next_pause(struct supervisor *s)
{
    if (s->was_ready && clock_now() - s->started_at >= STABLE_AFTER)
        s->pause = 0;
    int pause = s->pause;
    s->pause = pause ? (2 * pause < PAUSE_LAST ? 2 * pause : PAUSE_LAST) : PAUSE_FIRST;
    return s->was_ready && pause <= PAUSE_FIRST ? 0 : pause;
}

/* What follows the worker's end: the mount's, or the next worker at *start_at. */
static bool is_to_go_on(struct supervisor *s, int status, int64_t *start_at)
{
    *start_at = clock_now();
    if (s->stopping || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK))
        return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_REPLACE) {
        atomic_fetch_add(&s->state->reloads, 1);
        return true;
    }
    describe_death(status, s->state->last_cause, sizeof s->state->last_cause);
    atomic_fetch_add(&s->state->restarts, 1);
    /* The first that never worked: what is wrong was said on stderr. */
    if (!s->was_ready && atomic_load(&s->state->workers) == 1)
        return false;
    int pause = next_pause(s);
    *start_at += pause;
    log_error(s->supervision->log, "the worker was %s; the next starts %s", s->state->last_cause,
              pause ? "after a pause" : "at once");
    return true;
}

/* ---- replacing the worker by the program that is on disk now ---- */

static void refuse_reload(struct supervisor *s, const char *why)
{
    snprintf(s->state->reload_refusal, sizeof s->state->reload_refusal, "%.700s: %.300s",
             s->exe_path, why);
    atomic_fetch_add(&s->state->reloads_refused, 1);
    log_error(s->supervision->log, "not reloaded: %s", s->state->reload_refusal);
}

/* The program on disk is asked first whether it can go on with this mount's tables: the worker
 * works until it has said yes. */
static void begin_reload(struct supervisor *s)
{
    static const char *const probe[] = {"startpointfs", "probe", NULL};

    if (s->probe > 0 || s->stopping)
        return;
    s->candidate_fd = keep(open(s->exe_path, O_RDONLY | O_CLOEXEC));
    if (s->candidate_fd < 0) {
        refuse_reload(s, "cannot be opened");
        return;
    }
    s->probe = start(s, s->candidate_fd, probe, &s->probe_fd);
    if (s->probe <= 0) {
        close(s->candidate_fd);
        refuse_reload(s, "cannot be started");
    }
}

static void end_reload(struct supervisor *s, int status)
{
    char text[200];
    ssize_t size = read(s->probe_fd, text, sizeof text - 1);

    close(s->probe_fd);
    s->probe = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK) {
        close(s->exe_fd);
        s->exe_fd = s->candidate_fd;
        if (s->worker > 0)
            kill(s->worker, SIGUSR2);
        return;
    }
    close(s->candidate_fd);
    text[size > 0 ? size : 0] = '\0';
    refuse_reload(s, size > 0 ? text : "it is not a startpointfs that can go on with this mount");
}

static void stop(struct supervisor *s)
{
    s->stopping = true;
    /* Lazily: who is inside keeps an error, everybody else sees the folder below. */
    fuse_session_unmount(s->fuse);
    if (s->worker > 0)
        kill(s->worker, SIGTERM);
}

static void on_signal(struct supervisor *s)
{
    struct signalfd_siginfo info;

    if (read(s->signal_fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
        stop(s);
    else if (info.ssi_signo == SIGHUP && s->worker > 0)
        kill(s->worker, SIGHUP);
    else if (info.ssi_signo == SIGUSR1)
        begin_reload(s);
}

static void on_ready(struct supervisor *s)
{
    char byte;

    if (read(s->ready_fd, &byte, 1) == 1) {
        if (atomic_load(&s->state->workers) == 1)
            s->supervision->ready(s->supervision->data);
        s->was_ready = true;
    }
    close(s->ready_fd);
    s->ready_fd = -1;
}

/* Waits for something to happen, at most `timeout` milliseconds (-1: for ever). */
static void wait_for_event(struct supervisor *s, int timeout)
{
    struct pollfd events[2] = {{.fd = s->signal_fd, .events = POLLIN},
                               {.fd = s->ready_fd, .events = POLLIN}};

    if (poll(events, 2, timeout) <= 0)
        return;
    if (events[1].revents)
        on_ready(s);
    if (events[0].revents)
        on_signal(s);
}

static int watch(struct supervisor *s)
{
    int64_t start_at = 0;
    int status;

    for (;;) {
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0 && pid == s->probe) {
            end_reload(s, status);
            continue;
        }
        if (pid > 0 && pid == s->worker) {
            s->worker = 0;
            if (!is_to_go_on(s, status, &start_at))
                return s->stopping || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK)
                           ? EXIT_OK
                           : EXIT_FAILED;
        }
        int64_t left = start_at - clock_now();
        if (s->worker <= 0 && left <= 0) {
            start_worker(s);
            if (s->worker <= 0)
                start_at = clock_now() + next_pause(s);
            continue;
        }
        wait_for_event(s, s->worker > 0 ? -1 : (int)left);
        if (s->stopping && s->worker <= 0)
            return EXIT_OK;
    }
}

void stdio_to_null(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    close(null);
}

int supervise(const struct supervision *supervision)
{
    struct supervisor s = {.supervision = supervision,
                           .fuse_fd = -1,
                           .nodes_fd = -1,
                           .state_fd = -1,
                           .exe_fd = -1,
                           .signal_fd = -1,
                           .ready_fd = -1};
    int code = set_up(&s);

    if (code == EXIT_OK)
        code = watch(&s);
    if (s.fuse) {
        if (!s.stopping && s.fuse_fd >= 0)
            fuse_session_unmount(s.fuse); /* does nothing if it is unmounted already */
        fuse_session_destroy(s.fuse);
    }
    return code;
}
