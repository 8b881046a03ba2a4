#include "fs/supervisor/holder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fs/supervisor/descriptors.h"
#include "fs/supervisor/held.h"

#define MOUNTS  64
#define CLIENTS 128

struct held_mount {
    char mountpoint[PATH_MAX]; /* "": a free place */
    int owner;                 /* whose supervisor's connection; -1: it has hung up */
    int fds[HELD_COUNT];
};

static struct held_mount mounts[MOUNTS];
/* The signals, the listening socket, and connections; -1: a free place. */
static struct pollfd polled[2 + CLIENTS];

static struct held_mount *find(const char *mountpoint)
{
    for (unsigned i = 0; i < MOUNTS; i++)
        if (strcmp(mounts[i].mountpoint, mountpoint) == 0)
            return &mounts[i];
    return NULL;
}

static void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
}

static bool has_hung_up(int client)
{
    char byte;
    return client < 0 || recv(client, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static enum holder_word keep(int client, const char *mountpoint, const int *fds)
{
    struct held_mount *mount = find(mountpoint);

    if (mount && mount->owner != client && !has_hung_up(mount->owner))
        return HOLDER_BUSY;
    if (mount)
        close_all(mount->fds, HELD_COUNT);
    else
        mount = find("");
    if (!mount)
        return HOLDER_FULL;
    strcpy(mount->mountpoint, mountpoint);
    memcpy(mount->fds, fds, sizeof mount->fds);
    mount->owner = client;
    return HOLDER_DONE;
}

/* The one who takes it looks after it from now on. */
static enum holder_word take(int client, struct held_mount *mount)
{
    if (!mount)
        return HOLDER_NONE;
    if (mount->owner != client && !has_hung_up(mount->owner))
        return HOLDER_BUSY;
    mount->owner = client;
    return HOLDER_DONE;
}

static enum holder_word drop(int client, struct held_mount *mount)
{
    enum holder_word answer = take(client, mount);

    if (answer == HOLDER_DONE) {
        mount->mountpoint[0] = '\0';
        close_all(mount->fds, HELD_COUNT);
    }
    return answer;
}

static void answer(int client, struct holder_message *message, const int *fds, unsigned count)
{
    struct held_mount *mount = find(message->mountpoint);
    enum holder_word word = message->word;
    bool keeps = word == HOLDER_KEEP && count == HELD_COUNT;

    message->word = keeps                 ? keep(client, message->mountpoint, fds)
                    : word == HOLDER_TAKE ? take(client, mount)
                    : word == HOLDER_DROP ? drop(client, mount)
                                          : HOLDER_NONE;
    if (!keeps || message->word != HOLDER_DONE)
        close_all(fds, count);
    bool gives = word == HOLDER_TAKE && message->word == HOLDER_DONE;
    descriptors_send(client, message, sizeof *message, gives ? mount->fds : NULL,
                     gives ? HELD_COUNT : 0);
}

static void hang_up(struct pollfd *place)
{
    for (unsigned i = 0; i < MOUNTS; i++)
        if (mounts[i].owner == place->fd)
            mounts[i].owner = -1;
    close(place->fd);
    place->fd = -1;
}

static void serve(struct pollfd *place)
{
    struct holder_message message = {0};
    int fds[DESCRIPTORS_MOST];
    unsigned count;
    ssize_t size = descriptors_receive(place->fd, &message, sizeof message, fds, &count);
    bool is_whole =
        size == sizeof message && message.mountpoint[0] == '/' && !message.mountpoint[PATH_MAX - 1];

    if (is_whole) {
        answer(place->fd, &message, fds, count);
    } else if (size != -EAGAIN) {
        close_all(fds, count);
        hang_up(place);
    }
}

static bool is_for_us(int client)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void welcome(int listener)
{
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    for (unsigned i = 2; client >= 0 && i < 2 + CLIENTS && is_for_us(client); i++)
        if (polled[i].fd < 0) {
            polled[i].fd = client;
            return;
        }
    if (client >= 0)
        close(client);
}

static int bind_to(int listener, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct sockaddr *at = (const struct sockaddr *)&address;
    struct stat st;

    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    if (connect(listener, at, sizeof address) == 0)
        return -EADDRINUSE;
    if (errno == ECONNREFUSED) { /* its holder is gone; or it is something else */
        if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
            return -ENOTSOCK;
        unlink(path);
    }
    umask(0177);
    return bind(listener, at, sizeof address) < 0 || listen(listener, CLIENTS) < 0 ? -errno : 0;
}

static int listen_at(const char *path)
{
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = listener < 0 ? -errno : bind_to(listener, path);

    if (r < 0 && listener >= 0)
        close(listener);
    return r < 0 ? r : listener;
}

static int take_end_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

int holder_run(const char *path, struct error *e)
{
    int listener = listen_at(path);

    if (listener == -EADDRINUSE)
        return error_set(e, EADDRINUSE, "a holder already listens at %s", path);
    if (listener < 0)
        return error_set(e, -listener, "cannot listen at %s: %s", path, strerror(-listener));
    for (unsigned i = 0; i < 2 + CLIENTS; i++)
        polled[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    polled[0].fd = take_end_signals();
    polled[1].fd = listener;
    while (!polled[0].revents) {
        if (poll(polled, 2 + CLIENTS, -1) < 0)
            continue;
        for (unsigned i = 2; i < 2 + CLIENTS; i++)
            if (polled[i].revents)
                serve(&polled[i]);
        if (polled[1].revents)
            welcome(listener);
    }
    unlink(path);
    return 0;
}
