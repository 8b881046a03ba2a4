/* test_front.c - the service's HTTP side, over a loopback: what each request is answered, with which headers. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/service/clients.h"
#include "fs/service/front.h"
#include "fs/service/listen.h"
#include "fs/service/shelf.h"

/* What a client was known to do, one after the other: a digit each. */
static atomic_uint doings;

void __real_clients_set(struct clients *clients, struct client *client, enum client_state state);
void __wrap_clients_set(struct clients *clients, struct client *client, enum client_state state);

void __wrap_clients_set(struct clients *clients, struct client *client, enum client_state state)
{
    __real_clients_set(clients, client, state);
    doings = doings * 10 + state;
}

/* A host that the test has made up; NULL: as ever. */
static struct addrinfo *made_up;

int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out);
void __real_freeaddrinfo(struct addrinfo *first);
void __wrap_freeaddrinfo(struct addrinfo *first);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    if (!made_up)
        return __real_getaddrinfo(host, port, hints, out);
    *out = made_up;
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *first)
{
    if (first != made_up)
        __real_freeaddrinfo(first);
}

struct service {
    struct shelf shelf;
    struct front *front;
    unsigned short port;
};

static int no_file(void *data, const char *name, char **bytes, size_t *size, struct error *e)
{
    (void)data;
    (void)bytes;
    (void)size;
    return error_set(e, ENOENT, "%s", name);
}

static void load(struct shelf *shelf)
{
    static const struct manifest_neighbours neighbours = {.read = no_file};
    static const char text[] =
        "{\"display_name\":\"one\",\"image_name\":\"i\",\"visible_filenames\":[],\"x\":\""
        "                                                                             "
        "                                                                             "
        "                                                                             "
        "                                                                             \"}";
    struct manifest_text manifest;
    struct catalogue *catalogue;
    struct error e = {0};

    if (manifest_text_make(&manifest, text, sizeof text - 1, &neighbours, &e) < 0 ||
        catalogue_new(&catalogue, &manifest, 1, &e) < 0)
        fail_msg("%s", e.text);
    manifest_text_release(&manifest);
    shelf_replace(shelf, catalogue);
}

static void begin(struct service *service, bool is_loaded, mount_probe_ask *ask)
{
    struct front_options options = {
        .shelf = &service->shelf, .has_set = true, .sha = "5ha", .ask_mount = ask};
    char shown[LISTEN_SHOWN_SIZE];
    struct error e = {0};

    signal(SIGPIPE, SIG_IGN);
    shelf_init(&service->shelf);
    if (is_loaded)
        load(&service->shelf);
    options.listener = listen_open("127.0.0.1", "0", shown, &e);
    assert_true(options.listener >= 0);
    assert_int_equal(sscanf(shown, "127.0.0.1:%hu", &service->port), 1);
    assert_int_equal(front_open(&service->front, &options, &e), 0);
}

static void end(struct service *service)
{
    assert_true(front_close(service->front));
    shelf_release(&service->shelf);
}

/* The whole answer, NUL-terminated, to a request that ends the connection; its size. */
static size_t ask(const struct service *service, const char *request, size_t size, char out[100000])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(service->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t used = 0;
    ssize_t n;

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(fd, request, size), size);
    while ((n = read(fd, out + used, 99999 - used)) > 0)
        used += (size_t)n;
    out[used] = '\0';
    close(fd);
    return used;
}

/* A request, and what its answer begins with, has among its headers, has not, and has as its body. */
struct talk {
    const char *request, *status, *header, *without, *body;
};

#define GET(path)        "GET " path " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
#define HEAD(path)       "HEAD " path " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
#define POST_TO(path)    "POST " path " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
#define POST(path, body) POST_TO(path) "Content-Length: " body
#define OK               "HTTP/1.1 200 "
#define JSON             "Content-Type: application/json\r\n"
#define NAMES            "{\"names\":[\"one\"]}"

static void hold(const struct service *service, const struct talk *talk)
{
    char answer[100000], request[1000];

    snprintf(request, sizeof request, "%s%s", talk->request,
             strstr(talk->request, "\r\n\r\n") ? "" : "\r\n");
    ask(service, request, strlen(request), answer);
    const char *body = strstr(answer, "\r\n\r\n");
    if (strncmp(answer, talk->status, strlen(talk->status)) != 0 || !body ||
        !strstr(answer, talk->header) || (talk->without && strstr(answer, talk->without)) ||
        !strstr(body + 4, talk->body) || (!*talk->body && body[4]))
        fail_msg("%s: %s", talk->request, answer);
}

static void hold_all(const struct talk *talks, size_t count, bool is_loaded, mount_probe_ask *mount)
{
    struct service service;

    begin(&service, is_loaded, mount);
    for (size_t i = 0; i < count; i++)
        hold(&service, &talks[i]);
    end(&service);
}

