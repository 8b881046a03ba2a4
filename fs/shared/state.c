#include "fs/shared/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/clock.h"

const char *state_operation_name(enum operation operation)
{
    static const char *const names[OPERATION_COUNT] = {
        [OPERATION_INIT] = "init",
        [OPERATION_LOOKUP] = "lookup",
        [OPERATION_GETATTR] = "getattr",
        [OPERATION_READLINK] = "readlink",
        [OPERATION_READ] = "read",
        [OPERATION_READDIR] = "readdir",
        [OPERATION_READDIRPLUS] = "readdirplus",
        [OPERATION_OPEN] = "open",
        [OPERATION_OPENDIR] = "opendir",
        [OPERATION_STATFS] = "statfs",
        [OPERATION_FORGET] = "forget",
        [OPERATION_OTHER] = "other",
    };
    return names[operation];
}

int64_t state_fetch_limit(unsigned class)
{
    static const int64_t limits[FETCH_TIMES] = {50, 100, 250, 500, 1000, 2500, 10000, 60000, -1};
    return limits[class];
}

void state_count_fetch(struct state *state, int64_t milliseconds)
{
    unsigned class = 0;

    while (class < FETCH_TIMES - 1 && milliseconds > state_fetch_limit(class))
        class ++;
    atomic_fetch_add(&state->fetch_times[class], 1);
    atomic_fetch_add(&state->fetch_milliseconds, (uint64_t)milliseconds);
}

int state_create(struct error *e)
{
    int fd = memfd_create("startpointfs-state", 0);
    struct state *state;

    if (fd < 0)
        return error_set(e, errno, "cannot make the mount's state: %s", strerror(errno));
    if (ftruncate(fd, sizeof *state) < 0)
        goto fail;
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (state == MAP_FAILED)
        goto fail;
    state->layout = STATE_LAYOUT;
    state->mounted_at = clock_wall();
    munmap(state, sizeof *state);
    return fd;
fail:;
    int r = error_set(e, errno, "cannot make the mount's state: %s", strerror(errno));
    close(fd);
    return r;
}

int state_map(struct state **out, int fd, struct error *e)
{
    struct state *state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct stat st;

    if (state == MAP_FAILED || fstat(fd, &st) < 0)
        return error_set(e, errno, "cannot map the mount's state: %s", strerror(errno));
    uint32_t layout = (size_t)st.st_size >= sizeof layout ? state->layout : 0;
    if (st.st_size != sizeof *state || layout != STATE_LAYOUT) {
        int r = error_set(e, EPROTO,
                          "the mount's state has layout %u, and this program needs %u: to use this "
                          "version, unmount and mount again",
                          layout, STATE_LAYOUT);
        munmap(state, sizeof *state);
        return r;
    }
    *out = state;
    return 0;
}

void state_unmap(struct state *state)
{
    munmap(state, sizeof *state);
}

/* The kernel takes such a lock away when its process has ended, with all its threads. */
int state_work_alone(int fd, struct error *e)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    while (fcntl(fd, F_SETLKW, &all) < 0)
        if (errno != EINTR)
            return error_set(e, errno, "cannot wait for the worker before: %s", strerror(errno));
    return 0;
}
