/* verb_umount.c - unmounts, and waits until the daemon has ended. */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/cli/mountpoint.h"
#include "fs/cli/verb.h"

#define END_PATIENCE 10000 /* milliseconds */

/* A descriptor of the mount's supervisor, or -1: the mount is dead, or not ours. */
static int open_supervisor(const char *path)
{
    json_t *status = mountpoint_status(path, NULL);
    json_int_t pid = json_integer_value(json_object_get(status, "supervisor_pid"));
    int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;

    json_decref(status);
    return fd;
}

int verb_umount(struct arguments *arguments)
{
    const char *path = arguments->operands[0];
    int supervisor = open_supervisor(path);
    struct error error;

    if (mountpoint_unmount(path, supervisor < 0, &error) < 0) {
        if (supervisor >= 0)
            close(supervisor);
        return exit_fail(EXIT_FAILED, "%s", error.text);
    }
    if (supervisor >= 0) {
        struct pollfd event = {.fd = supervisor, .events = POLLIN};
        poll(&event, 1, END_PATIENCE);
        close(supervisor);
    }
    return EXIT_OK;
}
