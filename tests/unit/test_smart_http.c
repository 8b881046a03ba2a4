/* test_smart_http.c - conversations with web servers of all kinds: what each is asked, on which connection, and what comes of it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/base/clock.h"
#include "gitcache/net/remote.h"
#include "tests/unit/remote_calls.h"
#include "tests/unit/sandbox.h"
#include "tests/unit/web_server.h"

#define ONE           WANTED_COMMIT
#define TYPE(type)    "Content-Type: " type "\r\n\r\n"
#define RESULT        "200 OK\r\n" TYPE("application/x-git-upload-pack-result")
#define ADVERTISEMENT "200 OK\r\n" TYPE("application/x-git-upload-pack-advertisement")
#define PRELUDE       ADVERTISEMENT "001e# service=git-upload-pack\n0000"
#define REF           "003a" ONE " refs/tags/v1\n"
#define LISTING       RESULT REF "0000"
#define PACK          RESULT "000dpackfile\n0009\1PACK0000"
#define VERSION2      PRELUDE "000eversion 2\n000cls-refs\n0012fetch=shallow\n0000"
#define FILTER        PRELUDE "000eversion 2\n000cls-refs\n0019fetch=shallow filter\n0000"
#define VERSION0      PRELUDE "004f" ONE " refs/heads/main~multi_ack shallow\n0000"
#define PACK0                        \
    RESULT "0034shallow " ONE "0000" \
           "0008NAK\nPACK"
#define NOT_OURS  RESULT "0013ERR not our ref"
#define DENIED    RESULT "0015ERR access denied"
#define MISSING   "404 Not Found\r\n\r\n"
#define TO(place) "302 Found\r\nLocation: " place "\r\n\r\n"
#define PAGE      "200 OK\r\n" TYPE("text/html") "<title>Hello</title>"

/* Of a talk that ends well. */
#define FINE 0, NULL

/* One after the other with one remote: l lists, f fetches, c fetches commits only, r rests. What became of the last. */
static int call_all(const char *calls, const char *url, struct error *e)
{
    struct net_settings settings;
    struct remote *remote;
    int r = 0;

    net_settings_init(&settings);
    settings.silence_timeout = 60;
    assert_int_equal(remote_new(&remote, &settings, e), 0);
    for (; *calls; calls++) {
        *e = (struct error){0};
        if (*calls == 'r')
            remote_rest(remote);
        else
            r = *calls == 'l' ? list(remote, url, NULL, e) : fetch(remote, url, *calls == 'c', e);
    }
    remote_free(remote);
    return r;
}

struct talk {
    const char *calls, *config, *says[7], *asked;
    int errnum;
    const char *sentence;
};

static void hold(const struct sandbox *box, const struct talk *talk)
{
    struct web_server server;
    struct error e = {0};
    char url[100];
    int r;

    web_open(&server);
    run(box, "printf '%s' | sed s/PORT/%u/ >config", talk->config ? talk->config : "", server.port);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", server.port);
    web_begin(&server, talk->says);
    r = call_all(talk->calls, url, &e);
    web_end(&server);
    if (r != -talk->errnum || strcmp(server.asked, talk->asked) != 0 ||
        (talk->errnum && (e.errnum != talk->errnum || !strstr(e.text, talk->sentence))))
        fail_msg("%s; %s; %.300s: it was asked %s, and the end was %d, %s", talk->calls,
                 talk->asked, *talk->says, server.asked, r, e.text);
}

static void hold_all(void **state, const struct talk *talks, size_t count)
{
    const struct sandbox *box = *state;
    char path[100];

    snprintf(path, sizeof path, "%s/config", box->folder);
    setenv("GIT_CONFIG_GLOBAL", path, 1);
    for (size_t i = 0; i < count; i++)
        hold(box, &talks[i]);
    unsetenv("GIT_CONFIG_GLOBAL");
}

