/* verb_umount.c - unmounts, and waits until the daemon has ended. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/cli/mount_users.h"
#include "fs/cli/mountpoint.h"
#include "fs/cli/verb.h"

#define END_PATIENCE 10000 /* milliseconds */
#define IN_USE       "%s is in use ('startpointfs umount --lazy %s' detaches it anyway) by"
#define STILL_SERVED                                                                            \
    "%s is unmounted here, but its daemon goes on: elsewhere it is still mounted, or has open " \
    "files"

/* A descriptor of the mount's supervisor, or -1: the mount is not ours. */
static int open_supervisor(const char *path)
{
    json_t *status = mountpoint_status(path, NULL);
    json_int_t pid = json_integer_value(json_object_get(status, "supervisor_pid"));
    int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;

    json_decref(status);
    return fd;
}

/* Whoever is inside when it is detached keeps it until they leave. */
static int say_what_lazy_means(const char *path, uint64_t device)
{
    char *users = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&users, &size);

    unsigned count = out ? mount_users_print(device, out) : 0;
    if (out)
        fclose(out);
    if (count > 0)
        printf("%s is detached: nobody can enter it any more. Those inside can go on reading; its "
               "daemon ends with the last of them:\n%s",
               path, users);
    free(users);
    return EXIT_OK;
}

/* `why` is a sentence that the list completes. */
static int say_who(const char *why, uint64_t device)
{
    exit_fail(EXIT_FAILED, "%s:", why);
    if (mount_users_print(device, stderr) == 0)
        fprintf(stderr, "  nobody you are allowed to see%s\n",
                geteuid() == 0 ? "" : "; root sees everybody");
    return EXIT_FAILED;
}

static int say_in_use(const char *path, uint64_t device)
{
    char why[2 * PATH_MAX + 200];

    snprintf(why, sizeof why, IN_USE, path, path);
    return say_who(why, device);
}

static int wait_for_end(const char *path, int supervisor, uint64_t device)
{
    struct pollfd event = {.fd = supervisor, .events = POLLIN};
    char why[PATH_MAX + 200];

    if (poll(&event, 1, END_PATIENCE) == 1)
        return EXIT_OK;
    snprintf(why, sizeof why, STILL_SERVED, path);
    return say_who(why, device);
}

int verb_umount(struct arguments *arguments)
{
    const char *path = arguments->operands[0];
    uint64_t device = mountpoint_device(path);
    enum mountpoint_life life = mountpoint_life(path);
    int supervisor = life == MOUNTPOINT_ALIVE ? open_supervisor(path) : -1;
    struct error error;
    int code = EXIT_OK;

    int r = mountpoint_unmount(path, arguments->lazy || life == MOUNTPOINT_DEAD, &error);
    if (r == -EBUSY)
        code = say_in_use(path, device);
    else if (r < 0)
        code = exit_fail(EXIT_FAILED, "%s", error.text);
    else if (arguments->lazy)
        code = arguments->settings.quiet ? EXIT_OK : say_what_lazy_means(path, device);
    else if (supervisor >= 0)
        code = wait_for_end(path, supervisor, device);
    if (supervisor >= 0)
        close(supervisor);
    return code;
}
