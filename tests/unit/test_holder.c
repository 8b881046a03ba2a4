/* test_holder.c - what a holder answers, and what it keeps: here the test is the supervisors. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
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

#include "fs/supervisor/descriptors.h"
#include "fs/supervisor/held.h"
#include "fs/supervisor/holder.h"
#include "sandbox.h"

static char path[100];
static pid_t holder;
static int given[HELD_COUNT];

static int supervisor(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    while (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        assert_int_equal(waitpid(holder, NULL, WNOHANG), 0);
    return fd;
}

static int start(void **state)
{
    const struct sandbox *box = *state;
    struct error error;

    snprintf(path, sizeof path, "%s/holder", box->folder);
    for (int i = 0; i < HELD_COUNT; i++)
        given[i] = memfd_create("given", MFD_CLOEXEC);
    holder = fork();
    if (holder == 0)
        _exit(holder_run(path, &error) < 0);
    return 0;
}

static int end(void **state)
{
    int status;

    (void)state;
    for (int i = 0; i < HELD_COUNT; i++)
        close(given[i]);
    kill(holder, SIGINT);
    return waitpid(holder, &status, 0) == holder && status == 0 && access(path, F_OK) < 0 ? 0 : -1;
}

/* What it answers; the descriptors that come with it are counted, and are those that were given. */
static enum holder_word ask_with(int fd, unsigned word, const char *mountpoint, unsigned count,
                                 unsigned *returned)
{
    const int twice[] = {given[0], given[1], given[2], given[3],
                         given[0], given[1], given[2], given[3]};
    struct holder_message message = {.word = word};
    int fds[DESCRIPTORS_MOST];

    snprintf(message.mountpoint, sizeof message.mountpoint, "%s", mountpoint);
    assert_int_equal(descriptors_send(fd, &message, sizeof message, twice, count), 0);
    assert_int_equal(descriptors_receive(fd, &message, sizeof message, fds, returned),
                     sizeof message);
    assert_string_equal(message.mountpoint, mountpoint);
    for (unsigned i = 0; i < *returned; i++) {
        struct stat ours, theirs;
        assert_true(fstat(given[i], &ours) == 0 && fstat(fds[i], &theirs) == 0);
        assert_int_equal(ours.st_ino, theirs.st_ino);
        close(fds[i]);
    }
    return message.word;
}

static enum holder_word ask(int fd, unsigned word, const char *mountpoint)
{
    unsigned returned;
    enum holder_word answer =
        ask_with(fd, word, mountpoint, word == HOLDER_KEEP ? HELD_COUNT : 0, &returned);

    assert_int_equal(returned, word == HOLDER_TAKE && answer == HOLDER_DONE ? HELD_COUNT : 0);
    return answer;
}

/* How many descriptors of mounts it has. */
static int held(const struct sandbox *box)
{
    return atoi(output(box, "ls -l /proc/%d/fd | grep -c memfd:given; true", (int)holder)) -
           HELD_COUNT;
}

static void what_is_kept_is_given_back(void **state)
{
    int one = supervisor();

    assert_int_equal(ask(one, HOLDER_TAKE, "/a"), HOLDER_NONE);
    assert_int_equal(ask(one, HOLDER_DROP, "/a"), HOLDER_NONE);
    assert_int_equal(ask(one, HOLDER_KEEP, "/a"), HOLDER_DONE);
    assert_int_equal(ask(one, HOLDER_KEEP, "/b"), HOLDER_DONE);
    assert_int_equal(held(*state), 8);
    assert_int_equal(ask(one, HOLDER_KEEP, "/a"), HOLDER_DONE); /* in place of the others */
    assert_int_equal(held(*state), 8);
    assert_int_equal(ask(one, HOLDER_TAKE, "/a"), HOLDER_DONE);
    assert_int_equal(ask(one, HOLDER_TAKE, "/"), HOLDER_NONE);
    assert_int_equal(ask(one, HOLDER_DROP, "/a"), HOLDER_DONE);
    assert_int_equal(ask(one, HOLDER_TAKE, "/a"), HOLDER_NONE);
    assert_int_equal(ask(one, HOLDER_TAKE, "/b"), HOLDER_DONE);
    assert_int_equal(held(*state), 4);
    close(one);
}

