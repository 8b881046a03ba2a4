/* test_session.c - conversations with git daemons of all kinds: what each is asked, on which connection, and what comes of it. */
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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gitcache/net/politeness.h"
#include "gitcache/net/remote.h"
#include "tests/unit/remote_calls.h"

#define ONE      WANTED_COMMIT
#define VERSION2 "000eversion 2\n000cls-refs\n0012fetch=shallow\n0000"
#define FILTER   "000eversion 2\n000cls-refs\n0019fetch=shallow filter\n0000"
#define VERSION0 "004f" ONE " refs/heads/main~multi_ack shallow\n0000"
#define REF      "003a" ONE " refs/tags/v1\n"
#define LISTING  REF "0000"
#define PACK     "000dpackfile\n0009\1PACK0000"
#define PACK0                 \
    "0034shallow " ONE "0000" \
    "0008NAK\nPACK"

/* The true time, and what a test has let pass: sleeping takes none. */
static int64_t skipped; /* milliseconds */

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int r = (int)syscall(SYS_clock_gettime, clock, out);
    int64_t nanoseconds = out->tv_nsec + skipped % 1000 * 1000000;

    out->tv_sec += skipped / 1000 + nanoseconds / 1000000000;
    out->tv_nsec = nanoseconds % 1000000000;
    return r;
}

int nanosleep(const struct timespec *pause, struct timespec *left)
{
    (void)left;
    skipped += pause->tv_nsec / 1000000;
    return 0;
}

struct server {
    /* The first is said on a new connection, the next after each request, up to NULL; ~ stands for NUL. */
    const char *const *says;
    char asked[100]; /* | at a new connection, and a letter for each request: list, fetch, want */
    char greeting[500]; /* the last */
    int socket;
    pthread_t thread;
    char url[60];
};

#define LATE "late " /* in front: not before a request has come */
#define CUT  "cut "  /* in front: hangs up after it */

/* One packet, in which ~ stands for NUL; a flush is "", a delimiter "-". False at the end. */
static bool read_packet(int fd, char out[500])
{
    char head[5] = "";
    unsigned length;

    if (recv(fd, head, 4, MSG_WAITALL) != 4)
        return false;
    length = (unsigned)strtoul(head, NULL, 16);
    memset(out, 0, 500);
    out[0] = length == 1 ? '-' : '\0';
    length -= length > 4 ? 4 : length;
    if (length > 0 && recv(fd, out, length, MSG_WAITALL) != (ssize_t)length)
        return false;
    for (unsigned i = 0; i < length; i++)
        out[i] = out[i] ? out[i] : '~';
    return true;
}

/* A command ends with a flush; what begins with a want, with done. */
static bool read_request(struct server *server, int fd)
{
    char line[500], letter = '\0';
    bool more;

    while ((more = read_packet(fd, line))) {
        if (!letter)
            letter = strncmp(line, "command=", 8) == 0 ? line[8] : *line;
        if (strcmp(line, letter == 'w' ? "done\n" : "") == 0)
            break;
    }
    server->asked[strlen(server->asked)] = letter;
    return more;
}

/* False: it hangs up. */
static bool say(int fd, const char *text)
{
    bool cut = strncmp(text, CUT, strlen(CUT)) == 0;
    char bytes[500];
    size_t size;

    text += cut ? strlen(CUT) : 0;
    size = strlen(text);
    for (size_t i = 0; i < size; i++)
        bytes[i] = text[i] == '~' ? '\0' : text[i];
    return write(fd, bytes, size) == (ssize_t)size && !cut;
}

static void converse(struct server *server, int fd)
{
    bool late = strncmp(*server->says, LATE, strlen(LATE)) == 0, on = true;

    if (!read_packet(fd, server->greeting))
        return;
    strcat(server->asked, "|");
    if (late)
        on = read_request(server, fd);
    while (on && *server->says) {
        on = say(fd, *server->says++ + (late ? strlen(LATE) : 0)) && read_request(server, fd);
        late = false;
    }
    shutdown(fd, SHUT_WR);
    while (read_request(server, fd))
        ;
}

