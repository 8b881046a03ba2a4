#include "gitcache/net/launcher.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gitcache/net/launcher_message.h"
#include "gitcache/net/launcher_serve.h"

#define PATIENCE 60 /* seconds for an answer: the configuration may lie on a slow disk */

struct launcher {
    struct launcher_hooks hooks;
    struct process_owner owner; /* of what it starts */
    pid_t pid;
    int socket;           /* guarded by lock; -1: it is lost */
    pthread_mutex_t lock; /* held for one question and its answer */
};

/* One question and its answer. */
struct talk {
    struct launcher_request request;
    const char *subject; /* NULL: none */
    struct launcher_reply reply;
    int fds[LAUNCHER_FDS];
    size_t count;
};

static int exchange(int socket, struct talk *talk)
{
    size_t size = talk->subject ? strlen(talk->subject) + 1 : 0;

    if (socket < 0)
        return -EPIPE;
    if (size > LAUNCHER_SUBJECT)
        return -E2BIG;
    int r = launcher_message_send(socket, &talk->request, sizeof talk->request, talk->subject, size,
                                  NULL, 0);
    if (r < 0)
        return -EPIPE;
    ssize_t n = launcher_message_receive(socket, &talk->reply, sizeof talk->reply, NULL, 0,
                                         talk->fds, &talk->count);
    talk->reply.text[sizeof talk->reply.text - 1] = '\0';
    return n == sizeof talk->reply ? 0 : -EPIPE;
}

/* What it answers: 0 or a negative errno, or the exit status that was asked for. */
static int ask(struct launcher *launcher, struct talk *talk, struct error *e)
{
    bool lost;

    pthread_mutex_lock(&launcher->lock);
    int r = exchange(launcher->socket, talk);
    lost = r == -EPIPE && launcher->socket >= 0;
    if (lost)
        process_close(&launcher->socket);
    pthread_mutex_unlock(&launcher->lock);
    if (lost)
        launcher->hooks.lost(launcher->hooks.data);
    if (r == -E2BIG)
        return error_set(e, EINVAL, "the URL is too long");
    if (r < 0)
        return error_set(e, EIO, "the process that starts programs has ended; another is started");
    return talk->reply.result < 0 && *talk->reply.text
               ? error_set(e, -talk->reply.result, "%s", talk->reply.text)
               : talk->reply.result;
}

static void kill_group(void *data, pid_t pid, int number)
{
    struct talk talk = {.request = {LAUNCHER_KILL, .pid = pid, .number = number}};

    ask(data, &talk, NULL);
}

static int reap(void *data, pid_t pid)
{
    struct talk talk = {.request = {LAUNCHER_REAP, .pid = pid}};
    struct error why;
    int r = ask(data, &talk, &why);

    return r < 0 ? -1 : r;
}

static void close_fds(struct talk *talk)
{
    for (size_t i = 0; i < talk->count; i++)
        process_close(&talk->fds[i]);
}

int launcher_start(struct launcher *launcher, struct process *out, const struct helper *helper,
                   const struct gitconfig *config, struct error *e)
{
    if (!launcher)
        return helper_start(out, helper, config, e);

    struct talk talk = {.request = {.question = LAUNCHER_START,
                                    .kind = helper->kind,
                                    .connect_timeout = helper->connect_timeout},
                        .subject = helper->subject};
    int r = ask(launcher, &talk, e);
    if (r == 0 && talk.count == LAUNCHER_FDS) {
        *out = (struct process){talk.reply.pid, talk.fds[0], talk.fds[1],
                                talk.fds[2],    talk.fds[3], &launcher->owner};
        return 0;
    }
    close_fds(&talk);
    return r < 0 ? r : error_set(e, EIO, "no pipes came with the process; are there too many?");
}

/* All that is in the descriptor. */
static int read_config(struct gitconfig **out, int fd, struct error *e)
{
    struct stat st;
    char *bytes = fstat(fd, &st) < 0 ? NULL : malloc((size_t)st.st_size + 1);
    int r;

    if (!bytes)
        return error_no_memory(e);
    if (pread(fd, bytes, (size_t)st.st_size, 0) != st.st_size)
        r = error_set(e, EIO, "git's configuration cannot be passed on");
    else
        r = gitconfig_unpack(out, bytes, (size_t)st.st_size, e);
    explicit_bzero(bytes, (size_t)st.st_size);
    free(bytes);
    return r;
}

int launcher_config(struct launcher *launcher, struct gitconfig **out, struct error *e)
{
    if (!launcher)
        return gitconfig_load(out, e);

    struct talk talk = {.request = {.question = LAUNCHER_CONFIG}};
    int r = ask(launcher, &talk, e);
    if (r == 0 && talk.count != 1)
        r = error_set(e, EIO, "git's configuration cannot be passed on");
    if (r == 0)
        r = read_config(out, talk.fds[0], e);
    close_fds(&talk);
    return r;
}

/* Never returns. No other end than its own stays open: not the worker's, nor /dev/fuse. */
static void become(const struct launcher_hooks *hooks, int socket)
{
    struct error error = {0};
    int r = launcher_serve_settle(&socket, &error);

    if (r == 0 && hooks->prepare)
        r = hooks->prepare(hooks->data, &error);
    if (r == 0)
        launcher_serve(socket);
    _exit(r < 0);
}

static int fork_it(struct launcher *launcher, int ends[2], struct error *e)
{
    const struct timeval patience = {.tv_sec = PATIENCE};

    launcher->pid = fork();
    if (launcher->pid == 0)
        become(&launcher->hooks, ends[1]);
    int errnum = errno;
    close(ends[1]);
    launcher->socket = ends[0];
    if (launcher->pid < 0)
        return error_set(e, errnum, "cannot start a process: %s", strerror(errnum));
    setsockopt(launcher->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(launcher->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return 0;
}

int launcher_open(struct launcher **out, const struct launcher_hooks *hooks, struct error *e)
{
    struct launcher *launcher = calloc(1, sizeof *launcher);
    int ends[2];

    if (!launcher)
        return error_no_memory(e);
    *launcher = (struct launcher){.hooks = *hooks, .socket = -1};
    launcher->owner = (struct process_owner){kill_group, reap, launcher};
    pthread_mutex_init(&launcher->lock, NULL);
    int r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0
                ? error_set(e, errno, "cannot make a socket: %s", strerror(errno))
                : fork_it(launcher, ends, e);
    if (r < 0) {
        launcher_close(launcher);
        return r;
    }
    *out = launcher;
    return 0;
}

void launcher_close(struct launcher *launcher)
{
    if (!launcher)
        return;
    process_close(&launcher->socket);
    if (launcher->pid > 0)
        process_reap(launcher->pid, 0);
    pthread_mutex_destroy(&launcher->lock);
    free(launcher);
}