#define HOLD_ALL(talks) hold_all(state, talks, sizeof talks / sizeof *talks)

static void what_a_server_speaks_is_learnt_once(void **state)
{
    static const struct talk talks[] = {
        {"l", NULL, {LISTING}, "|P/x", FINE},
        {"lff", NULL, {LISTING, PACK}, "|P/x P/x P/x", FINE},
        {"lrf", NULL, {LISTING, PACK}, "|P/x |P/x", FINE},
        {"l", NULL, {MISSING, VERSION2, LISTING}, "|P/x G/x P/x", FINE},
        {"l", NULL, {MISSING}, "|P/x G/x", EHOSTUNREACH, "no repository there (404)"},
        {"llf", NULL, {MISSING, VERSION0, VERSION0, PACK0}, "|P/x G/x G/x P/x", FINE},
        {"lc", NULL, {LISTING, FILTER, PACK}, "|P/x G/x P/x", FINE},
        {"ccl", NULL, {FILTER, PACK, PACK, LISTING}, "|G/x P/x P/x P/x", FINE},
        {"ll", "[protocol]\nversion=1\n", {VERSION2, LISTING}, "|G/x P/x P/x", FINE},
        {"ll",
         "[http]\nstartpointfsDiscover\n",
         {VERSION2, LISTING, VERSION2, LISTING},
         "|G/x P/x G/x P/x",
         FINE},
    };
    HOLD_ALL(talks);
}

static void what_is_known_and_no_longer_right_is_learnt_again(void **state)
{
    static const struct talk talks[] = {
        {"lc", NULL, {LISTING, FILTER, MISSING, FILTER, PACK}, "|P/x G/x P/x G/x P/x", FINE},
        {"c", NULL, {FILTER, MISSING}, "|G/x P/x", EHOSTUNREACH, "404"},
        {"lf",
         NULL,
         {TO("/y/git-upload-pack"), LISTING, MISSING, VERSION2, PACK},
         "|P/x P/y P/y G/x P/x",
         FINE},
        {"lf", NULL, {MISSING, VERSION0, MISSING, VERSION2, PACK}, "|P/x G/x P/x G/x P/x", FINE},
    };
    HOLD_ALL(talks);
}

static void redirects_are_followed_and_remembered(void **state)
{
    static const struct talk talks[] = {
        {"lf", NULL, {TO("/y/git-upload-pack"), LISTING, PACK}, "|P/x P/y P/y", FINE},
        {"lf",
         NULL,
         {MISSING, TO("/y/info/refs?service=git-upload-pack"), VERSION2, LISTING, PACK},
         "|P/x G/x G/y P/y P/y",
         FINE},
        {"lf", NULL, {TO("/odd"), LISTING, PACK}, "|P/x P/odd P/x", FINE},
        {"l", NULL, {TO("ftp://h/x")}, "|P/x G/x", EIO, "redirects to something other than http"},
        {"l",
         NULL,
         {TO("/y")},
         "|P/x P/y P/y P/y P/y P/y P/y P/y P/y P/y P/y "
         "G/x G/y G/y G/y G/y G/y G/y G/y G/y G/y G/y",
         EIO,
         "redirects forever"},
        {"l",
         "[http]\nfollowRedirects=false\n",
         {TO("/y")},
         "|P/x G/x",
         EACCES,
         "http.followRedirects"},
        /* As the place that redirects is configured. */
        {"l",
         "[http \"http://127.0.0.1:PORT/y\"]\nfollowRedirects=false\n",
         {TO("/y/git-upload-pack"), TO("/z/git-upload-pack"), MISSING},
         "|P/x P/y G/x",
         EHOSTUNREACH,
         "404"},
        {"l",
         "[http]\nfollowRedirects=false\n"
         "[http \"http://127.0.0.1:PORT/x\"]\nfollowRedirects=true\n",
         {TO("/y/git-upload-pack"), LISTING},
         "|P/x P/y",
         FINE},
        {"l",
         "[protocol \"https\"]\nallow=never\n",
         {TO("https://h/x")},
         "|P/x G/x",
         EACCES,
         "protocol https"},
    };
    HOLD_ALL(talks);
}

