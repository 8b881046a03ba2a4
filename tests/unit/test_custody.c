/* test_custody.c - what a supervisor says to whoever holds its mount, and makes of the answers: here the test is a
 * holder, and systemd. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock_of_test.h"
#include "fs/supervisor/custody.h"
#include "fs/supervisor/descriptors.h"
#include "fs/supervisor/spawn.h"
#include "gitcache/base/clock.h"
#include "sandbox.h"

static const char *const names[HELD_COUNT] = {"startpointfs-fuse", "startpointfs-nodes",
                                              "startpointfs-state", "startpointfs-lists"};
static int fds[HELD_COUNT];
static char place[100];
static struct log *lines;

static int open_all(void **state)
{
    if (sandbox_open(state) < 0)
        return -1;
    const struct sandbox *box = *state;
    char file[100];
    snprintf(place, sizeof place, "%s/socket", box->folder);
    snprintf(file, sizeof file, "%s/said", box->folder);
    for (int i = 0; i < HELD_COUNT; i++)
        fds[i] = memfd_create(names[i], MFD_CLOEXEC);
    return log_open(&lines, LOG_LEVEL_DEBUG, file, 1);
}

static int close_all(void **state)
{
    log_close(lines);
    for (int i = 0; i < HELD_COUNT; i++)
        close(fds[i]);
    return sandbox_close(state);
}

/* What the log has said last. */
static const char *said(const struct sandbox *box)
{
    return output(box, "tail -n 1 said | cut -d ' ' -f 3- | sed 's/^ *[a-z]* *//'");
}

static ino_t inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static int listen_at(int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    unlink(place);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", place);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    if (type == SOCK_SEQPACKET)
        assert_int_equal(listen(fd, 10), 0);
    return fd;
}

/* ---- a holder ---- */

/* The next message, with so many descriptors: ours, in their order. */
static void expect(int client, enum holder_word word, unsigned count)
{
    struct holder_message message;
    int came[DESCRIPTORS_MOST];
    unsigned came_count;

    assert_int_equal(descriptors_receive(client, &message, sizeof message, came, &came_count),
                     sizeof message);
    assert_int_equal(message.word, word);
    assert_string_equal(message.mountpoint, "/mnt");
    assert_int_equal(came_count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(inode_of(came[i]), inode_of(fds[i]));
        assert_int_equal(fcntl(came[i], F_GETFD), FD_CLOEXEC);
        close(came[i]);
    }
}

static void reply(int client, enum holder_word word, unsigned count)
{
    struct holder_message message = {.word = word, .mountpoint = "/mnt"};
    assert_int_equal(descriptors_send(client, &message, sizeof message, fds, count), 0);
}

static struct custody custody_with(const char *holder)
{
    static const struct notify nobody = {-1};
    struct custody custody;

    custody_open(&custody, holder, "/mnt", &nobody);
    return custody;
}

/* Gives the mount to a holder that has answered so by the time the answer is looked at. */
static int give(struct custody *custody, int listener, enum holder_word word)
{
    custody->fds = fds;
    custody->log = lines;
    custody->look_again_at = clock_now();
    custody_look_again(custody);
    int client = accept(listener, NULL, NULL);
    expect(client, HOLDER_KEEP, HELD_COUNT);
    custody_on_event(custody); /* nothing is there yet */
    assert_null(custody_holder(custody));
    reply(client, word, 0);
    custody_on_event(custody);
    return client;
}

static void a_holder_that_holds(void **state)
{
    int listener = listen_at(SOCK_SEQPACKET);
    struct custody custody = custody_with(place);
    int client = give(&custody, listener, HOLDER_DONE);
    char expected[200];

    assert_string_equal(custody_holder(&custody), place);
    snprintf(expected, sizeof expected, "%s holds the mount", place);
    assert_string_equal(said(*state), expected);
    assert_int_equal(custody.look_again_at, 0);
    assert_true(custody.socket >= SPAWN_FDS);
    custody_drop(&custody);
    expect(client, HOLDER_DROP, 0);
    assert_null(custody_holder(&custody));
    custody_close(&custody);
    assert_int_equal(custody.socket, -1);
    close(client);
    close(listener);
}

static void assert_missed(const struct sandbox *box, struct custody *custody, const char *why)
{
    char expected[300];

    snprintf(expected, sizeof expected,
             "nobody holds the mount now; it would end with this process: %s: %s", place, why);
    assert_string_equal(said(box), expected);
    assert_null(custody_holder(custody));
    assert_int_equal(custody->socket, -1);
    assert_int_equal(custody->look_again_at, clock_now() + 200);
}

