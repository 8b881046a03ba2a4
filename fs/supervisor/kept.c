#include "fs/supervisor/kept.h"

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
#include "gitcache/base/clock.h"

#define READ_BUFFER 65536 /* more than any first request needs */

static int mount_fuse(struct kept *kept, const char *options, const char *mountpoint)
{
    static const struct fuse_lowlevel_ops none;
    const char *argv[] = {"startpointfs", "-o", options, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, (char **)argv);
    int r;

    kept->fuse = fuse_session_new(&args, &none, sizeof none, NULL);
    r = kept->fuse ? fuse_session_mount(kept->fuse, mountpoint) : -1;
    fuse_opt_free_args(&args);
    if (r < 0)
        return exit_fail(EXIT_FAILED, "cannot mount on %s (see above)", mountpoint);
    /* libfuse closes its own descriptor when it unmounts; the workers' must stay open until then.
     */
    kept->fuse_fd = fcntl(fuse_session_fd(kept->fuse), F_DUPFD_CLOEXEC, 10);
    return kept->fuse_fd < 0 ? exit_fail(EXIT_FAILED, "cannot keep /dev/fuse: %s", strerror(errno))
                             : 0;
}

/* The kernel's first request, which every worker is fed with. It is there as soon as the mount is.
 */
static int save_init(struct kept *kept)
{
    char *buffer = malloc(READ_BUFFER);
    ssize_t size = buffer ? read(kept->fuse_fd, buffer, READ_BUFFER) : -1;
    int r = 0;

    if (size <= 0 || (size_t)size > sizeof kept->state->init) {
        r = exit_fail(EXIT_FAILED, "the kernel does not begin the session: %s", strerror(errno));
    } else {
        memcpy(kept->state->init, buffer, (size_t)size);
        kept->state->init_size = (uint32_t)size;
    }
    free(buffer);
    return r;
}

int kept_descriptor(int fd)
{
    if (fd < 0)
        return fd;

    int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    close(fd);
    return high;
}

/* The memory that workers share. */
static int make_memory(struct kept *kept, const struct settings *settings)
{
    struct error error;
    int fd = nodes_create(settings->max_nodes, clock_wall() / 1000, &error);

    if (fd < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    kept->nodes_fd = kept_descriptor(fd);
    fd = state_create(&error);
    if (fd < 0 || state_map(&kept->state, fd, &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    kept->state_fd = kept_descriptor(fd);
    fd = last_reading_create(&error);
    if (fd < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    kept->lists_fd = kept_descriptor(fd);
    return kept->nodes_fd < 0 || kept->state_fd < 0 || kept->lists_fd < 0
               ? exit_fail(EXIT_FAILED, "cannot keep a descriptor: %s", strerror(errno))
               : EXIT_OK;
}

static int find_program(struct kept *kept)
{
    ssize_t length = readlink("/proc/self/exe", kept->exe_path, sizeof kept->exe_path - 1);

    kept->exe_fd = kept_descriptor(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    if (length < 0 || kept->exe_fd < 0)
        return exit_fail(EXIT_FAILED, "cannot find this program: %s", strerror(errno));
    kept->exe_path[length] = '\0';
    return EXIT_OK;
}

int kept_open(struct kept *kept, const struct settings *settings, const char *options,
              const char *mountpoint)
{
    *kept =
        (struct kept){.fuse_fd = -1, .nodes_fd = -1, .state_fd = -1, .lists_fd = -1, .exe_fd = -1};
    int code = make_memory(kept, settings);

    if (code == EXIT_OK)
        code = find_program(kept);
    if (code == EXIT_OK)
        code = mount_fuse(kept, options, mountpoint);
    return code == EXIT_OK ? save_init(kept) : code;
}

void kept_unmount(struct kept *kept)
{
    if (kept->fuse_fd >= 0)
        fuse_session_unmount(kept->fuse);
}

void kept_close(struct kept *kept)
{
    kept_unmount(kept);
    if (kept->fuse)
        fuse_session_destroy(kept->fuse);
}
