#include "gitcache/net/launcher_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gitcache/base/library.h"
#include "gitcache/net/helper.h"
#include "gitcache/net/launcher_message.h"

#define SOCKET 3

/* What was started and has not been reaped: no other process gets a signal. */
struct children {
    pid_t *pids;
    size_t count;
};

/* One launch, and what is answered. */
struct launch {
    struct launcher_request request;
    char subject[LAUNCHER_SUBJECT];
    struct launcher_reply reply;
    int fds[LAUNCHER_FDS];
    size_t count;
};

int launcher_serve_settle(int *socket, struct error *e)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return error_set(e, errno, "cannot open /dev/null: %s", strerror(errno));
    for (int fd = 0; fd <= 2; fd++)
        dup2(null, fd);
    if (*socket != SOCKET && dup3(*socket, SOCKET, O_CLOEXEC) < 0)
        return error_set(e, errno, "cannot keep a socket: %s", strerror(errno));
    *socket = SOCKET;
    prctl(PR_SET_NAME, "sp-launcher");
    return close_range(SOCKET + 1, ~0u, 0) < 0
               ? error_set(e, errno, "cannot close descriptors: %s", strerror(errno))
               : 0;
}

static bool add(struct children *children, pid_t pid)
{
    pid_t *longer = reallocarray(children->pids, children->count + 1, sizeof pid);

    if (!longer)
        return false;
    children->pids = longer;
    children->pids[children->count++] = pid;
    return true;
}

static pid_t *find(struct children *children, pid_t pid)
{
    for (size_t i = 0; i < children->count; i++)
        if (children->pids[i] == pid)
            return &children->pids[i];
    return NULL;
}

static int fail(struct launch *launch, const struct error *why)
{
    memcpy(launch->reply.text, why->text, sizeof launch->reply.text);
    return -why->errnum;
}

/* It reads the configuration anew: what a user has changed counts from the next program on. */
static int start(struct children *children, struct launch *launch)
{
    const struct helper helper = {(enum helper_kind)launch->request.kind, launch->subject,
                                  launch->request.connect_timeout};
    struct gitconfig *config = NULL;
    struct process process;
    struct error why = {.errnum = EIO};
    int r;

    if (helper.kind != HELPER_CREDENTIAL && gitconfig_load(&config, &why) < 0)
        return fail(launch, &why);
    r = helper_start(&process, &helper, config, &why);
    gitconfig_free(config);
    if (r < 0)
        return fail(launch, &why);
    if (!add(children, process.pid) || process.ended < 0) {
        process_end(&process, 0);
        return -ENOMEM;
    }
    launch->fds[0] = process.in;
    launch->fds[1] = process.out;
    launch->fds[2] = process.err;
    launch->fds[3] = process.ended;
    launch->count = 4;
    launch->reply.pid = process.pid;
    return 0;
}

static int reap(struct children *children, pid_t pid)
{
    pid_t *child = find(children, pid);
    int status = child ? process_reap(pid, WNOHANG) : -1;

    if (child && status != -EAGAIN)
        *child = children->pids[--children->count];
    return status;
}

static int tell_config(struct launch *launch)
{
    struct gitconfig *config = NULL;
    struct error why = {.errnum = EIO};

    if (gitconfig_load(&config, &why) < 0)
        return fail(launch, &why);
    int fd = memfd_create("startpointfs-config", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : gitconfig_pack(config, fd);
    gitconfig_free(config);
    if (r < 0) {
        process_close(&fd);
        return r;
    }
    launch->fds[0] = fd;
    launch->count = 1;
    return 0;
}

static int answer(struct children *children, struct launch *launch)
{
    pid_t pid = launch->request.pid;

    switch (launch->request.question) {
    case LAUNCHER_START:
        return start(children, launch);
    case LAUNCHER_KILL:
        return find(children, pid) && kill(-pid, launch->request.number) == 0 ? 0 : -ESRCH;
    case LAUNCHER_REAP:
        return reap(children, pid);
    case LAUNCHER_CONFIG:
        return tell_config(launch);
    }
    return -EINVAL;
}

/* False at the end, and for what no worker of ours says. */
static bool receive(int socket, struct launch *launch)
{
    int fds[LAUNCHER_FDS];
    size_t count, head = sizeof launch->request;
    ssize_t n = launcher_message_receive(socket, &launch->request, head, launch->subject,
                                         sizeof launch->subject, fds, &count);

    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    if (n < (ssize_t)head)
        return false;
    size_t length = (size_t)n - head;
    if (length == 0)
        launch->subject[length++] = '\0';
    return launch->subject[length - 1] == '\0';
}

/* True if it was sent. */
static bool reply(int socket, struct launch *launch)
{
    int r = launcher_message_send(socket, &launch->reply, sizeof launch->reply, NULL, 0,
                                  launch->fds, launch->count);

    for (size_t i = 0; i < launch->count; i++)
        close(launch->fds[i]);
    return r == 0;
}

void launcher_serve(int socket)
{
    struct children children = {0};
    struct launch *launch = calloc(1, sizeof *launch);

    library_open(NULL); /* else each reading of the configuration would set libgit2 up */
    while (launch && receive(socket, launch)) {
        memset(&launch->reply, 0, sizeof launch->reply);
        launch->count = 0;
        launch->reply.result = answer(&children, launch);
        if (!reply(socket, launch))
            break;
    }
    for (size_t i = 0; i < children.count; i++)
        kill(-children.pids[i], SIGTERM);
    free(children.pids);
    free(launch);
}