static void a_holder_that_does_not(void **state)
{
    static const struct {
        enum holder_word word;
        const char *why;
    } rows[] = {{HOLDER_FULL, "it has no room for another mount"},
                {HOLDER_BUSY, "it holds another mount of that mount point"},
                {HOLDER_NONE, "it refuses"}};
    int listener = listen_at(SOCK_SEQPACKET);
    char byte;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct custody custody = custody_with(place);
        int client = give(&custody, listener, rows[i].word);
        assert_missed(*state, &custody, rows[i].why);
        assert_int_equal(recv(client, &byte, 1, MSG_DONTWAIT), 0); /* hung up on */
        close(client);
        custody_close(&custody);
    }
    close(listener);
}

/* It is said once, until somebody holds again. */
static void a_holder_that_goes_and_comes(void **state)
{
    int listener = listen_at(SOCK_SEQPACKET);
    struct custody custody = custody_with(place);

    for (int times = 1; times <= 2; times++) {
        int client = give(&custody, listener, HOLDER_DONE);
        close(client);
        close(listener);
        custody_on_event(&custody);
        assert_missed(*state, &custody, "it is gone");
        test_now += 199;
        custody_look_again(&custody); /* not yet */
        assert_int_equal(custody.look_again_at, clock_now() + 1);
        test_now++;
        custody_look_again(&custody);
        assert_missed(*state, &custody, "it is gone");
        assert_int_equal(atoi(output(*state, "grep -c 'it is gone' said")), times);
        listener = listen_at(SOCK_SEQPACKET);
    }
    close(listener);
    custody_close(&custody);
}

/* Whoever called `mount` may kill us as soon as it returns. */
static void the_answer_is_waited_for(void **state)
{
    int listener = listen_at(SOCK_SEQPACKET);
    struct custody custody = custody_with(place);
    int status;

    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct holder_message asked = {0}, done = {.word = HOLDER_DONE};
        int came[DESCRIPTORS_MOST], client = accept(listener, NULL, NULL);
        unsigned count;
        descriptors_receive(client, &asked, sizeof asked, came, &count);
        _exit(asked.word != HOLDER_KEEP || count != HELD_COUNT ||
              descriptors_send(client, &done, sizeof done, NULL, 0) < 0);
    }
    custody_give(&custody, fds, lines);
    assert_string_equal(custody_holder(&custody), place);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    custody_close(&custody);
    close(listener);
}

static void nobody_listens(void **state)
{
    struct custody custody = custody_with(place);

    unlink(place);
    custody_give(&custody, fds, lines);
    assert_missed(*state, &custody, "No such file or directory");
    custody_close(&custody);
}

/* What custody_find says, if the holder's answer is that. */
static int find(int listener, enum holder_word word, unsigned count, size_t size, struct error *e)
{
    struct custody custody = custody_with(place);
    struct holder_message message = {.word = word};
    const int sent[] = {fds[0], fds[1], fds[2], fds[3], fds[0]};

    pid_t child = fork();
    if (child == 0) {
        struct holder_message asked = {0};
        int came[DESCRIPTORS_MOST], client = accept(listener, NULL, NULL);
        unsigned came_count;
        descriptors_receive(client, &asked, sizeof asked, came, &came_count);
        _exit(asked.word != HOLDER_TAKE || strcmp(asked.mountpoint, "/mnt") != 0 || came_count ||
              descriptors_send(client, &message, size, sent, count) < 0);
    }
    int status, r = custody_find(&custody, e);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (unsigned i = 0; i < HELD_COUNT; i++)
        if (r == 1) {
            assert_int_equal(inode_of(custody.found[i]), inode_of(fds[i]));
            assert_true(custody.found[i] >= SPAWN_FDS);
        } else {
            assert_int_equal(custody.found[i], -1);
        }
    custody_close(&custody);
    return r;
}

static void what_a_holder_has(void **state)
{
    int listener = listen_at(SOCK_SEQPACKET);
    struct error error = {0};
    size_t whole = sizeof(struct holder_message);

    (void)state;
    assert_int_equal(find(listener, HOLDER_DONE, 4, whole, &error), 1);
    assert_int_equal(find(listener, HOLDER_NONE, 0, whole, &error), 0);
    assert_int_equal(find(listener, HOLDER_BUSY, 0, whole, &error), 0);
    assert_int_equal(find(listener, HOLDER_DONE, 3, whole, &error), 0);
    assert_int_equal(find(listener, HOLDER_DONE, 5, whole, &error), 0);
    assert_int_equal(find(listener, HOLDER_DONE, 4, whole - 1, &error), -ECONNRESET);
    assert_non_null(strstr(error.text, "does not answer like a holder: Connection reset by peer"));
    close(listener);
    /* Its holder is gone; or there was none. */
    struct custody custody = custody_with(place);
    assert_int_equal(custody_find(&custody, &error), 0);
    custody_close(&custody);
    unlink(place);
    custody = custody_with(place);
    assert_int_equal(custody_find(&custody, &error), 0);
    custody_close(&custody);
    custody = custody_with("/dev/null/socket");
    assert_int_equal(custody_find(&custody, &error), -ENOTDIR);
    assert_string_equal(error.text, "cannot reach the holder /dev/null/socket: Not a directory");
    custody_close(&custody);
    custody = custody_with(NULL);
    assert_int_equal(custody_find(&custody, &error), 0);
    custody_give(&custody, fds, lines);
    assert_null(custody_holder(&custody));
    assert_int_equal(custody.look_again_at, 0); /* there is nobody to look for */
    custody_close(&custody);
}

