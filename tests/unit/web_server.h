/* web_server.h - a web server that says what a test tells it, whatever it is asked, and keeps what it was asked. Included by the
 * tests of gitcache/net; after cmocka.h. */
#ifndef TESTS_WEB_SERVER_H
#define TESTS_WEB_SERVER_H

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WEB_CONNECTIONS 8

struct web_server {
    int socket;
    unsigned port;
    pthread_t thread;
    /* For each request a status line and header, an empty line, a body in which ~ stands for NUL. The last is said again and
     * again, up to NULL. "": hangs up. CUT in front: hangs up before the end. RAW in front: as it is, and hangs up. SILENT: says nothing. */
    const char *const *says;
    int fds[WEB_CONNECTIONS], last; /* asked on this one */
    char asked[1000]; /* | at a new connection, then P or G and where: P/x is the POST to /x */
    char head[4000];  /* the last request's header */
    char body[4000];
};

#define CUT    "cut "
#define RAW    "raw "
#define SILENT "silent"

/* A request, whole; or what begins TLS, to which RAW may be said. False: the client has hung up. */
static bool web_read(struct web_server *server, int fd)
{
    char bytes[4000];
    size_t used = 0, length = 0;
    char *end = NULL;

    do {
        ssize_t n = read(fd, bytes + used, sizeof bytes - 1 - used);
        if (n <= 0)
            return false;
        used += (size_t)n;
        bytes[used] = '\0';
        if (*bytes == '\x16')
            return true;
        if (!end && (end = strstr(bytes, "\r\n\r\n"))) {
            const char *said = strcasestr(bytes, "\r\nContent-Length: ");
            length = said && said < end ? (size_t)atoi(said + 18) : 0;
        }
    } while (!end || used < (size_t)(end + 4 - bytes) + length);
    snprintf(server->body, sizeof server->body, "%s", end + 4);
    end[2] = '\0';
    snprintf(server->head, sizeof server->head, "%s", bytes);
    return true;
}

/* Writes down what was asked: the method's letter, and the target without what belongs to every one. */
static void web_note(struct web_server *server)
{
    static const char *const usual[] = {"/git-upload-pack", "/info/refs?service=git-upload-pack"};
    char target[500] = "", *to = server->asked + strlen(server->asked);

    sscanf(server->head, "%*s %499s", target);
    for (size_t i = 0; i < 2; i++) {
        size_t all = strlen(target), tail = strlen(usual[i]);
        if (all > tail && strcmp(target + all - tail, usual[i]) == 0 && *server->head == "PG"[i])
            target[all - tail] = '\0';
    }
    if ((size_t)(to - server->asked) + strlen(target) + 4 < sizeof server->asked)
        sprintf(to, "%s%c%s", to == server->asked || to[-1] == '|' ? "" : " ", *server->head,
                target);
}

/* False: it hangs up. */
static bool web_answer(int fd, const char *text)
{
    bool cut = strncmp(text, CUT, strlen(CUT)) == 0;
    const char *status = cut ? text + strlen(CUT) : text, *body = strstr(status, "\r\n\r\n");
    char *bytes;
    int length;

    if (strcmp(text, SILENT) == 0)
        return true;
    if (strncmp(text, RAW, strlen(RAW)) == 0)
        return write(fd, text + strlen(RAW), strlen(text + strlen(RAW))) < 0;
    if (!body)
        return false;
    body += 4;
    length = asprintf(&bytes, "HTTP/1.1 %.*sContent-Length: %zu\r\n\r\n%s",
                      (int)(body - 2 - status), status, strlen(body) + cut, body);
    for (char *c = bytes; (c = strchr(c, '~')); c++)
        *c = '\0';
    if (write(fd, bytes, (size_t)length) < 0)
        cut = true; /* the client wants no more of it */
    free(bytes);
    return !cut;
}

/* Takes a request, or the end of the connection. False: hangs up. */
static bool web_take(struct web_server *server, int fd)
{
    const char *says = *server->says;

    if (!web_read(server, fd))
        return false;
    if (fd != server->last)
        strcat(server->asked, *server->asked ? " |" : "|");
    server->says += server->says[1] != NULL;
    web_note(server);
    server->last = fd;
    return web_answer(fd, says);
}

static void *web_serve(void *data)
{
    struct web_server *server = data;
    struct pollfd fds[1 + WEB_CONNECTIONS];

    for (;;) {
        fds[0] = (struct pollfd){server->socket, POLLIN, 0};
        for (size_t i = 0; i < WEB_CONNECTIONS; i++)
            fds[1 + i] = (struct pollfd){server->fds[i], POLLIN, 0};
        poll(fds, 1 + WEB_CONNECTIONS, -1);
        if (fds[0].revents & POLLHUP)
            return NULL;
        for (size_t i = 0; i < WEB_CONNECTIONS; i++) {
            int *fd = &server->fds[i];
            if (*fd < 0 && fds[0].revents) {
                *fd = accept4(server->socket, NULL, NULL, SOCK_CLOEXEC);
                fds[0].revents = 0;
            } else if (*fd >= 0 && fds[1 + i].revents && !web_take(server, *fd)) {
                server->last = *fd == server->last ? -1 : server->last;
                close(*fd);
                *fd = -1;
            }
        }
    }
}

/* Finds it a port; web_begin lets it answer. */
static void web_open(struct web_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    *server = (struct web_server){.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    for (size_t i = 0; i < WEB_CONNECTIONS; i++)
        server->fds[i] = -1;
    assert_int_equal(bind(server->socket, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->socket, 5), 0);
    assert_int_equal(getsockname(server->socket, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
}

static void web_begin(struct web_server *server, const char *const *says)
{
    server->says = says;
    server->last = -1;
    assert_int_equal(pthread_create(&server->thread, NULL, web_serve, server), 0);
}

/* What it was asked may be read after this. */
static void web_end(struct web_server *server)
{
    shutdown(server->socket, SHUT_RD);
    pthread_join(server->thread, NULL);
    for (size_t i = 0; i < WEB_CONNECTIONS; i++)
        if (server->fds[i] >= 0)
            close(server->fds[i]);
    close(server->socket);
}

#endif
