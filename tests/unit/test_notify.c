/* test_notify.c - whom a supervisor tells how it is: the socket that $NOTIFY_SOCKET names, if that is one. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/supervisor/notify.h"

/* A manager's socket, at that name, "@name" for an abstract one. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, name);
    if (*name == '@')
        *address.sun_path = '\0';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    return fd;
}

static void open_with(struct notify *notify, const char *name)
{
    if (name)
        setenv("NOTIFY_SOCKET", name, 1);
    notify_open(notify);
    assert_null(getenv("NOTIFY_SOCKET")); /* it is not for whom we start */
}

static void assert_hears(int manager, const char *text)
{
    char said[500];
    ssize_t size = recv(manager, said, sizeof said - 1, 0);

    said[size > 0 ? size : 0] = '\0';
    assert_string_equal(said, text);
}

static void a_manager_by_either_kind_of_name(void **state)
{
    char names[2][60];

    (void)state;
    snprintf(names[0], sizeof names[0], "@startpointfs-test-%d", (int)getpid());
    snprintf(names[1], sizeof names[1], "/tmp/startpointfs-test-%d", (int)getpid());
    for (int i = 0; i < 2; i++) {
        struct notify notify;
        int manager = listen_at(names[i]);
        open_with(&notify, names[i]);
        if (i == 1)
            unlink(names[i]);
        assert_int_equal(fcntl(notify.fd, F_GETFD), FD_CLOEXEC);
        notify_ready(&notify, "/mnt");
        assert_hears(manager, "READY=1\nSTATUS=/mnt\n");
        notify_stopping(&notify);
        assert_hears(manager, "STOPPING=1\n");
        assert_int_equal(notify_store(&notify, "it", 0), 0);
        assert_hears(manager, "FDSTORE=1\nFDNAME=it\nFDPOLL=0\n");
        notify_forget(&notify, "it");
        assert_hears(manager, "FDSTOREREMOVE=1\nFDNAME=it\n");
        notify_close(&notify);
        assert_int_equal(notify.fd, -1);
        close(manager);
    }
}

/* Nothing happens. */
static void where_there_is_no_manager(void **state)
{
    char long_name[200] = "/";
    const char *const names[] = {NULL, "", "/", "@", "name", "/nowhere/socket", long_name};

    (void)state;
    memset(long_name + 1, 'x', sizeof long_name - 2);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct notify notify;
        open_with(&notify, names[i]);
        assert_int_equal(notify.fd, -1);
        notify_ready(&notify, "/mnt");
        notify_reloading(&notify);
        notify_stopping(&notify);
        assert_int_equal(notify_store(&notify, "it", 0), -ENOTCONN);
        notify_forget(&notify, "it");
        notify_close(&notify);
    }
}

/* One that is gone, or does not read, stops nobody. */
static void a_manager_that_does_not_listen(void **state)
{
    char name[60];
    struct notify notify;

    (void)state;
    snprintf(name, sizeof name, "@startpointfs-test-%d", (int)getpid());
    int manager = listen_at(name);
    alarm(60);
    open_with(&notify, name);
    for (int i = 0; i < 2000; i++) /* more than it has room for */
        notify_stopping(&notify);
    assert_int_equal(notify_store(&notify, "it", 0), -EAGAIN); /* within a second or so */
    alarm(0);
    close(manager);
    notify_stopping(&notify);
    notify_close(&notify);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manager_by_either_kind_of_name),
        cmocka_unit_test(where_there_is_no_manager),
        cmocka_unit_test(a_manager_that_does_not_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
