/* test_stream.c - a connection of ssh or git://: how long a server may say nothing, or too little; and its last words. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gitcache/net/ssh.h"
#include "gitcache/net/stream.h"

#define MOST_BYTES 3000 /* of a trickle of 100 a second: half a minute */

/* Sends one byte after the other, until the reader has left. */
static void *trickle(void *fd)
{
    for (int i = 0; i < MOST_BYTES && send(*(int *)fd, "x", 1, MSG_NOSIGNAL) == 1; i++)
        usleep(10000);
    shutdown(*(int *)fd, SHUT_WR);
    return NULL;
}

static void open_pair(struct stream *stream, int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    stream_init_socket(stream, pair[0]);
    stream->who = "it";
}

/* Reads until something ends it; 0: the other end has. */
static int read_to_the_end(struct stream *stream, struct error *e)
{
    char bytes[100];
    size_t got;
    int r;

    do
        r = stream_read(stream, bytes, sizeof bytes, &got, e);
    while (r == 0 && got > 0);
    return r;
}

static void single_bytes_are_no_progress(void **state)
{
    struct stream stream;
    struct error e = {0};
    pthread_t thread;
    int pair[2];

    (void)state;
    open_pair(&stream, pair);
    stream.silence = 600;
    stream.pace = pace_begin(1);
    assert_int_equal(pthread_create(&thread, NULL, trickle, &pair[1]), 0);
    int r = read_to_the_end(&stream, &e);
    stream_close(&stream);
    pthread_join(thread, NULL);
    close(pair[1]);
    assert_int_equal(r, -ETIMEDOUT);
    assert_non_null(strstr(e.text, "it: the server sent messages, or single bytes"));
}

static void silence_ends(void **state)
{
    struct stream stream;
    struct error e = {0};
    int pair[2];

    (void)state;
    open_pair(&stream, pair);
    stream.silence = 1;
    assert_int_equal(read_to_the_end(&stream, &e), -ETIMEDOUT);
    assert_string_equal(e.text, "it: the server sent nothing for 1 seconds");
    stream_close(&stream);
    close(pair[1]);
}

static void what_ends_a_connection_is_said(void **state)
{
    struct stream stream;
    struct error e = {0};

    (void)state;
    stream_init_socket(&stream, open("/", O_RDONLY | O_CLOEXEC)); /* reading it is an error */
    stream.who = "it";
    assert_int_equal(read_to_the_end(&stream, &e), -EIO);
    assert_string_equal(e.text, "it: the connection was lost: Is a directory");
    stream_close(&stream);
}

/* As a server does that closes with a request unread. */
static void one_that_is_reset_has_ended(void **state)
{
    struct stream stream;
    struct error e = {0};
    int pair[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    open_pair(&stream, pair);
    stream.silence = 60;
    assert_int_equal(stream_write(&stream, "request", 7, &e), 0);
    close(pair[1]);
    assert_int_equal(read_to_the_end(&stream, &e), 0);
    assert_int_equal(stream_write(&stream, "request", 7, &e), -EPIPE);
    stream_close(&stream);
    signal(SIGPIPE, SIG_DFL);
}

static void a_server_that_takes_nothing_ends(void **state)
{
    static const char bytes[4 << 20];
    struct stream stream;
    struct error e = {0};
    int pair[2];

    (void)state;
    open_pair(&stream, pair);
    stream.silence = 1;
    alarm(60);
    assert_int_equal(stream_write(&stream, bytes, sizeof bytes, &e), -ETIMEDOUT);
    alarm(0);
    stream_close(&stream);
    close(pair[1]);
}

/* A connection by ssh whose process has said that, and ended. */
static void open_ended(struct stream *stream, const char *words)
{
    int pipes[2];

    stream_init_socket(stream, -1);
    stream->who = "it";
    assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(write(pipes[1], words, strlen(words)), strlen(words));
    close(pipes[1]);
    stream->process.err = pipes[0];
}

static void as_much_is_kept_as_there_is_room_for(void **state)
{
    struct stream stream;
    char text[sizeof stream.messages + 1];

    (void)state;
    for (size_t length = sizeof text - 3; length < sizeof text; length++) {
        memset(text, 'x', sizeof text);
        text[0] = 'a';
        text[length] = '\0';
        open_ended(&stream, text);
        const char *words = stream_last_words(&stream);
        size_t most = sizeof stream.messages - 1;
        assert_string_equal(words, text + (length > most ? length - most : 0));
        stream_close(&stream);
    }
}

#define ADVICE "; `ssh -T` to that host must work without a question"

static void what_ssh_said_last_is_said(void **state)
{
    static const struct {
        const char *said, *sentence;
        int errnum;
    } cases[] = {
        {"Warning: new key\r\nme@h: Permission denied (publickey,password).\r\n",
         "it: ssh: me@h: Permission denied (publickey,password)." ADVICE, EACCES},
        {"Host key verification failed.\n", "it: ssh: Host key verification failed." ADVICE,
         EACCES},
        {"ssh: Could not resolve hostname h: Name or service not known\r\n",
         "it: ssh: Could not resolve hostname h: Name or service not known", EHOSTUNREACH},
        {"Permission denied, please try again.\nConnection closed by h port 22\n",
         "it: ssh: Connection closed by h port 22" ADVICE, EACCES},
        {"kex_exchange_identification: Connection closed by remote host\nConnection closed by h "
         "port 22",
         "it: ssh: Connection closed by h port 22", ECONNRESET},
        {"kex_exchange_identification: write: Broken pipe\r\n"
         "banner exchange: Connection to 127.0.0.1 port 22: Broken pipe\r\n",
         "it: ssh: banner exchange: Connection to 127.0.0.1 port 22: Broken pipe", ECONNRESET},
        {"something new", "it: ssh: something new", EIO},
    };
    struct stream stream;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = {0};
        open_ended(&stream, cases[i].said);
        assert_int_equal(ssh_failed(&stream, &e), -cases[i].errnum);
        assert_string_equal(e.text, cases[i].sentence);
    }
    /* Of what is long, the end is kept. */
    char text[3000];
    memset(text, 'x', sizeof text);
    strcpy(text + sizeof text - 200, "\nme@h: Permission denied.\n");
    struct error e = {0};
    open_ended(&stream, text);
    assert_int_equal(ssh_failed(&stream, &e), -EACCES);
    assert_string_equal(e.text, "it: ssh: me@h: Permission denied." ADVICE);
    open_ended(&stream, "");
    assert_int_equal(ssh_failed(&stream, &(struct error){0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_bytes_are_no_progress),
        cmocka_unit_test(silence_ends),
        cmocka_unit_test(what_ends_a_connection_is_said),
        cmocka_unit_test(one_that_is_reset_has_ended),
        cmocka_unit_test(as_much_is_kept_as_there_is_room_for),
        cmocka_unit_test(a_server_that_takes_nothing_ends),
        cmocka_unit_test(what_ssh_said_last_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
