#include "fs/supervisor/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fs/supervisor/descriptors.h"

/* "/run/notify", or "@name" for an abstract one. Its length, 0 if it can't be one. */
static socklen_t make_address(struct sockaddr_un *address, const char *name)
{
    size_t length = strlen(name);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof address->sun_path)
        return 0;
    memcpy(address->sun_path, name, length);
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

void notify_open(struct notify *notify)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t length = name ? make_address(&address, name) : 0;

    struct timeval patience = {.tv_sec = 1};

    notify->fd = -1;
    if (length > 0)
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify->fd >= 0)
        setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (notify->fd >= 0 && connect(notify->fd, (struct sockaddr *)&address, length) < 0)
        notify_close(notify);
    unsetenv("NOTIFY_SOCKET");
}

void notify_close(struct notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

/* A manager that does not listen must not stop the mount, nor make it wait (a second at most, for a descriptor). */
static void say(const struct notify *notify, const char *text)
{
    if (notify->fd < 0)
        return;
    while (send(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
        ;
}

void notify_ready(const struct notify *notify, const char *status)
{
    char text[400];

    snprintf(text, sizeof text, "READY=1\nSTATUS=%s\n", status);
    say(notify, text);
}

/* Type=notify-reload (systemd 253) tells by the time which reload this is about. */
void notify_reloading(const struct notify *notify)
{
    struct timespec now;
    char text[80];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld\n",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    say(notify, text);
}

void notify_stopping(const struct notify *notify)
{
    say(notify, "STOPPING=1\n");
}

/* FDPOLL=0: the manager does not look whether the mount is still there; the next supervisor does. */
int notify_store(const struct notify *notify, const char *name, int fd)
{
    char text[100];
    int size = snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0\n", name);

    return notify->fd < 0 ? -ENOTCONN : descriptors_send(notify->fd, text, (size_t)size, &fd, 1);
}

void notify_forget(const struct notify *notify, const char *name)
{
    char text[100];
    int size = snprintf(text, sizeof text, "FDSTOREREMOVE=1\nFDNAME=%s\n", name);

    if (notify->fd >= 0)
        descriptors_send(notify->fd, text, (size_t)size, NULL, 0);
}