/* The kernel ends a mount when nobody has its descriptor: not before the holder has let go of it. */
static void the_end_of_what_is_discarded_is_waited_for(void **state)
{
    int listener = listen_at(SOCK_SEQPACKET);
    struct custody custody = custody_with(place);
    struct error error;
    char byte;
    int status;

    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct holder_message asked = {0}, done = {.word = HOLDER_DONE};
        int came[DESCRIPTORS_MOST], client = accept(listener, NULL, NULL);
        unsigned count;
        descriptors_receive(client, &asked, sizeof asked, came, &count);
        descriptors_send(client, &done, sizeof done, fds, HELD_COUNT);
        descriptors_receive(client, &asked, sizeof asked, came, &count);
        _exit(asked.word != HOLDER_DROP || descriptors_send(client, &done, sizeof done, NULL, 0));
    }
    assert_int_equal(custody_find(&custody, &error), 1);
    custody_discard(&custody);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(recv(custody.socket, &byte, 1, MSG_DONTWAIT), 0); /* its answer was heard */
    for (int i = 0; i < HELD_COUNT; i++)
        assert_int_equal(custody.found[i], -1);
    custody_close(&custody);
    close(listener);
}

/* ---- systemd ---- */

#define PLACES 7 /* descriptors from 3 on, which nothing else here has */

static void keep_places_free(void)
{
    for (int i = 0; i < PLACES; i++)
        dup2(STDIN_FILENO, 3 + i);
}

/* What a service finds that is handed so many descriptors, under these names; each is ours of that name. */
static struct custody handed_over(pid_t pid, unsigned count, const char *listed)
{
    char text[20];
    const char *name = listed;

    for (unsigned i = 0; i < PLACES && *name; i++) {
        size_t length = strcspn(name, ":");
        for (unsigned k = 0; k < HELD_COUNT; k++)
            if (strncmp(name, names[k], length) == 0)
                dup2(fds[k], 3 + (int)i);
        name += length + (name[length] == ':');
    }
    snprintf(text, sizeof text, "%d", (int)pid);
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof text, "%u", count);
    setenv("LISTEN_FDS", text, 1);
    setenv("LISTEN_FDNAMES", listed, 1);
    struct custody custody = custody_with(CUSTODY_SYSTEMD);
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_FDNAMES"));
    return custody;
}

#define ALL "startpointfs-state:startpointfs-fuse:startpointfs-lists:startpointfs-nodes"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void what_systemd_has(void **state)
{
    struct error error;
    struct custody custody = handed_over(getpid(), 6, "other:" ALL ":startpointfs-state");

    (void)state;
    assert_int_equal(custody_find(&custody, &error), 1);
    for (int i = 0; i < HELD_COUNT; i++) {
        assert_int_equal(inode_of(custody.found[i]), inode_of(fds[i]));
        assert_true(custody.found[i] >= SPAWN_FDS);
    }
    for (int i = 0; i < 6; i++)
        assert_false(is_open(3 + i)); /* moved away, or of no use */
    assert_true(is_open(9));
    int moved = custody.found[HELD_NODES];
    custody_close(&custody);
    assert_false(is_open(moved));
    keep_places_free();
}

static void what_systemd_has_for_others(void **state)
{
    struct error error;
    struct custody custody = handed_over(getpid() + 1, 4, ALL);

    (void)state;
    assert_true(is_open(3) && is_open(6));
    assert_int_equal(custody_find(&custody, &error), 0);
    custody_close(&custody);
    custody = handed_over(getpid(), 3, ALL); /* the fourth is not one of them */
    assert_true(is_open(6) && !is_open(5));
    int moved = custody.found[HELD_STATE];
    assert_true(is_open(moved));
    assert_int_equal(custody_find(&custody, &error), 0);
    assert_false(is_open(moved));
    assert_int_equal(custody.found[HELD_STATE], -1);
    custody_close(&custody);
    keep_places_free();
}

