/* Preloaded into a process: its clock is wrong by as many seconds as the file says that CLOCK names. Only
 * the time of day: what counts seconds (CLOCK_MONOTONIC) goes on as it is, as with a clock that is set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Opened at the start: a worker cannot open it later. */
static int wrong_by = -1;

__attribute__((constructor)) static void open_file(void)
{
    const char *path = getenv("CLOCK");

    wrong_by = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static long offset(void)
{
    char text[32] = "";
    ssize_t size = wrong_by < 0 ? -1 : pread(wrong_by, text, sizeof text - 1, 0);

    return size > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int (*next)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int r = next(clock, out);

    if (r == 0 && clock == CLOCK_REALTIME)
        out->tv_sec += offset();
    return r;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