#define HOLD_ALL(talks, is_loaded, mount) \
    hold_all(talks, sizeof talks / sizeof *talks, is_loaded, mount)

static void each_route_is_answered(void **state)
{
    static const struct talk talks[] = {
        {GET("/alive"), OK, JSON, "ETag", "{\"alive?\":true}"},
        {GET("/ready"), OK, JSON, "ETag", "{\"ready?\":true}"},
        {GET("/sha"), OK, JSON, "ETag", "{\"sha\":\"5ha\"}"},
        {GET("/names"), OK, JSON, "Vary", NAMES},
        {GET("/names?x=1"), OK, "ETag: \"", "Vary", NAMES},
        {GET("http://h/names"), OK, JSON, "Vary", NAMES},
        {HEAD("/names"), OK, "Content-Length: 17\r\n", NULL, ""},
        {GET("/image_names"), OK, JSON, NULL, "{\"image_names\":[\"i\"]}"},
        {POST("/names", "2\r\n\r\n{}"), OK, JSON, NULL, NAMES},
        {POST("/manifest", "14\r\n\r\n{\"name\":\"one\"}"), OK, JSON, NULL, "{\"manifest\":{"},
        {POST("/manifest", "14\r\n\r\n{\"name\":\"two\"}"), "HTTP/1.1 500 ", JSON, NULL,
         "name:two:unknown"},
        {GET("/a%20b"), "HTTP/1.1 400 ", JSON, NULL, "\"path\": \"a%20b\""},
        {GET("/healthz"), OK, "Content-Type: text/plain; charset=utf-8\r\n", NULL, "ok\n"},
        {GET("/metrics"), OK, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
         "mount_up", "startpointfs_serve_requests_total{route=\"names\",status=\"2xx\"} 5\n"},
    };

    (void)state;
    HOLD_ALL(talks, true, NULL);
}

/* As a proxy wants it. */
static void what_is_known_or_can_be_smaller_is_not_sent_whole(void **state)
{
    static const struct talk talks[] = {
        {GET("/manifests"), OK, "Vary: Accept-Encoding\r\n", "Content-Encoding",
         "{\"manifests\":{"},
        {GET("/manifests") "Accept-Encoding: gzip\r\n", OK, "Content-Encoding: gzip\r\n", NULL,
         "\x1f\x8b"},
        {GET("/names") "Accept-Encoding: gzip\r\n", OK, JSON, "Content-Encoding", NAMES},
        {GET("/names") "If-None-Match: *\r\n", "HTTP/1.1 304 ", "ETag: \"", NULL, ""},
        {HEAD("/names") "If-None-Match: *\r\n", "HTTP/1.1 304 ", "ETag: \"", NULL, ""},
        {GET("/names") "If-None-Match: \"x\"\r\n", OK, "ETag: \"", NULL, NAMES},
        {GET("/manifests") "Accept-Encoding: gzip\r\nIf-None-Match: *\r\n", "HTTP/1.1 304 ",
         "-z\"\r\n", "Content-Encoding", ""},
    };

    (void)state;
    HOLD_ALL(talks, true, NULL);
}

static void before_anything_is_loaded_it_says_so(void **state)
{
    static const struct talk talks[] = {
        {GET("/alive"), OK, JSON, NULL, "{\"alive?\":true}"},
        {GET("/ready"), "HTTP/1.1 503 ", JSON, NULL, "{\"ready?\":false}"},
        {GET("/names"), "HTTP/1.1 503 ", JSON, NULL, "start-points:not loaded yet"},
        {GET("/healthz"), "HTTP/1.1 503 ", "text/plain", NULL, "no start-points are loaded yet\n"},
    };

    (void)state;
    HOLD_ALL(talks, false, NULL);
}

static int well(void *data, char **text, struct error *e)
{
    (void)data;
    (void)e;
    *text = strdup("startpointfs_up 1\n");
    return 0;
}

static int ill(void *data, char **text, struct error *e)
{
    (void)data;
    (void)text;
    return error_set(e, ENOTCONN, "nothing is mounted");
}

static void the_mount_s_health_is_shown(void **state)
{
    static const struct talk good[] = {
        {GET("/healthz"), OK, "text/plain", NULL, "ok\n"},
        {GET("/metrics"), OK, "text/plain", NULL,
         "startpointfs_serve_mount_up 1\nstartpointfs_up 1\n"},
    };
    static const struct talk bad[] = {
        {GET("/healthz"), "HTTP/1.1 503 ", "text/plain", NULL, "nothing is mounted\n"},
        {GET("/metrics"), OK, "text/plain", NULL, "startpointfs_serve_mount_up 0\n# HELP"},
        {GET("/names"), OK, JSON, NULL, NAMES},
    };

    (void)state;
    HOLD_ALL(good, true, well);
    HOLD_ALL(bad, true, ill);
}

