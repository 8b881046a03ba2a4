#include "fs/supervisor/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/exit.h"
#include "fs/supervisor/fuse_mount.h"
#include "fs/supervisor/oom_kills.h"
#include "fs/supervisor/program.h"
#include "fs/supervisor/spawn.h"
#include "gitcache/base/clock.h"

#define PAUSE_FIRST  100 /* milliseconds before a worker that died at once is replaced */
#define PAUSE_LAST   10000
#define STABLE_AFTER 500   /* a worker that served for so long died by accident */
#define PROBE_TIME   10000 /* for the program on disk to say whether it can go on */
#define STOP_TIME    5000  /* for the worker to end after an unmount */
#define START_TRIES  100   /* of a mount that never answered: who asked for it still waits */

struct supervisor {
    const struct supervision *supervision;
    struct fuse_mount mount;
    struct program program;
    int signal_fd;
    int ready_fd; /* the reading end of what the worker says; -1: it has ended */
    pid_t worker;
    int64_t ready_at;   /* when the worker said so; 0: not yet */
    int64_t start_at;   /* when the next one is due */
    int64_t kill_at;    /* when a child that does not end is killed; 0: never */
    uint64_t oom_kills; /* when the worker started */
    int pause;
    unsigned starts;   /* of workers, by this supervisor */
    bool has_answered; /* one of them has been ready */
    bool is_trial;     /* the worker is of a program on trial, and not the one before it */
    bool stopping;
    bool leaving; /* stopping, and the mount stays */
};

/* Milliseconds until the next worker: none after an accident, growing if they die again and again.
 */
static int next_pause(struct supervisor *s)
{
    bool was_ready = s->ready_at != 0;

    if (was_ready && clock_now() - s->ready_at >= STABLE_AFTER)
        s->pause = 0;
    int pause = s->pause;
    s->pause = pause ? (2 * pause < PAUSE_LAST ? 2 * pause : PAUSE_LAST) : PAUSE_FIRST;
    return was_ready && pause <= PAUSE_FIRST ? 0 : pause;
}

static struct spawn_fds what_children_inherit(const struct supervisor *s)
{
    return (struct spawn_fds){.fuse = s->mount.fds[HELD_FUSE],
                              .nodes = s->mount.fds[HELD_NODES],
                              .state = s->mount.fds[HELD_STATE],
                              .lists = s->mount.fds[HELD_LISTS],
                              .arguments = s->supervision->arguments_fd};
}

/* False: there is none, nor will be, and a sentence is on stderr. */
static bool start_worker(struct supervisor *s)
{
    struct spawn_fds fds = what_children_inherit(s);

    if (s->ready_fd >= 0)
        close(s->ready_fd);
    s->ready_at = 0;
    s->is_trial = program_is_on_trial(&s->program);
    s->starts++;
    s->oom_kills = oom_kills();
    atomic_fetch_add(&s->mount.state->workers, 1);
    s->worker = spawn_child(&fds, s->program.fd, "worker", &s->ready_fd);
    if (s->worker > 0)
        return true;
    if (!s->has_answered) {
        exit_fail(EXIT_FAILED, "cannot start a process for the mount: %s", strerror(errno));
        return false;
    }
    s->start_at = clock_now() + next_pause(s);
    return true;
}

static void describe_death(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(status),
                 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
    else
        snprintf(text, size, "ended with exit code %d", WEXITSTATUS(status));
}

/* What takes too much memory is killed by the kernel with the same signal. */
static bool was_killed(const struct supervisor *s, int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && oom_kills() == s->oom_kills;
}

static void on_death(struct supervisor *s)
{
    const char *cause = s->mount.state->last_cause;

    atomic_fetch_add(&s->mount.state->restarts, 1);
    if (!s->ready_at && s->is_trial)
        program_give_back(&s->program);
    int pause = s->has_answered ? next_pause(s) : 0;
    s->start_at += pause;
    if (pause)
        log_error(s->supervision->log, "the worker was %s; the next starts in %d ms", cause, pause);
    else
        log_error(s->supervision->log, "the worker was %s; the next starts at once", cause);
}

/* No worker has been ready yet, and one has died: whether to try another. What kills workers at
 * their start is noted in the shared state, and the next one leaves it out. */