static void *serve(void *data)
{
    struct server *server = data;
    int fd;

    while (*server->says && (fd = accept(server->socket, NULL, NULL)) >= 0) {
        converse(server, fd);
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

static void end(struct server *server)
{
    shutdown(server->socket, SHUT_RD);
    pthread_join(server->thread, NULL);
    close(server->socket);
}

/* One after the other with one remote: l lists, f fetches, c fetches commits only, r rests; a digit lets as many seconds pass.
 * What became of the last. */
static int call_all(const char *calls, const char *url, size_t *count, struct error *e)
{
    struct net_settings settings;
    struct remote *remote;
    int r = 0;

    signal(SIGPIPE, SIG_IGN);
    setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    net_settings_init(&settings);
    settings.silence_timeout = 20;
    assert_int_equal(remote_new(&remote, &settings, e), 0);
    for (; *calls; calls++) {
        *e = (struct error){0};
        if (*calls <= '9')
            skipped += (*calls - '0') * 1000;
        else if (*calls == 'r')
            remote_rest(remote);
        else
            r = *calls == 'l' ? list(remote, url, count, e) : fetch(remote, url, *calls == 'c', e);
    }
    remote_free(remote);
    return r;
}

struct talk {
    const char *calls, *says[7], *asked;
    int errnum;
    const char *sentence;
};

/* Of a talk that ends well. */
#define FINE 0, NULL

static void hold_all(const struct talk *talks, size_t count)
{
    for (const struct talk *talk = talks; talk < talks + count; talk++) {
        struct server server;
        struct error e = {0};
        size_t refs = 1;
        int r;

        begin(&server, talk->says);
        r = call_all(talk->calls, server.url, &refs, &e);
        end(&server);
        if (r != -talk->errnum || strcmp(server.asked, talk->asked) != 0 || (r == 0 && refs != 1) ||
            (r < 0 && (e.errnum != talk->errnum || !strstr(e.text, talk->sentence))))
            fail_msg("%s, %s: it was asked %s, and the end was %d, %s", talk->calls, talk->asked,
                     server.asked, r, e.text);
    }
}

#define HOLD_ALL(talks) hold_all(talks, sizeof talks / sizeof *talks)

static void a_connection_is_kept(void **state)
{
    static const struct talk talks[] = {
        {"l", {VERSION2, LISTING}, "|l", FINE},
        {"lff", {VERSION2, LISTING, PACK, PACK}, "|lff", FINE},
        {"fl", {VERSION2, PACK, LISTING}, "|fl", FINE},
        /* What has read its refs may keep what it read. */
        {"lfl", {VERSION2, LISTING, PACK, VERSION2, LISTING}, "|lf|l", FINE},
        {"c", {FILTER, PACK}, "|f", FINE},
        {"frf", {VERSION2, PACK, VERSION2, PACK}, "|f|f", FINE},
        {"f4f", {VERSION2, PACK, PACK}, "|ff", FINE},
        {"f6f", {VERSION2, PACK, VERSION2, PACK}, "|f|f", FINE},
        {"lf", {VERSION2, LISTING, CUT, VERSION2, PACK}, "|lf|f", FINE},
        {"lf", {VERSION2, LISTING, CUT PACK0}, "|lf", EIO, "not git's protocol"},
        {"lf", {VERSION2, LISTING, CUT "000dpackfile\n"}, "|lf", EIO, "cut off"},
    };

    (void)state;
    HOLD_ALL(talks);
}

/* A request is sent along with the greeting, but in no wrong language. */
static void nobody_waits_for_what_is_known(void **state)
{
    static const struct talk talks[] = {
        {"l", {LATE VERSION2 LISTING}, "|l", FINE},
        {"f", {LATE VERSION2 PACK}, "|f", FINE},
        {"lfl", {LATE VERSION2 LISTING, PACK, LATE VERSION2 LISTING}, "|lf|l", FINE},
        {"l", {VERSION0}, "|l", FINE},
        {"lf", {CUT VERSION0, VERSION0, CUT PACK0}, "|l|w", FINE},
        {"f", {CUT VERSION0, VERSION0, CUT PACK0}, "|f|w", FINE},
        {"fl", {CUT VERSION0, VERSION0, CUT PACK0, VERSION0}, "|f|w|", FINE},
    };

    (void)state;
    HOLD_ALL(talks);
}

static void one_that_hangs_up_is_asked_once_more(void **state)
{
    static const struct talk talks[] = {
        {"l", {CUT, VERSION2, LISTING}, "|l|l", FINE},
        {"l", {CUT, CUT}, "|l|", EIO, "closed without an answer"},
        {"l", {CUT VERSION2, CUT VERSION2}, "|l|l", EIO, "cut off"},
        {"l", {CUT VERSION2 REF, VERSION2, LISTING}, "|l", EIO, "cut off"},
        {"l", {"0017ERR no such project"}, "|l", EHOSTUNREACH, "no such project"},
        {"f", {VERSION2, "0013ERR not our ref"}, "|f", ENOENT, "not our ref"},
    };

    (void)state;
    HOLD_ALL(talks);
}

static void it_is_greeted_as_git_does(void **state)
{
    static const char *const says[] = {VERSION2, LISTING, NULL}, *const old[] = {VERSION0, NULL};
    struct server server;
    struct error e = {0};
    char greeting[100];
    size_t count;

    (void)state;
    begin(&server, says);
    assert_int_equal(call_all("l", server.url, &count, &e), 0);
    end(&server);
    snprintf(greeting, sizeof greeting, "git-upload-pack /x~host=%.*s~~version=2~",
             (int)strcspn(server.url + 6, "/"), server.url + 6);
    assert_string_equal(server.greeting, greeting);
    /* Daemons of old take no further part. */
    setenv("GIT_CONFIG_COUNT", "1", 1);
    setenv("GIT_CONFIG_KEY_0", "protocol.version", 1);
    setenv("GIT_CONFIG_VALUE_0", "0", 1);
    begin(&server, old);
    assert_int_equal(call_all("l", server.url, &count, &e), 0);
    end(&server);
    unsetenv("GIT_CONFIG_COUNT");
    snprintf(greeting, sizeof greeting, "git-upload-pack /x~host=%.*s~",
             (int)strcspn(server.url + 6, "/"), server.url + 6);
    assert_string_equal(server.greeting, greeting);
}

static void count_note(void *data, const char *sentence)
{
    assert_non_null(
        strstr(sentence,
               "/x: the server cannot send a version without its history: all of it is fetched"));
    ++*(unsigned *)data;
}

static void a_server_that_sends_all_history_is_noted_once(void **state)
{
    static const char *const whole[] = {"000eversion 2\n000cls-refs\n000afetch\n0000", PACK, PACK,
                                        PACK, NULL};
    static const char *const shallow[] = {VERSION2, PACK, PACK, NULL};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct oid want = {.id = {1}};
        struct fetch_command_request request = {.wants = &want, .count = 1};
        unsigned notes = 0;
        const struct watch watch = {.note = count_note, .data = &notes};
        struct net_settings settings;
        struct server server;
        struct remote *remote;
        struct error e = {0};

        begin(&server, i ? shallow : whole);
        net_settings_init(&settings);
        settings.silence_timeout = 20;
        assert_int_equal(remote_new(&remote, &settings, &e), 0);
        for (request.depth = 0; request.depth < 3; request.depth++) /* 0: all of it is wanted */
            if (request.depth < 2 || i == 0)
                assert_int_equal(
                    remote_fetch(remote, server.url, &request, take_nothing, NULL, &watch, &e), 0);
        remote_free(remote);
        end(&server);
        assert_int_equal(notes, i == 0);
    }
}

/* A greeting is one packet. */
static void a_path_that_is_too_long_is_said(void **state)
{
    static const char *const says[] = {VERSION2, LISTING, NULL};
    char *url = malloc(70000);
    struct server server;
    struct error e = {0};
    size_t count;

    (void)state;
    begin(&server, says);
    memset(stpcpy(url, server.url), 'x', 66000);
    url[strlen(server.url) + 66000] = '\0';
    assert_int_equal(call_all("l", url, &count, &e), -EINVAL);
    end(&server);
    assert_memory_equal(e.text, server.url, strlen(server.url));
    assert_non_null(strstr(e.text, ": the path is too long"));
    free(url);
}

/* It may have said all that was wanted, or why it hung up. */
static void one_that_does_not_listen_is_heard(void **state)
{
    struct error e = {0};
    size_t count;

    (void)state;
    setenv("GIT_SSH_COMMAND", "exec <&-; printf %s '" VERSION2 LISTING "'; :", 1);
    if (call_all("l", "ssh://h/x", &count, &e) != 0)
        fail_msg("%s", e.text);
    unsetenv("GIT_SSH_COMMAND");
    assert_int_equal(count, 1);
}

/* Somebody else who asks the same host, until it is known to have too many. */
struct company {
    struct politeness *politeness;
    const char *url;
    bool has_left;
};

static bool leave_a_crowd(void *data)
{
    struct company *company = data;

    if (!company->has_left && politeness_is_crowded(company->politeness, company->url)) {
        politeness_leave(company->politeness, company->url, false);
        company->has_left = true;
    }
    return false;
}

/* Lists it beside somebody else; how long that took beside the asking. */
static int list_in_company(const char *const *says, char asked[100], int64_t *waited)
{
    struct company company = {.politeness = politeness_new(0)};
    const struct watch watch = {.cancelled = leave_a_crowd, .data = &company};
    struct net_settings settings;
    struct listing listing;
    struct server server;
    struct remote *remote;
    struct error e = {0};
    int64_t before = skipped;

    begin(&server, says);
    company.url = server.url;
    assert_true(politeness_may_enter(company.politeness, server.url));
    net_settings_init(&settings);
    settings.silence_timeout = 20;
    settings.politeness = company.politeness;
    assert_int_equal(remote_new(&remote, &settings, &e), 0);
    int r = remote_list(remote, server.url, NULL, 0, &watch, &listing, &e);
    end(&server);
    remote_free(remote);
    politeness_free(company.politeness);
    if (r == 0)
        listing_release(&listing);
    else
        assert_int_equal(e.errnum, -r);
    strcpy(asked, server.asked);
    *waited = skipped - before;
    return r;
}

/* As one that has too many: it is asked again, beside fewer others, and later each time. */
static void one_that_drops_many_is_asked_eight_times(void **state)
{
    static const char *const twice[] = {CUT, CUT, CUT, CUT, VERSION2, LISTING, NULL};
    static const char *const always[] = {CUT, CUT, CUT, CUT, CUT, CUT, CUT, CUT, CUT,
                                         CUT, CUT, CUT, CUT, CUT, CUT, CUT, CUT, NULL};
    char asked[100];
    int64_t waited;

    (void)state;
    assert_int_equal(list_in_company(twice, asked, &waited), 0);
    assert_string_equal(asked, "|l||l||l");
    assert_in_range(waited, 100 + 200, 100 + 200 + 2 * 70);
    assert_int_equal(list_in_company(always, asked, &waited), -EIO);
    assert_string_equal(asked, "|l||l||l||l||l||l||l||l|");
    assert_in_range(waited, 12700, 12700 + 7 * 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_kept),
        cmocka_unit_test(nobody_waits_for_what_is_known),
        cmocka_unit_test(one_that_hangs_up_is_asked_once_more),
        cmocka_unit_test(it_is_greeted_as_git_does),
        cmocka_unit_test(a_server_that_sends_all_history_is_noted_once),
        cmocka_unit_test(a_path_that_is_too_long_is_said),
        cmocka_unit_test(one_that_does_not_listen_is_heard),
        cmocka_unit_test(one_that_drops_many_is_asked_eight_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
