#include "fs/supervisor/custody.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fs/supervisor/descriptors.h"
#include "fs/supervisor/spawn.h"
#include "gitcache/base/clock.h"

#define PATIENCE   2 /* seconds for a holder to answer who starts */
#define LOOK_AGAIN 200
#define FIRST_FD   3 /* of those that systemd hands over (sd_listen_fds(3)) */

static const char *const names[HELD_COUNT] = {
    [HELD_FUSE] = "startpointfs-fuse",
    [HELD_NODES] = "startpointfs-nodes",
    [HELD_STATE] = "startpointfs-state",
    [HELD_LISTS] = "startpointfs-lists",
};

static bool is_systemd(const struct custody *custody)
{
    return custody->holder && strcmp(custody->holder, CUSTODY_SYSTEMD) == 0;
}

static void forget_found(struct custody *custody)
{
    for (unsigned i = 0; i < HELD_COUNT; i++) {
        if (custody->found[i] >= 0)
            close(custody->found[i]);
        custody->found[i] = -1;
    }
}

static bool has_found_all(const struct custody *custody)
{
    for (unsigned i = 0; i < HELD_COUNT; i++)
        if (custody->found[i] < 0)
            return false;
    return true;
}

/* ---- systemd ---- */

static void keep_named(struct custody *custody, const char *name, size_t length, int fd)
{
    for (unsigned i = 0; i < HELD_COUNT; i++)
        if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0 &&
            custody->found[i] < 0) {
            custody->found[i] = spawn_move_fd(fd);
            return;
        }
    close(fd);
}

/* What sd_listen_fds_with_names(3) does. */
static void take_from_systemd(struct custody *custody)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *name = getenv("LISTEN_FDNAMES");

    if (pid && count && name && atoi(pid) == getpid())
        for (int fd = FIRST_FD; fd < FIRST_FD + atoi(count) && *name; fd++) {
            size_t length = strcspn(name, ":");
            keep_named(custody, name, length, fd);
            name += length + (name[length] == ':');
        }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

static void give_to_systemd(struct custody *custody)
{
    int r = 0;

    for (unsigned i = 0; i < HELD_COUNT && r == 0; i++)
        r = notify_store(custody->notify, names[i], custody->fds[i]);
    custody->is_held = r == 0;
    if (r < 0)
        log_warning(custody->log, "systemd cannot be reached to hold the mount: %s", strerror(-r));
}

/* ---- a holder ---- */

/* The socket, or a negative errno. A path that is too long was refused with the option. */
static int reach_holder(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return spawn_move_fd(fd);
}

static int say_to_holder(const struct custody *custody, enum holder_word word, const int *fds)
{
    struct holder_message message = {.word = word};

    snprintf(message.mountpoint, sizeof message.mountpoint, "%s", custody->mountpoint);
    return descriptors_send(custody->socket, &message, sizeof message, fds, fds ? HELD_COUNT : 0);
}

/* The answer's word, or a negative errno. What comes with it becomes `found`, or is closed. */
static int hear_holder(struct custody *custody)
{
    struct holder_message message = {0};
    int fds[DESCRIPTORS_MOST];
    unsigned count;
    ssize_t size = descriptors_receive(custody->socket, &message, sizeof message, fds, &count);

    bool is_mount = size == sizeof message && count == HELD_COUNT;
    for (unsigned i = 0; i < count; i++)
        if (is_mount && custody->found[i] < 0)
            custody->found[i] = spawn_move_fd(fds[i]);
        else
            close(fds[i]);
    return size == sizeof message ? (int)message.word : size < 0 ? (int)size : -ECONNRESET;
}

static void lose_holder(struct custody *custody)
{
    if (custody->socket >= 0)
        close(custody->socket);
    custody->socket = -1;
    custody->is_held = false;
    custody->look_again_at = clock_now() + LOOK_AGAIN;
}

/* One line, until somebody holds again. */
static void miss_holder(struct custody *custody, const char *why)
{
    if (!custody->was_missed)
        log_warning(custody->log,
                    "nobody holds the mount now; it would end with this process: %s: %s",
                    custody->holder, why);
    custody->was_missed = true;
    lose_holder(custody);
}