static bool is_worth_another(const struct supervisor *s, int status)
{
    if (WIFEXITED(status)) /* it has said why */
        return false;
    if (s->starts < START_TRIES)
        return true;
    exit_fail(EXIT_FAILED, "the mount does not start: %d workers have died of it; the last was %s",
              START_TRIES, s->mount.state->last_cause);
    return false;
}

/* What follows the worker's end: false if it is the mount's, and *code. */
static bool is_to_go_on(struct supervisor *s, int status, int *code)
{
    bool is_exit = WIFEXITED(status);

    s->worker = 0;
    s->start_at = clock_now();
    if (s->program.probe <= 0)
        s->kill_at = 0;
    *code = EXIT_OK;
    if (s->stopping || (is_exit && WEXITSTATUS(status) == EXIT_OK))
        return false;
    if (is_exit && WEXITSTATUS(status) == EXIT_REPLACE)
        return true;
    *code = EXIT_FAILED;
    describe_death(status, s->mount.state->last_cause, sizeof s->mount.state->last_cause);
    s->mount.state->was_killed = was_killed(s, status);
    if (!s->has_answered && !is_worth_another(s, status))
        return false;
    on_death(s);
    return true;
}

static void on_first_ready(struct supervisor *s)
{
    if (!s->has_answered)
        s->supervision->ready(s->supervision->data);
    s->has_answered = true;
    atomic_store(&s->mount.state->answers, 1);
    s->ready_at = clock_now();
    if (s->is_trial)
        program_keep(&s->program);
}

/* The worker takes requests, or has read the lists again. */
static void on_ready(struct supervisor *s)
{
    char byte;

    if (read(s->ready_fd, &byte, 1) != 1) {
        close(s->ready_fd);
        s->ready_fd = -1;
        return;
    }
    if (!s->ready_at)
        on_first_ready(s);
    notify_ready(s->supervision->notify, s->supervision->mountpoint);
}

/* ---- events ---- */

static void stop(struct supervisor *s)
{
    s->stopping = true;
    notify_stopping(s->supervision->notify);
    s->kill_at = clock_now() + STOP_TIME;
    fuse_mount_unmount(&s->mount);
    if (s->worker > 0)
        kill(s->worker, SIGTERM);
}

/* The mount stays, and so does what the worker was asked: the next supervisor's worker answers it. A kernel that
 * cannot send it again wants the answers from this one first. */
static void leave(struct supervisor *s)
{
    if (s->stopping)
        return;
    if (!custody_holder(s->supervision->custody) || !fuse_mount_is_there(&s->mount)) {
        stop(s);
        return;
    }
    s->stopping = s->leaving = true;
    log_info(s->supervision->log, "ending; the mount is left to %s",
             custody_holder(s->supervision->custody));
    s->kill_at = clock_now() + s->supervision->settings->timeout * 1000ll + STOP_TIME;
    if (s->worker > 0)
        kill(s->worker, SIGUSR2);
}

static void begin_reload(struct supervisor *s)
{
    struct spawn_fds fds = what_children_inherit(s);

    if (!s->stopping && program_ask(&s->program, &fds))
        s->kill_at = clock_now() + PROBE_TIME;
}

/* The program on disk has said whether it can go on. */
static void end_reload(struct supervisor *s, int status)
{
    s->kill_at = 0;
    if (!program_answer(&s->program, status))
        return;
    s->kill_at = clock_now() + s->supervision->settings->timeout * 1000ll + STOP_TIME;
    if (s->worker > 0)
        kill(s->worker, SIGUSR2);
}

/* A worker that is only being started reads them anyway. */
static void reread_lists(struct supervisor *s)
{
    notify_reloading(s->supervision->notify);
    if (s->worker > 0)
        kill(s->worker, SIGHUP);
}