static void what_is_no_answer_is_said(void **state)
{
    static const struct talk talks[] = {
        {"l", NULL, {"401 Unauthorized\r\n\r\n"}, "|P/x", EACCES, "asks for a user name"},
        {"l",
         NULL,
         {"429 Slowly\r\nRetry-After: 7\r\n\r\n"},
         "|P/x",
         EBUSY,
         "left alone for 7 seconds"},
        {"ll", NULL, {"429 Slowly\r\nRetry-After: 7\r\n\r\n"}, "|P/x", EBUSY, "left alone until"},
        {"ll", NULL, {"429 Slowly\r\n\r\n"}, "|P/x", EBUSY, "left alone until"},
        {"l", NULL, {PAGE}, "|P/x G/x", EIO, "with text/html (\"Hello\"), which"},
        {"l", NULL, {"200 OK\r\n\r\n"}, "|P/x G/x", EIO, "something untyped"},
        {"l", NULL, {RESULT}, "|P/x G/x", EIO, "the server's answer is empty"},
        {"l",
         NULL,
         {"400 No\r\n" TYPE("text/plain") "Not like that"},
         "|P/x G/x",
         EIO,
         "(400): Not like that"},
        {"l", NULL, {"503 Wait\r\n\r\n"}, "|P/x", EIO, "the server failed (503)"},
        {"l", "[protocol \"http\"]\nallow=never\n", {""}, "", EACCES, "protocol http"},
    };
    HOLD_ALL(talks);
}

static void of_an_answer_that_has_begun_nothing_comes_twice(void **state)
{
    static const struct talk talks[] = {
        {"l", NULL, {"", VERSION2, LISTING}, "|P/x |G/x P/x", FINE},
        {"l", NULL, {""}, "|P/x |G/x", EIO, "Empty reply"},
        {"l", NULL, {CUT RESULT REF, VERSION2, LISTING}, "|P/x |G/x P/x", FINE},
        {"l", NULL, {RESULT REF, VERSION2, LISTING}, "|P/x G/x P/x", FINE},
        {"l", NULL, {RESULT REF, VERSION2, RESULT REF}, "|P/x G/x P/x", EIO, "cut off"},
        {"l", NULL, {MISSING, PRELUDE}, "|P/x G/x", EIO, "cut off"},
        {"f", NULL, {RESULT "000dpackfile\n0009\1PACK"}, "|P/x", EIO, "cut off"},
        {"f", NULL, {RESULT "000dpackfile\n0020\1PACK"}, "|P/x", EIO, "cut off"},
        {"f", NULL, {RESULT "000dpackfile\n", VERSION2, PACK}, "|P/x G/x P/x", FINE},
        {"f", NULL, {NOT_OURS, VERSION2, PACK}, "|P/x |G/x P/x", FINE},
        {"lf", NULL, {LISTING, NOT_OURS}, "|P/x P/x", ENOENT, "not our ref"},
        {"lf", NULL, {LISTING, DENIED, VERSION2, PACK}, "|P/x P/x |G/x P/x", FINE},
    };
    HOLD_ALL(talks);
}

/* That piece so many times. Owned. */
static char *long_answer(const char *head, const char *piece, size_t count)
{
    char *text = malloc(strlen(head) + strlen(piece) * count + 1), *to = stpcpy(text, head);

    while (count--)
        to = stpcpy(to, piece);
    return text;
}

static void a_long_answer_was_no_refusal(void **state)
{
    char *many = long_answer(CUT RESULT, REF, 65536 / 58 + 1),
         *fewer = long_answer(CUT RESULT, REF, 65536 / 58);
    const struct talk talks[] = {
        {"l", NULL, {many, VERSION2, LISTING}, "|P/x", EIO, ""},
        {"l", NULL, {fewer, VERSION2, LISTING}, "|P/x |G/x P/x", FINE},
    };

    HOLD_ALL(talks);
    free(many);
    free(fewer);
}

