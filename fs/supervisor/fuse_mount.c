#include "fs/supervisor/fuse_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/exit.h"
#include "fs/shared/last_reading.h"
#include "fs/shared/nodes.h"
#include "fs/supervisor/spawn.h"
#include "gitcache/base/clock.h"

#define READ_BUFFER 65536 /* more than any first request needs */

static int mount_fuse(struct fuse_mount *mount, const char *options, const char *mountpoint)
{
    static const struct fuse_lowlevel_ops none;
    const char *argv[] = {"startpointfs", "-o", options, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, (char **)argv);

    mount->session = fuse_session_new(&args, &none, sizeof none, NULL);
    int r = mount->session ? fuse_session_mount(mount->session, mountpoint) : -1;
    fuse_opt_free_args(&args);
    if (r < 0)
        return exit_fail(EXIT_FAILED, "cannot mount on %s (see above)", mountpoint);
    /* libfuse closes its own descriptor when it unmounts; the workers' must stay open until then.
     */
    mount->fuse_fd = fcntl(fuse_session_fd(mount->session), F_DUPFD_CLOEXEC, SPAWN_FDS);
    return mount->fuse_fd < 0 ? exit_fail(EXIT_FAILED, "cannot keep /dev/fuse: %s", strerror(errno))
                              : EXIT_OK;
}

/* The kernel's first request, which every worker is fed with. It is there as soon as the mount is.
 */
static int save_init(struct fuse_mount *mount)
{
    char *buffer = malloc(READ_BUFFER);
    ssize_t size = buffer ? read(mount->fuse_fd, buffer, READ_BUFFER) : -1;
    int code = EXIT_OK;

    if (size <= 0 || (size_t)size > sizeof mount->state->init) {
        code = exit_fail(EXIT_FAILED, "the kernel does not begin the session: %s", strerror(errno));
    } else {
        memcpy(mount->state->init, buffer, (size_t)size);
        mount->state->init_size = (uint32_t)size;
    }
    free(buffer);
    return code;
}

/* The memory that workers share. */
static int make_memory(struct fuse_mount *mount, const struct settings *settings)
{
    struct error error;
    int fd = nodes_create(settings->max_nodes, clock_wall() / 1000, &error);

    if (fd < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    mount->nodes_fd = spawn_move_fd(fd);
    fd = state_create(&error);
    if (fd < 0 || state_map(&mount->state, fd, &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    mount->state_fd = spawn_move_fd(fd);
    fd = last_reading_create(&error);
    if (fd < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    mount->lists_fd = spawn_move_fd(fd);
    return mount->nodes_fd < 0 || mount->state_fd < 0 || mount->lists_fd < 0
               ? exit_fail(EXIT_FAILED, "cannot keep a descriptor: %s", strerror(errno))
               : EXIT_OK;
}

int fuse_mount_open(struct fuse_mount *mount, const struct settings *settings, const char *options,
                    const char *mountpoint)
{
    *mount = (struct fuse_mount){.fuse_fd = -1, .nodes_fd = -1, .state_fd = -1, .lists_fd = -1};
    int code = make_memory(mount, settings);

    if (code == EXIT_OK)
        code = mount_fuse(mount, options, mountpoint);
    return code == EXIT_OK ? save_init(mount) : code;
}

void fuse_mount_unmount(struct fuse_mount *mount)
{
    if (mount->fuse_fd >= 0)
        fuse_session_unmount(mount->session);
}

void fuse_mount_close(struct fuse_mount *mount)
{
    fuse_mount_unmount(mount);
    if (mount->session)
        fuse_session_destroy(mount->session);
}