static void a_mount_is_one_supervisors_until_it_hangs_up(void **state)
{
    int one = supervisor(), two = supervisor(), three = supervisor();

    assert_int_equal(ask(one, HOLDER_KEEP, "/a"), HOLDER_DONE);
    assert_int_equal(ask(two, HOLDER_KEEP, "/a"), HOLDER_BUSY);
    assert_int_equal(ask(two, HOLDER_TAKE, "/a"), HOLDER_BUSY);
    assert_int_equal(ask(two, HOLDER_DROP, "/a"), HOLDER_BUSY);
    assert_int_equal(held(*state), 4);
    close(one);
    assert_int_equal(ask(two, HOLDER_TAKE, "/a"), HOLDER_DONE);
    assert_int_equal(ask(three, HOLDER_TAKE, "/a"), HOLDER_BUSY);
    close(two);
    assert_int_equal(ask(three, HOLDER_KEEP, "/a"), HOLDER_DONE);
    assert_int_equal(held(*state), 4);
    close(three);
    one = supervisor(); /* under the number that the third had there */
    two = supervisor();
    assert_int_equal(ask(one, HOLDER_TAKE, "/"), HOLDER_NONE);
    assert_int_equal(ask(two, HOLDER_DROP, "/a"), HOLDER_DONE);
    assert_int_equal(held(*state), 0);
    close(one);
    close(two);
}

static void what_is_not_four_descriptors_is_not_kept(void **state)
{
    int one = supervisor();
    unsigned returned;

    assert_int_equal(ask_with(one, HOLDER_KEEP, "/a", 3, &returned), HOLDER_NONE);
    assert_int_equal(ask_with(one, HOLDER_KEEP, "/a", 5, &returned), HOLDER_NONE);
    assert_int_equal(ask_with(one, HOLDER_TAKE, "/a", 4, &returned), HOLDER_NONE);
    assert_int_equal(ask_with(one, 99, "/a", 8, &returned), HOLDER_NONE);
    assert_int_equal(held(*state), 0);
    close(one);
}

static void it_holds_64_mounts(void **state)
{
    int one = supervisor();
    char mountpoint[20];

    for (int i = 0; i < 64; i++) {
        snprintf(mountpoint, sizeof mountpoint, "/%d", i);
        assert_int_equal(ask(one, HOLDER_KEEP, mountpoint), HOLDER_DONE);
    }
    assert_int_equal(ask(one, HOLDER_KEEP, "/64"), HOLDER_FULL);
    assert_int_equal(held(*state), 256);
    assert_int_equal(ask(one, HOLDER_DROP, "/7"), HOLDER_DONE);
    assert_int_equal(ask(one, HOLDER_KEEP, "/64"), HOLDER_DONE);
    close(one);
}

static void it_hears_128_supervisors(void **state)
{
    int all[129];
    char byte;

    (void)state;
    for (int i = 0; i < 129; i++)
        all[i] = supervisor();
    assert_int_equal(recv(all[128], &byte, 1, 0), 0);
    assert_int_equal(ask(all[127], HOLDER_TAKE, "/a"), HOLDER_NONE);
    close(all[0]);
    close(all[128]);
    all[0] = supervisor();
    assert_int_equal(ask(all[0], HOLDER_TAKE, "/a"), HOLDER_NONE);
    for (int i = 0; i < 128; i++)
        close(all[i]);
}

static void where_it_cannot_listen(void **state)
{
    const struct sandbox *box = *state;
    struct error error;
    char file[100], longer[200];

    snprintf(file, sizeof file, "%s/file", box->folder);
    run(box, "echo precious >file");
    alarm(60); /* one that does listen goes on for ever */
    assert_int_equal(holder_run(file, &error), -ENOTSOCK);
    assert_string_equal(output(box, "cat file"), "precious");
    snprintf(longer, sizeof longer, "%s/%0*d", box->folder, 107 - (int)strlen(box->folder), 1);
    assert_int_equal(strlen(longer), 108);
    assert_int_equal(holder_run(longer, &error), -ENAMETOOLONG);
    assert_non_null(strstr(error.text, "cannot listen at /"));
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_kept_is_given_back, start, end),
        cmocka_unit_test_setup_teardown(a_mount_is_one_supervisors_until_it_hangs_up, start, end),
        cmocka_unit_test_setup_teardown(what_is_not_four_descriptors_is_not_kept, start, end),
        cmocka_unit_test_setup_teardown(it_holds_64_mounts, start, end),
        cmocka_unit_test_setup_teardown(it_hears_128_supervisors, start, end),
        cmocka_unit_test(where_it_cannot_listen),
    };
    return cmocka_run_group_tests(tests, sandbox_open, sandbox_close);
}