/* Up to some length: so the connection can be used again. */
static void a_page_is_read_to_its_end(void **state)
{
    char *page = long_answer("404 No\r\n" TYPE("text/html"), "x", 65536),
         *longer = long_answer("404 No\r\n" TYPE("text/html"), "x", 65537);
    const struct talk talks[] = {
        {"l", NULL, {page, VERSION2, LISTING}, "|P/x G/x P/x", FINE},
        {"l", NULL, {longer, VERSION2, LISTING}, "|P/x |G/x P/x", FINE},
        {"l", NULL, {longer}, "|P/x |G/x", EHOSTUNREACH, "no repository there (404)"},
    };

    HOLD_ALL(talks);
    free(page);
    free(longer);
}

/* A remote that is told what an earlier one learnt; its listing says what is to be told to the next. */
static void list_knowing(const char *server_said, const char *const *says, const char *asked,
                         const char *learnt)
{
    struct net_settings settings;
    struct listing listing;
    struct web_server server;
    struct remote *remote;
    struct error e = {0};
    char url[100], text[200];

    web_open(&server);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", server.port);
    web_begin(&server, says);
    net_settings_init(&settings);
    assert_int_equal(remote_new(&remote, &settings, &e), 0);
    if (server_said) {
        snprintf(text, sizeof text, "%.2shttp://127.0.0.1:%u%s", server_said, server.port,
                 server_said + 2);
        remote_remember(remote, url, text);
    }
    remote_remember(remote, url, NULL);
    assert_int_equal(remote_list(remote, url, NULL, 0, NULL, &listing, &e), 0);
    remote_remember(remote, url, "2 http://elsewhere/z"); /* it knows better by now */
    struct listing again = {0};
    assert_int_equal(remote_list(remote, url, NULL, 0, NULL, &again, &e), 0);
    web_end(&server);
    remote_free(remote);
    snprintf(text, sizeof text, "%.2shttp://127.0.0.1:%u%s", learnt, server.port, learnt + 2);
    assert_string_equal(server.asked, asked);
    assert_string_equal(listing.server, text);
    listing_release(&listing);
    listing_release(&again);
}

static void what_was_learnt_is_told_to_the_next(void **state)
{
    static const char *const redirects[] = {TO("/y/git-upload-pack"), LISTING, NULL};
    static const char *const speaks_2[] = {LISTING, NULL}, *const speaks_0[] = {VERSION0, NULL};

    (void)state;
    list_knowing(NULL, redirects, "|P/x P/y P/y", "2 /y");
    list_knowing("2 /y", speaks_2, "|P/y P/y", "2 /y");
    list_knowing("0 /y multi_ack", speaks_0, "|G/y G/y", "0 /y shallow multi_ack");
    list_knowing("1 /y", speaks_2, "|P/x P/x", "2 /x"); /* what is damaged is not believed */
}

static bool is_cancelled(void *data)
{
    (void)data;
    return true;
}

/* Lists with that watch a server that says nothing. */
static int wait_in_vain(const struct watch *watch, struct error *e)
{
    static const char *const says[] = {SILENT, NULL};
    struct listing listing;
    struct net_settings settings;
    struct web_server server;
    struct remote *remote;
    char url[100];
    int r;

    web_open(&server);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", server.port);
    web_begin(&server, says);
    net_settings_init(&settings);
    settings.silence_timeout = 1;
    assert_int_equal(remote_new(&remote, &settings, e), 0);
    r = remote_list(remote, url, NULL, 0, watch, &listing, e);
    remote_free(remote);
    web_end(&server);
    return r;
}

