#include "fs/supervisor/fuse_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/exit.h"
#include "fs/shared/last_reading.h"
#include "fs/shared/nodes.h"
#include "fs/supervisor/mount_table.h"
#include "fs/supervisor/spawn.h"
#include "fs/supervisor/unmount.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/starts_with.h"

#define READ_BUFFER 65536 /* more than any first request needs */

static bool is_inherited(const struct fuse_mount *mount)
{
    return starts_with(mount->mountpoint, FUSE_MOUNT_INHERITED);
}

/* ---- a new one ---- */

/* libfuse takes an inherited descriptor as it is; workers get theirs in another way. */
static void keep_from_children(const char *mountpoint)
{
    if (starts_with(mountpoint, FUSE_MOUNT_INHERITED))
        fcntl(atoi(mountpoint + strlen(FUSE_MOUNT_INHERITED)), F_SETFD, FD_CLOEXEC);
}

static int mount_fuse(struct fuse_mount *mount, const char *options)
{
    static const struct fuse_lowlevel_ops none;
    const char *argv[] = {"startpointfs", "-o", options, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, (char **)argv);

    keep_from_children(mount->mountpoint);
    mount->session = fuse_session_new(&args, &none, sizeof none, NULL);
    int r = mount->session ? fuse_session_mount(mount->session, mount->mountpoint) : -1;
    fuse_opt_free_args(&args);
    if (r < 0)
        return exit_fail(EXIT_FAILED, "cannot mount on %s (see above)", mount->mountpoint);
    /* libfuse closes its own descriptor when it unmounts; the workers' must stay open until then.
     */
    mount->fds[HELD_FUSE] = fcntl(fuse_session_fd(mount->session), F_DUPFD_CLOEXEC, SPAWN_FDS);
    return mount->fds[HELD_FUSE] < 0
               ? exit_fail(EXIT_FAILED, "cannot keep /dev/fuse: %s", strerror(errno))
               : EXIT_OK;
}

/* The kernel's first request, which every worker is fed with. It is there as soon as the mount is.
 */
static int save_init(struct fuse_mount *mount)
{
    char *buffer = malloc(READ_BUFFER);
    ssize_t size = buffer ? read(mount->fds[HELD_FUSE], buffer, READ_BUFFER) : -1;
    int code = EXIT_OK;

    if (size <= 0 || (size_t)size > sizeof mount->state->init) {
        code = exit_fail(EXIT_FAILED, "the kernel does not start the session: %s", strerror(errno));
    } else {
        memcpy(mount->state->init, buffer, (size_t)size);
        mount->state->init_size = (uint32_t)size;
    }
    free(buffer);
    return code;
}

/* For a next supervisor. */
static void save_place(struct fuse_mount *mount, const char *options)
{
    struct state *state = mount->state;
    struct mount_row row = {.device = 0};

    if (!is_inherited(mount))
        mount_table_find(mount->mountpoint, &row);
    state->device = row.device;
    snprintf(state->mountpoint, sizeof state->mountpoint, "%s", mount->mountpoint);
    snprintf(state->options, sizeof state->options, "%s", options);
}

/* The memory that workers share. */
static int make_memory(struct fuse_mount *mount, const struct settings *settings)
{
    struct error error;
    int fd = nodes_create(settings->max_nodes, clock_wall() / 1000, &error);

    if (fd < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    mount->fds[HELD_NODES] = spawn_move_fd(fd);
    fd = state_create(&error);
    if (fd < 0 || state_map(&mount->state, fd, &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    mount->fds[HELD_STATE] = spawn_move_fd(fd);
    fd = last_reading_create(&error);
    if (fd < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    mount->fds[HELD_LISTS] = spawn_move_fd(fd);
    for (unsigned i = HELD_NODES; i < HELD_COUNT; i++)
        if (mount->fds[i] < 0)
            return exit_fail(EXIT_FAILED, "cannot keep a descriptor: %s", strerror(errno));
    return EXIT_OK;
}

static int make_mount(struct fuse_mount *mount, const struct settings *settings,
                      const char *options)
{
    int code = make_memory(mount, settings);

    if (code == EXIT_OK)
        code = mount_fuse(mount, options);
    if (code == EXIT_OK)
        code = save_init(mount);
    if (code == EXIT_OK)
        save_place(mount, settings->fuse_options ? settings->fuse_options : "");
    return code;
}

/* ---- one that is there ---- */

static bool lies_there(const struct state *state)
{
    struct mount_row row;
    return mount_table_find(state->mountpoint, &row) == 1 && row.device == state->device;
}

static int take_over(struct fuse_mount *mount, struct custody *custody, uint64_t operands)
{
    struct error error;

    for (unsigned i = 0; i < HELD_COUNT; i++) {
        mount->fds[i] = custody->found[i];
        custody->found[i] = -1;
    }
    if (state_map(&mount->state, mount->fds[HELD_STATE], &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    atomic_fetch_add(&mount->state->takeovers, 1);
    mount->state->was_killed = true; /* the worker ended with its supervisor */
    /* What the lists said is not what is to be shown now. */
    if (mount->state->operands != operands && ftruncate(mount->fds[HELD_LISTS], 0) < 0)
        return exit_fail(EXIT_FAILED, "cannot forget the lists: %s", strerror(errno));
    mount->state->operands = operands;
    return EXIT_OK;
}

int fuse_mount_open(struct fuse_mount *mount, const struct settings *settings, const char *options,
                    struct custody *custody, uint64_t operands)
{
    *mount = (struct fuse_mount){.mountpoint = custody->mountpoint, .fds = {-1, -1, -1, -1}};
    if (custody->found[HELD_FUSE] >= 0)
        return take_over(mount, custody, operands);
    int code = make_mount(mount, settings, options);
    if (code == EXIT_OK)
        mount->state->operands = operands;
    return code;
}

bool fuse_mount_is_taken(const struct fuse_mount *mount)
{
    return !mount->session;
}

bool fuse_mount_is_there(const struct fuse_mount *mount)
{
    return is_inherited(mount) || lies_there(mount->state);
}

/* Somebody has unmounted it, perhaps with readers inside: libfuse would try once more, and say that it failed. */
static bool is_detached(const struct fuse_mount *mount)
{
    return mount->state && mount->state->device && !fuse_mount_is_there(mount);
}

void fuse_mount_unmount(struct fuse_mount *mount)
{
    if (is_detached(mount))
        return;
    if (mount->session && mount->fds[HELD_FUSE] >= 0)
        fuse_session_unmount(mount->session);
    else if (mount->state && !is_inherited(mount) && lies_there(mount->state))
        unmount_at(mount->mountpoint, true);
}

void fuse_mount_close(struct fuse_mount *mount)
{
    /* libfuse frees all of a session only when it unmounts: one that leaves its mount to others keeps it. */
    static struct fuse_session *volatile left;

    if (mount->session && fuse_session_fd(mount->session) < 0)
        fuse_session_destroy(mount->session);
    else
        left = mount->session;
    (void)left;
}