static void on_signal(struct supervisor *s)
{
    struct signalfd_siginfo info;

    if (read(s->signal_fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
        stop(s);
    else if (info.ssi_signo == SIGUSR2)
        leave(s);
    else if (info.ssi_signo == SIGHUP)
        reread_lists(s);
    else if (info.ssi_signo == SIGUSR1)
        begin_reload(s);
}

/* Milliseconds until the next thing to do of one's own accord; -1: none. */
static int time_left(const struct supervisor *s)
{
    int64_t at = s->worker > 0 ? 0 : s->start_at,
            look_again = s->supervision->custody->look_again_at;

    if (s->kill_at && (!at || s->kill_at < at))
        at = s->kill_at;
    if (look_again && (!at || look_again < at))
        at = look_again;
    if (!at)
        return -1;
    int64_t left = at - clock_now();
    return left > 0 ? (int)left : 0;
}

/* Waits for something to happen. It is the worker that learns of an unmount; without one, it shows
 * as an error of the descriptor. */
static void wait_for_event(struct supervisor *s)
{
    struct custody *custody = s->supervision->custody;
    struct pollfd events[] = {{.fd = s->signal_fd, .events = POLLIN},
                              {.fd = s->ready_fd, .events = POLLIN},
                              {.fd = s->worker > 0 ? -1 : s->mount.fds[HELD_FUSE]},
                              {.fd = custody->socket, .events = POLLIN}};

    if (poll(events, 4, time_left(s)) <= 0)
        return;
    if (events[3].revents)
        custody_on_event(custody);
    if (events[1].revents)
        on_ready(s);
    if (events[0].revents)
        on_signal(s);
    if (events[2].revents)
        s->stopping = true;
}

static void kill_who_is_late(struct supervisor *s)
{
    if (!s->kill_at || clock_now() < s->kill_at)
        return;
    s->kill_at = 0;
    if (s->program.probe > 0)
        kill(s->program.probe, SIGKILL);
    if ((s->stopping || program_is_on_trial(&s->program)) && s->worker > 0)
        kill(s->worker, SIGKILL);
}

/* `status` says who holds the mount. */
static void look_after_custody(struct supervisor *s)
{
    custody_look_again(s->supervision->custody);
    const char *holder = custody_holder(s->supervision->custody);
    snprintf(s->mount.state->held_by, sizeof s->mount.state->held_by, "%s", holder ? holder : "");
}

static int watch(struct supervisor *s)
{
    int status, code;

    for (;;) {
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0 && pid == s->program.probe)
            end_reload(s, status);
        else if (pid > 0 && pid == s->worker && !is_to_go_on(s, status, &code))
            return code;
        if (s->stopping && s->worker <= 0)
            return EXIT_OK;
        if (pid > 0)
            continue;
        kill_who_is_late(s);
        look_after_custody(s);
        if (s->worker > 0 || clock_now() < s->start_at)
            wait_for_event(s);
        else if (!start_worker(s))
            return EXIT_FAILED;
    }
}

/* The signals that this process takes, all from one descriptor. */
static int take_signals(struct supervisor *s)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2); /* also the worker's, which has it blocked from the start */
    sigprocmask(SIG_BLOCK, &signals, NULL);
    s->signal_fd = spawn_move_fd(signalfd(-1, &signals, SFD_CLOEXEC));
    return s->signal_fd < 0 ? exit_fail(EXIT_FAILED, "cannot take signals: %s", strerror(errno))
                            : EXIT_OK;
}

/* With the mount there, until it ends. */
static int supervise(struct supervisor *s)
{
    const struct supervision *supervision = s->supervision;
    int code = program_open(&s->program, s->mount.state, supervision->log);

    if (code != EXIT_OK)
        return code;
    custody_give(supervision->custody, s->mount.fds, supervision->log);
    log_info(supervision->log, "%s %s, supervisor %d",
             fuse_mount_is_taken(&s->mount) ? "took over" : "mounted on", supervision->mountpoint,
             (int)getpid());
    return watch(s);
}

/* Whether the mount, and what is held of it, is to go. One that was taken over, and that we could not serve, stays
 * for the next. */
static bool is_the_end(const struct supervisor *s, int code)
{
    bool stays = s->leaving || (code != EXIT_OK && !s->has_answered &&
                                fuse_mount_is_taken(&s->mount) && s->mount.state);
    return !stays;
}

int supervisor_run(const struct supervision *supervision)
{
    struct supervisor s = {.supervision = supervision, .signal_fd = -1, .ready_fd = -1};
    int code = take_signals(&s);

    if (code == EXIT_OK)
        code = fuse_mount_open(&s.mount, supervision->settings, supervision->options,
                               supervision->custody, supervision->operands);
    /* Not before: an automounter (systemd's, autofs) lets only its own process group through to the mount point
     * that it waits for. And before there is a worker, which a terminal's signals are not for. */
    if (!supervision->settings->foreground)
        setsid();
    if (code == EXIT_OK)
        code = supervise(&s);
    if (is_the_end(&s, code)) {
        fuse_mount_unmount(&s.mount);
        custody_drop(supervision->custody);
    }
    fuse_mount_close(&s.mount);
    return code;
}
