#include "gitcache/net/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void process_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The three pipes; [0] is the end to read. */
struct pipes {
    int in[2], out[2], err[2];
};

static void close_pipes(struct pipes *pipes)
{
    int *fds[] = {pipes->in, pipes->out, pipes->err};

    for (size_t i = 0; i < 3; i++) {
        process_close(&fds[i][0]);
        process_close(&fds[i][1]);
    }
}

static int open_pipes(struct pipes *pipes)
{
    *pipes = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(pipes->in, O_CLOEXEC) < 0 || pipe2(pipes->out, O_CLOEXEC) < 0 ||
        pipe2(pipes->err, O_CLOEXEC) < 0 || fcntl(pipes->in[1], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(pipes->out[0], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(pipes->err[0], F_SETFL, O_NONBLOCK) < 0) {
        int r = -errno;
        close_pipes(pipes);
        return r;
    }
    return 0;
}

static bool is_replaced(const char *variable, const char *const variables[])
{
    for (; *variables; variables++) {
        size_t name = strcspn(*variables, "=");
        if (strncmp(variable, *variables, name) == 0 && variable[name] == '=')
            return true;
    }
    return false;
}

/* The array is owned, the strings are not. */
static char **make_environment(const char *const variables[])
{
    static char *const nothing[] = {NULL};
    char *const *inherited = environ ? environ : nothing;
    size_t count = 0, added = 0;
    char **environment;

    while (inherited[count])
        count++;
    while (variables[added])
        added++;
    environment = calloc(count + added + 1, sizeof *environment);
    if (!environment)
        return NULL;
    char **to = environment;
    for (size_t i = 0; i < count; i++)
        if (!is_replaced(inherited[i], variables))
            *to++ = inherited[i];
    for (size_t i = 0; i < added; i++)
        if (strchr(variables[i], '='))
            *to++ = (char *)variables[i];
    return environment;
}

static void put_at(int fd, int number)
{
    if (fd == number)
        fcntl(fd, F_SETFD, 0);
    else
        dup2(fd, number);
}

/* What the child does until it is another program; only system calls, since its memory is its
 * parent's. Returns if it cannot be. */
static void become(const struct pipes *pipes, const char *const argv[], char **environment,
                   pid_t parent)
{
    sigset_t none;

    /* It goes with the thread that started it, however that ends. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    setpgid(0, 0);
    put_at(pipes->in[0], STDIN_FILENO);
    put_at(pipes->out[1], STDOUT_FILENO);
    put_at(pipes->err[1], STDERR_FILENO);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(argv[0], (char *const *)argv, environment);
}

/* Returns a positive errno. No handler of ours may run in the child while it has our memory. */
static int spawn(pid_t *pid, const struct pipes *pipes, const char *const argv[],
                 char **environment)
{
    pid_t parent = getpid();
    volatile int failure = 0;
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    *pid = vfork();
    if (*pid == 0) {
        become(pipes, argv, environment, parent);
        failure = errno;
        _exit(127);
    }
    if (*pid < 0)
        failure = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failure && *pid > 0)
        waitpid(*pid, NULL, 0);
    return failure;
}

int process_start(struct process *out, const char *const argv[], const char *const variables[],
                  struct error *e)
{
    struct pipes pipes;
    char **environment = make_environment(variables);
    int r = environment ? -open_pipes(&pipes) : ENOMEM;

    *out = PROCESS_NONE;
    if (r == 0) {
        r = spawn(&out->pid, &pipes, argv, environment);
        if (r == 0) {
            out->ended = pidfd_open(out->pid, 0);
            out->in = pipes.in[1];
            out->out = pipes.out[0];
            out->err = pipes.err[0];
            pipes.in[1] = pipes.out[0] = pipes.err[0] = -1;
        } else {
            out->pid = 0;
        }
        close_pipes(&pipes);
    }
    free(environment);
    if (r != 0)
        return error_set(e, r, "%s cannot be started: %s", argv[0], strerror(r));
    return 0;
}

/* True if the process ended within the time; a negative one is as long as it takes. */
static bool ends_within(const struct process *process, int milliseconds)
{
    struct pollfd ended = {process->ended, POLLIN, 0};
    int r;

    if (ended.fd < 0)
        return false;
    do
        r = poll(&ended, 1, milliseconds);
    while (r < 0 && errno == EINTR);
    return r > 0;
}

/* Its group too: ssh's ProxyCommand would be left over. */
static void kill_group(const struct process *process, int number)
{
    if (process->owner)
        process->owner->kill_group(process->owner->data, process->pid, number);
    else
        kill(-process->pid, number);
}

int process_reap(pid_t pid, int flags)
{
    int status = 0;
    pid_t r;

    while ((r = waitpid(pid, &status, flags)) < 0 && errno == EINTR)
        ;
    if (r == 0)
        return -EAGAIN;
    return r > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int reap(const struct process *process)
{
    if (!process->owner)
        return process_reap(process->pid, 0);
    ends_within(process, -1);
    return process->owner->reap(process->owner->data, process->pid);
}

int process_end(struct process *process, unsigned grace)
{
    bool killed = false;

    process_close(&process->in);
    process_close(&process->out);
    process_close(&process->err);
    if (process->pid <= 0)
        return -1;
    if (!ends_within(process, (int)grace)) {
        kill_group(process, SIGTERM);
        killed = true;
        if (!ends_within(process, 1000))
            kill_group(process, SIGKILL);
    }
    int status = reap(process);
    process_close(&process->ended);
    process->pid = 0;
    return killed ? -1 : status;
}