/* The next datagram; its descriptor's inode, if it has one. */
static ino_t hear(int manager, char text[200])
{
    int came[DESCRIPTORS_MOST];
    unsigned count;
    ssize_t size = descriptors_receive(manager, text, 199, came, &count);

    assert_true(size > 0 && count <= 1);
    text[size] = '\0';
    ino_t inode = count ? inode_of(came[0]) : 0;
    if (count)
        close(came[0]);
    return inode;
}

static void what_systemd_is_given(void **state)
{
    int manager = listen_at(SOCK_DGRAM);
    struct notify notify, nobody = {-1};
    struct custody custody;
    char text[200], expected[200];

    setenv("NOTIFY_SOCKET", place, 1);
    notify_open(&notify);
    assert_null(getenv("NOTIFY_SOCKET"));
    custody_open(&custody, CUSTODY_SYSTEMD, "/mnt", &notify);
    assert_null(custody_holder(&custody));
    custody_give(&custody, fds, lines);
    assert_string_equal(custody_holder(&custody), "systemd");
    for (int i = 0; i < HELD_COUNT; i++) {
        assert_int_equal(hear(manager, text), inode_of(fds[i]));
        snprintf(expected, sizeof expected, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0\n", names[i]);
        assert_string_equal(text, expected);
    }
    custody_drop(&custody);
    assert_null(custody_holder(&custody));
    for (int i = 0; i < HELD_COUNT; i++) {
        assert_int_equal(hear(manager, text), 0);
        snprintf(expected, sizeof expected, "FDSTOREREMOVE=1\nFDNAME=%s\n", names[i]);
        assert_string_equal(text, expected);
    }
    assert_true(recv(manager, text, 1, MSG_DONTWAIT) < 0);
    assert_int_equal(atoi(output(*state, "grep -c 'cannot be reached to hold' said; true")), 0);
    custody_close(&custody);
    notify_close(&notify);
    close(manager);
    custody_open(&custody, CUSTODY_SYSTEMD, "/mnt", &nobody);
    custody_give(&custody, fds, lines);
    assert_null(custody_holder(&custody));
    assert_string_equal(said(*state), "systemd cannot be reached to hold the mount: "
                                      "Transport endpoint is not connected");
}

static void what_systemd_is_told(void **state)
{
    int manager = listen_at(SOCK_DGRAM);
    struct notify notify;
    char text[200];

    (void)state;
    setenv("NOTIFY_SOCKET", place, 1);
    notify_open(&notify);
    notify_ready(&notify, "/mnt");
    hear(manager, text);
    assert_string_equal(text, "READY=1\nSTATUS=/mnt\n");
    test_now = 1234567;
    notify_reloading(&notify);
    hear(manager, text);
    assert_string_equal(text, "RELOADING=1\nMONOTONIC_USEC=1234567000\n");
    notify_stopping(&notify);
    hear(manager, text);
    assert_string_equal(text, "STOPPING=1\n");
    notify_close(&notify);
    assert_int_equal(notify.fd, -1);
    notify_ready(&notify, "/mnt"); /* nobody to tell */
    close(manager);
    notify_open(&notify); /* it is gone from the environment */
    assert_int_equal(notify.fd, -1);
}

static void where_systemd_listens(void **state)
{
    static const char *const bad[] = {"relative", "/", "@", "/nowhere/at/all", ""};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct notify notify;
    char text[200], name[60];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("NOTIFY_SOCKET", bad[i], 1);
        notify_open(&notify);
        assert_int_equal(notify.fd, -1);
    }
    size_t length = (size_t)snprintf(name, sizeof name, "@startpointfs-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, length - 1);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    assert_int_equal(bind(manager, (struct sockaddr *)&address, size), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_open(&notify);
    notify_stopping(&notify);
    hear(manager, text);
    assert_string_equal(text, "STOPPING=1\n");
    notify_close(&notify);
    close(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_holder_that_holds),
        cmocka_unit_test(a_holder_that_does_not),
        cmocka_unit_test(a_holder_that_goes_and_comes),
        cmocka_unit_test(the_answer_is_waited_for),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(what_a_holder_has),
        cmocka_unit_test(the_end_of_what_is_discarded_is_waited_for),
        cmocka_unit_test(what_systemd_has),
        cmocka_unit_test(what_systemd_has_for_others),
        cmocka_unit_test(what_systemd_is_given),
        cmocka_unit_test(what_systemd_is_told),
        cmocka_unit_test(where_systemd_listens),
    };

    keep_places_free();
    return cmocka_run_group_tests(tests, open_all, close_all);
}