static void nobody_waits_for_ever(void **state)
{
    const struct watch watch = {.cancelled = is_cancelled};
    struct error e = {0};

    (void)state;
    assert_int_equal(wait_in_vain(&watch, &e), -ECANCELED);
    assert_int_equal(wait_in_vain(NULL, &e), -ETIMEDOUT);
    assert_non_null(strstr(e.text, "sent nothing for 1 seconds"));
}

static void what_cannot_be_talked_to_is_said(void **state)
{
    static const char *const says[] = {RAW "\x15\x03\x01\x02\x02P", NULL};
    struct web_server server;
    struct error e = {0};
    char url[100];

    (void)state;
    web_open(&server);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", server.port);
    web_begin(&server, says);
    assert_int_equal(call_all("l", url, &e), -EIO);
    assert_non_null(strstr(e.text, "; is it a port for https?"));
    web_end(&server);
    assert_int_equal(call_all("l", url, &e), -EHOSTUNREACH); /* nobody is there now */
}

/* A port whose queue is full, where connections are no longer answered. */
static unsigned open_full_port(int fds[3])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    for (int i = 0; i < 3; i++)
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)&address, &size), 0);
    for (int i = 1; i < 3; i++)
        connect(fds[i], (struct sockaddr *)&address, sizeof address);
    return ntohs(address.sin_port);
}

/* Long before it would be taken for silence. */
static void a_host_that_takes_no_connection_is_given_up_soon(void **state)
{
    static const char *const schemes[] = {"http", "git"};
    struct net_settings settings;
    struct error e = {0};
    struct remote *remote;
    int fds[3];

    (void)state;
    unsigned port = open_full_port(fds);
    net_settings_init(&settings);
    settings.connect_timeout = 1;
    settings.silence_timeout = 60;
    assert_int_equal(remote_new(&remote, &settings, &e), 0);
    for (size_t i = 0; i < 2; i++) {
        int64_t began = clock_now();
        char url[100];

        snprintf(url, sizeof url, "%s://127.0.0.1:%u/x", schemes[i], port);
        assert_int_equal(list(remote, url, NULL, &e), -ETIMEDOUT);
        assert_true(clock_now() - began < 30000);
    }
    remote_free(remote);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* No program that another thread starts meanwhile gets a connection. */
static void a_connection_is_not_inherited(void **state)
{
    static const char *const says[] = {LISTING, NULL};
    struct net_settings settings;
    struct web_server server;
    struct error e = {0};
    struct remote *remote;
    char url[100];

    (void)state;
    web_open(&server);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", server.port);
    net_settings_init(&settings);
    web_begin(&server, says);
    assert_int_equal(remote_new(&remote, &settings, &e), 0);
    assert_int_equal(list(remote, url, NULL, &e), 0);
    for (int fd = 3; fd < 100; fd++) {
        int domain = 0;
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){sizeof domain});
        assert_true(domain != AF_INET || fcntl(fd, F_GETFD) == FD_CLOEXEC);
    }
    remote_free(remote);
    web_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_speaks_is_learnt_once),
        cmocka_unit_test(what_is_known_and_no_longer_right_is_learnt_again),
        cmocka_unit_test(redirects_are_followed_and_remembered),
        cmocka_unit_test(what_is_no_answer_is_said),
        cmocka_unit_test(of_an_answer_that_has_begun_nothing_comes_twice),
        cmocka_unit_test(a_long_answer_was_no_refusal),
        cmocka_unit_test(a_page_is_read_to_its_end),
        cmocka_unit_test(what_was_learnt_is_told_to_the_next),
        cmocka_unit_test(nobody_waits_for_ever),
        cmocka_unit_test(what_cannot_be_talked_to_is_said),
        cmocka_unit_test(a_host_that_takes_no_connection_is_given_up_soon),
        cmocka_unit_test(a_connection_is_not_inherited),
    };
    return cmocka_run_group_tests(tests, sandbox_open, sandbox_close);
}
