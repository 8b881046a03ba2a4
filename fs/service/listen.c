#include "fs/service/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

static int open_one(const struct addrinfo *address)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    return -why;
}

static void show(int fd, char shown[LISTEN_SHOWN_SIZE])
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    bool is_ip6 = strchr(host, ':') != NULL;
    snprintf(shown, LISTEN_SHOWN_SIZE, "%s%.90s%s:%.10s", is_ip6 ? "[" : "", host,
             is_ip6 ? "]" : "", port);
}

int listen_open(const char *host, const char *port, char shown[LISTEN_SHOWN_SIZE], struct error *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int fd = -EADDRNOTAVAIL;
    int r = getaddrinfo(host, port, &hints, &found);

    if (r != 0)
        return error_set(e, EADDRNOTAVAIL, "cannot listen on %s, port %s: %s", host, port,
                         gai_strerror(r));
    for (const struct addrinfo *one = found; one && fd < 0; one = one->ai_next)
        fd = open_one(one);
    freeaddrinfo(found);
    if (fd < 0)
        return error_set(e, -fd, "cannot listen on %s, port %s: %s", host, port, strerror(-fd));
    show(fd, shown);
    return fd;
}