/* Which says how long it has, and whether it counts as busy. */
static void assert_does(mount_probe_ask *mount, const struct talk *talk, unsigned expected)
{
    struct service service;
    time_t latest = time(NULL) + 20;

    doings = 0;
    begin(&service, true, mount);
    hold(&service, talk);
    while (doings % 10 != CLIENT_IDLE)
        assert_true(time(NULL) < latest);
    assert_int_equal(doings, expected);
    end(&service);
}

static void what_a_client_does_is_known(void **state)
{
    static const struct talk names = {GET("/names"), OK, JSON, NULL, NAMES},
                             refused = {GET("/a%20b"), "HTTP/1.1 400 ", JSON, NULL, "path"},
                             health = {GET("/healthz"), OK, "text/plain", NULL, "ok\n"};

    (void)state;
    assert_does(NULL, &names, 10 * (10 * CLIENT_SENDING + CLIENT_TAKING) + CLIENT_IDLE);
    assert_does(NULL, &refused, 10 * (10 * CLIENT_SENDING + CLIENT_TAKING) + CLIENT_IDLE);
    assert_does(NULL, &health, 10 * (10 * CLIENT_SENDING + CLIENT_TAKING) + CLIENT_IDLE);
    assert_does(well, &health,
                10 * (10 * (10 * CLIENT_SENDING + CLIENT_WAITING) + CLIENT_TAKING) + CLIENT_IDLE);
}

/* Announced, or sent in pieces of which the size is not known before. */
static void a_body_is_bounded(void **state)
{
    char *request = malloc(70000), *answer = malloc(100000);
    struct service service;

    (void)state;
    begin(&service, true, NULL);
    for (size_t size = FRONT_BODY_MOST; size <= FRONT_BODY_MOST + 1; size++)
        for (size_t i = 0; i < 2; i++) {
            size_t head =
                (size_t)(i ? sprintf(request,
                                     POST_TO("/names") "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                                     size)
                           : sprintf(request, POST_TO("/names") "Content-Length: %zu\r\n\r\n",
                                     size));

            memset(request + head, ' ', size);
            request[head] = '{';
            request[head + size - 1] = '}';
            strcpy(request + head + size, i ? "\r\n0\r\n\r\n" : "");
            ask(&service, request, strlen(request), answer);
            if (strncmp(answer, size > FRONT_BODY_MOST ? "HTTP/1.1 413 " : OK, 13) != 0 ||
                !strstr(answer, size > FRONT_BODY_MOST ? "body:larger than 65536 bytes" : NAMES))
                fail_msg("%zu: %s", size, answer);
        }
    end(&service);
    free(request);
    free(answer);
}

static void what_cannot_be_listened_on_is_said(void **state)
{
    char shown[LISTEN_SHOWN_SIZE], port[10], sentence[100];
    struct error e = {0};
    int fd = listen_open("127.0.0.1", "0", shown, &e);

    (void)state;
    assert_true(fd >= 0);
    snprintf(port, sizeof port, "%s", strchr(shown, ':') + 1);
    snprintf(sentence, sizeof sentence,
             "cannot listen on 127.0.0.1, port %s: Address already in use", port);
    assert_int_equal(listen_open("127.0.0.1", port, shown, &e), -EADDRINUSE);
    assert_string_equal(e.text, sentence);
    close(fd);
    fd = listen_open("127.0.0.1", port, shown, &e); /* at once again */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(listen_open("127.0.0.1", "no port", shown, &e), -EADDRNOTAVAIL);
    assert_non_null(strstr(e.text, "cannot listen on 127.0.0.1, port no port: "));
}

/* As where IPv6 is off, and its address comes first. */
static void the_first_address_that_works_is_listened_at(void **state)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct addrinfo third = {.ai_family = AF_INET}, /* none */
        second = {.ai_family = AF_INET,
                  .ai_addr = (struct sockaddr *)&here,
                  .ai_addrlen = sizeof here,
                  .ai_next = &third},
                    first = {.ai_family = AF_MAX, .ai_next = &second};
    char shown[LISTEN_SHOWN_SIZE];
    struct error e = {0};

    (void)state;
    made_up = &first;
    int fd = listen_open("host", "0", shown, &e);
    assert_true(fd >= 0);
    assert_memory_equal(shown, "127.0.0.1:", 10);
    close(fd);
    second.ai_family = AF_MAX;
    assert_true(listen_open("host", "0", shown, &e) < 0);
    assert_non_null(strstr(e.text, "cannot listen on host, port 0: "));
    made_up = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_route_is_answered),
        cmocka_unit_test(what_is_known_or_can_be_smaller_is_not_sent_whole),
        cmocka_unit_test(before_anything_is_loaded_it_says_so),
        cmocka_unit_test(the_mount_s_health_is_shown),
        cmocka_unit_test(what_a_client_does_is_known),
        cmocka_unit_test(a_body_is_bounded),
        cmocka_unit_test(what_cannot_be_listened_on_is_said),
        cmocka_unit_test(the_first_address_that_works_is_listened_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