static void give_to_holder(struct custody *custody)
{
    custody->look_again_at = 0;
    if (custody->socket < 0)
        custody->socket = reach_holder(custody->holder);
    int r =
        custody->socket < 0 ? custody->socket : say_to_holder(custody, HOLDER_KEEP, custody->fds);
    if (r < 0)
        miss_holder(custody, strerror(-r));
}

static int take_from_holder(struct custody *custody, struct error *e)
{
    custody->socket = reach_holder(custody->holder);
    /* Nobody is there yet: it is given the mount when it comes. */
    if (custody->socket < 0)
        return custody->socket == -ENOENT || custody->socket == -ECONNREFUSED
                   ? 0
                   : error_set(e, -custody->socket, "cannot reach the holder %s: %s",
                               custody->holder, strerror(-custody->socket));
    struct pollfd event = {.fd = custody->socket, .events = POLLIN};
    int r = say_to_holder(custody, HOLDER_TAKE, NULL);
    if (r == 0)
        r = poll(&event, 1, PATIENCE * 1000) == 1 ? hear_holder(custody) : -ETIMEDOUT;
    if (r < 0)
        return error_set(e, -r, "%s does not answer like a holder: %s", custody->holder,
                         strerror(-r));
    return r == HOLDER_DONE && has_found_all(custody);
}

/* ---- either ---- */

void custody_open(struct custody *custody, const char *holder, const char *mountpoint,
                  const struct notify *notify)
{
    *custody = (struct custody){.holder = holder,
                                .mountpoint = mountpoint,
                                .notify = notify,
                                .found = {-1, -1, -1, -1},
                                .socket = -1};
    take_from_systemd(custody);
}

int custody_find(struct custody *custody, struct error *e)
{
    if (has_found_all(custody))
        return 1;
    forget_found(custody);
    return custody->holder && !is_systemd(custody) ? take_from_holder(custody, e) : 0;
}

/* The kernel ends a mount when nobody has its descriptor, so the holder's answer is waited for. */
void custody_discard(struct custody *custody)
{
    struct pollfd event = {.fd = custody->socket, .events = POLLIN};

    forget_found(custody);
    custody_drop(custody);
    if (custody->socket >= 0 && poll(&event, 1, PATIENCE * 1000) == 1)
        hear_holder(custody);
}

void custody_close(struct custody *custody)
{
    forget_found(custody);
    if (custody->socket >= 0)
        close(custody->socket);
    custody->socket = -1;
}

void custody_give(struct custody *custody, const int *fds, struct log *log)
{
    struct pollfd event;

    custody->fds = fds;
    custody->log = log;
    if (!custody->holder)
        return;
    if (is_systemd(custody)) {
        give_to_systemd(custody);
        return;
    }
    give_to_holder(custody);
    /* Whoever called `mount` may kill us as soon as it returns. */
    event = (struct pollfd){.fd = custody->socket, .events = POLLIN};
    if (custody->socket >= 0 && poll(&event, 1, PATIENCE * 1000) == 1)
        custody_on_event(custody);
}

void custody_drop(struct custody *custody)
{
    custody->look_again_at = 0;
    custody->is_held = false;
    if (is_systemd(custody))
        for (unsigned i = 0; i < HELD_COUNT; i++)
            notify_forget(custody->notify, names[i]);
    else if (custody->socket >= 0)
        say_to_holder(custody, HOLDER_DROP, NULL);
}

void custody_on_event(struct custody *custody)
{
    int r = hear_holder(custody);

    if (r == -EAGAIN)
        return;
    if (r < 0) {
        miss_holder(custody, "it is gone");
    } else if (r == HOLDER_DONE) {
        custody->is_held = true;
        custody->was_missed = false;
        log_info(custody->log, "%s holds the mount", custody->holder);
    } else {
        miss_holder(custody, r == HOLDER_FULL   ? "it has no room for another mount"
                             : r == HOLDER_BUSY ? "it holds another mount of that mount point"
                                                : "it refuses");
    }
}

void custody_look_again(struct custody *custody)
{
    if (custody->look_again_at && clock_now() >= custody->look_again_at)
        give_to_holder(custody);
}

const char *custody_holder(const struct custody *custody)
{
    return custody->is_held ? custody->holder : NULL;
}
