/* test_session.c - a conversation with a git daemon that hangs up: when it is asked once more, and when not. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gitcache/net/remote.h"

#define ONE      "1111111111111111111111111111111111111111"
#define VERSION2 "000eversion 2\n000cls-refs\n0012fetch=shallow\n0000"
#define REF      "003a" ONE " refs/tags/v1\n"

/* Says one thing on each connection, and hangs up. */
struct server {
    const char *const *says; /* up to NULL; more connections are refused */
    unsigned connections;
    int socket;
    pthread_t thread;
    char url[60];
};

static void *serve(void *data)
{
    struct server *server = data;
    char bytes[1000];
    int fd;

    while (server->says[server->connections] && (fd = accept(server->socket, NULL, NULL)) >= 0) {
        const char *text = server->says[server->connections++];

        assert_true(read(fd, bytes, sizeof bytes) > 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        shutdown(fd, SHUT_WR);
        while (read(fd, bytes, sizeof bytes) > 0)
            ;
        close(fd);
    }
    shutdown(server->socket, SHUT_RD);
    return NULL;
}

static void begin(struct server *server, const char *const *says)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    *server = (struct server){.says = says};
    server->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->socket, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->socket, 5), 0);
    assert_int_equal(getsockname(server->socket, (struct sockaddr *)&address, &size), 0);
    snprintf(server->url, sizeof server->url, "git://127.0.0.1:%d/x", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static int list_url(const char *url, struct listing *listing, struct error *e)
{
    struct net_settings settings;
    struct remote *remote;

    signal(SIGPIPE, SIG_IGN);
    setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    net_settings_init(&settings);
    settings.silence_timeout = 60;
    assert_int_equal(remote_new(&remote, &settings, e), 0);
    int r = remote_list(remote, url, NULL, 0, NULL, listing, e);
    remote_free(remote);
    return r;
}

/* Lists it; how many connections that took. */
static unsigned list(const char *const *says, struct listing *listing, int *r, struct error *e)
{
    struct server server;

    begin(&server, says);
    *r = list_url(server.url, listing, e);
    shutdown(server.socket, SHUT_RD);
    pthread_join(server.thread, NULL);
    close(server.socket);
    return server.connections;
}

/* As one that does not like to be asked in version 2. */
static void one_that_says_nothing_is_asked_once_more(void **state)
{
    static const char *const says[] = {"", VERSION2 REF "0000", NULL};
    struct listing listing;
    struct error e = {0};
    int r;

    (void)state;
    assert_int_equal(list(says, &listing, &r, &e), 2);
    assert_int_equal(r, 0);
    assert_int_equal(listing.count, 1);
    listing_release(&listing);
}

static void one_that_breaks_off_is_not(void **state)
{
    static const char *const says[] = {VERSION2 REF, VERSION2 REF "0000", NULL};
    struct listing listing;
    struct error e = {0};
    int r;

    (void)state;
    assert_int_equal(list(says, &listing, &r, &e), 1);
    assert_int_equal(r, -EIO);
}

/* It may have said all that was wanted, or why it hung up. */
static void one_that_does_not_listen_is_heard(void **state)
{
    struct listing listing;
    struct error e = {0};

    (void)state;
    setenv("GIT_SSH_COMMAND", "exec <&-; printf %s '" VERSION2 REF "0000'; :", 1);
    if (list_url("ssh://h/x", &listing, &e) != 0)
        fail_msg("%s", e.text);
    unsetenv("GIT_SSH_COMMAND");
    assert_int_equal(listing.count, 1);
    listing_release(&listing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_says_nothing_is_asked_once_more),
        cmocka_unit_test(one_that_breaks_off_is_not),
        cmocka_unit_test(one_that_does_not_listen_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
