/* test_descriptors.c - messages that descriptors come with: how many, whose they are then, and what interrupts nobody. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/supervisor/descriptors.h"

static int ends[2];

static int open_ends(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int close_ends(void **state)
{
    (void)state;
    close(ends[0]);
    return close(ends[1]);
}

static void as_many_as_there_may_be(void **state)
{
    int sent[DESCRIPTORS_MOST + 1], came[DESCRIPTORS_MOST];
    unsigned count;
    char text[10];

    (void)state;
    for (unsigned i = 0; i <= DESCRIPTORS_MOST; i++)
        sent[i] = ends[1];
    assert_int_equal(descriptors_send(ends[0], "too many", 9, sent, DESCRIPTORS_MOST + 1), -EINVAL);
    for (unsigned most = 0; most <= DESCRIPTORS_MOST; most++) {
        assert_int_equal(descriptors_send(ends[0], "some", 5, sent, most), 0);
        assert_int_equal(descriptors_receive(ends[1], text, sizeof text, came, &count), 5);
        assert_string_equal(text, "some");
        assert_int_equal(count, most);
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(fcntl(came[i], F_GETFD), FD_CLOEXEC);
            close(came[i]);
        }
    }
}

static void who_has_hung_up(void **state)
{
    int came[DESCRIPTORS_MOST];
    unsigned count = 7;
    char byte;

    (void)state;
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(descriptors_receive(ends[1], &byte, 1, came, &count), -EAGAIN);
    assert_int_equal(count, 0);
    close(ends[0]);
    assert_int_equal(descriptors_receive(ends[1], &byte, 1, came, &count), 0);
    assert_int_equal(descriptors_send(ends[1], "a", 1, NULL, 0), -EPIPE);
    ends[0] = dup(ends[1]);
}

/* What was waited for comes while a signal is being seen to. */
static void send_now(int signal)
{
    int before = errno;

    (void)signal;
    if (send(ends[0], "a", 1, 0) < 0)
        abort();
    errno = before;
}

static void make_room(int signal)
{
    int before = errno;
    char byte;

    (void)signal;
    while (recv(ends[1], &byte, 1, MSG_DONTWAIT) >= 0)
        ;
    errno = before;
}

static void interrupt_with(void (*handler)(int signal))
{
    const struct sigaction action = {.sa_handler = handler};
    const struct itimerval soon = {.it_value.tv_usec = 20000};

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
}

static void who_waits_waits_on_after_a_signal(void **state)
{
    int came[DESCRIPTORS_MOST];
    unsigned count;
    char byte;

    (void)state;
    interrupt_with(send_now);
    assert_int_equal(descriptors_receive(ends[1], &byte, 1, came, &count), 1);
    while (send(ends[0], "a", 1, MSG_DONTWAIT) == 1)
        ;
    interrupt_with(make_room);
    assert_int_equal(descriptors_send(ends[0], "a", 1, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)
        TEST(as_many_as_there_may_be),
        TEST(who_has_hung_up),
        TEST(who_waits_waits_on_after_a_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
