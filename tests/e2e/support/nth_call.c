/* Preloaded: makes one call of a process fail, the n-th of its kind, as a machine does that has no
 * memory, no descriptor, no room or a bad disk at that moment.
 *
 * The file that NTH_CALL names is shared memory of whoever tests (support/nth_call.py, which knows the
 * layout too): it says which call fails and how, and counts all calls. A program takes part if it is
 * startpointfs with the verb that NTH_CALL_VERB names. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PLACES 32768

enum kind { MEMORY, OPEN, READ, WRITE, RENAME, SYNC, SOCKET, RECEIVE, SEND, FOLDER, TRUNCATE, STATUS, MAP, THREAD, LOCK, KINDS };

struct control {
    atomic_int kind;    /* what fails; -1: nothing */
    atomic_int at;      /* which of them, from 0 on */
    atomic_int errnum;  /* how */
    atomic_int counts[KINDS];
    atomic_int failed;  /* how many were made to fail */
    char where[4096 - 4 * (KINDS + 4)]; /* the callers of the one that failed, a line each: file+offset */
    uint32_t places[KINDS][PLACES];     /* while nothing is to fail: for each call a sum of its callers */
};

static struct control *control;
static __thread int inside;

/* Where the call comes from, for who has to find it. */
static void note_where(void)
{
    void *frames[24];
    int count = backtrace(frames, 24), size = 0;

    for (int i = 3; i < count && size < (int)sizeof control->where - 300; i++) {
        Dl_info info;
        if (dladdr(frames[i], &info) && info.dli_fname)
            size += snprintf(control->where + size, sizeof control->where - (size_t)size, "%.200s+0x%lx\n",
                             info.dli_fname, (unsigned long)((char *)frames[i] - (char *)info.dli_fbase) - 1);
    }
}

static uint32_t sum_of_callers(void)
{
    void *frames[24];
    int count = backtrace(frames, 24);
    uint64_t sum = 14695981039346656037u;

    for (int i = 3; i < count; i++)
        sum = (sum ^ (uintptr_t)frames[i]) * 1099511628211u;
    return (uint32_t)(sum ^ sum >> 32);
}

static int fails(enum kind kind)
{
    if (!control || inside)
        return 0;
    int now = atomic_fetch_add(&control->counts[kind], 1), armed = atomic_load(&control->kind);
    if (armed == -1 && now < PLACES) {
        inside = 1;
        control->places[kind][now] = sum_of_callers();
        inside = 0;
    }
    if (armed != (int)kind || now != atomic_load(&control->at))
        return 0;
    inside = 1;
    note_where();
    atomic_fetch_add(&control->failed, 1);
    inside = 0;
    errno = atomic_load(&control->errnum);
    return 1;
}

__attribute__((constructor)) static void on_start(void)
{
    const char *path = getenv("NTH_CALL"), *verb = getenv("NTH_CALL_VERB");
    char line[4096];
    void *frames[4];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, line, sizeof line - 1);

    if (fd >= 0)
        close(fd);
    if (!path || !verb || size <= 0)
        return;
    line[size] = '\0';
    const char *name = strrchr(line, '/') ? strrchr(line, '/') + 1 : line;
    if (strcmp(name, "startpointfs") != 0 || strcmp(line + strlen(line) + 1, verb) != 0)
        return;
    backtrace(frames, 4); /* loads what it needs */
    fd = open(path, O_RDWR | O_CLOEXEC);
    struct control *shared = fd < 0 ? MAP_FAILED
                                    : mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (shared != MAP_FAILED)
        control = shared;
}

/* The next definition of the function that this is written in. */
#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) { \
        inside++; \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name); \
        inside--; \
    }

/* ---- memory: not through dlsym, which itself takes some ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
    return fails(MEMORY) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(MEMORY) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(MEMORY) ? NULL : __libc_realloc(old, size);
}

/* ---- everything else ---- */

#define CALL(kind, failure, type, name, parameters, ...) \
    type name parameters \
    { \
        NEXT(name) \
        return fails(kind) ? (failure) : next(__VA_ARGS__); \
    }

static mode_t mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPENS(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = mode_of(flags, rest); \
        va_end(rest); \
        NEXT(name) \
        return fails(OPEN) ? -1 : next(path, flags, mode); \
    }

#define OPENS_AT(name) \
    int name(int folder, const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = mode_of(flags, rest); \
        va_end(rest); \
        NEXT(name) \
        return fails(OPEN) ? -1 : next(folder, path, flags, mode); \
    }

OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)
CALL(OPEN, NULL, FILE *, fopen, (const char *path, const char *mode), path, mode)
CALL(OPEN, NULL, FILE *, fopen64, (const char *path, const char *mode), path, mode)
CALL(OPEN, -1, int, mkostemp, (char *path, int flags), path, flags)
CALL(OPEN, -1, int, mkostemp64, (char *path, int flags), path, flags)
CALL(OPEN, -1, int, memfd_create, (const char *name, unsigned flags), name, flags)
CALL(OPEN, -1, int, pipe, (int ends[2]), ends)
CALL(OPEN, -1, int, pipe2, (int ends[2], int flags), ends, flags)
CALL(READ, -1, ssize_t, read, (int fd, void *bytes, size_t size), fd, bytes, size)
CALL(READ, -1, ssize_t, pread, (int fd, void *bytes, size_t size, off_t at), fd, bytes, size, at)
CALL(READ, -1, ssize_t, pread64, (int fd, void *bytes, size_t size, off64_t at), fd, bytes, size, at)
CALL(WRITE, -1, ssize_t, write, (int fd, const void *bytes, size_t size), fd, bytes, size)
CALL(WRITE, -1, ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t at), fd, bytes, size, at)
CALL(WRITE, -1, ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off64_t at), fd, bytes, size, at)
CALL(RENAME, -1, int, rename, (const char *from, const char *to), from, to)
CALL(RENAME, -1, int, renameat2, (int f, const char *from, int t, const char *to, unsigned flags), f, from, t, to, flags)
CALL(RENAME, -1, int, link, (const char *from, const char *to), from, to)
CALL(RENAME, -1, int, unlink, (const char *path), path)
CALL(RENAME, -1, int, unlinkat, (int fd, const char *path, int flags), fd, path, flags)
CALL(RENAME, -1, int, fchmod, (int fd, mode_t mode), fd, mode)
CALL(RENAME, -1, int, chmod, (const char *path, mode_t mode), path, mode)
CALL(RENAME, -1, int, utimensat, (int fd, const char *path, const struct timespec times[2], int flags), fd, path, times, flags)
CALL(SYNC, -1, int, fsync, (int fd), fd)
CALL(SYNC, -1, int, fdatasync, (int fd), fd)
CALL(SOCKET, -1, int, socket, (int domain, int type, int protocol), domain, type, protocol)
CALL(SOCKET, -1, int, socketpair, (int domain, int type, int protocol, int ends[2]), domain, type, protocol, ends)
CALL(SOCKET, -1, int, connect, (int fd, const struct sockaddr *to, socklen_t size), fd, to, size)
CALL(SOCKET, -1, int, poll, (struct pollfd *of, nfds_t count, int timeout), of, count, timeout)
CALL(RECEIVE, -1, ssize_t, recv, (int fd, void *bytes, size_t size, int flags), fd, bytes, size, flags)
CALL(SEND, -1, ssize_t, send, (int fd, const void *bytes, size_t size, int flags), fd, bytes, size, flags)
CALL(FOLDER, -1, int, mkdir, (const char *path, mode_t mode), path, mode)
CALL(FOLDER, NULL, char *, mkdtemp, (char *path), path)
CALL(FOLDER, NULL, DIR *, opendir, (const char *path), path)
CALL(FOLDER, NULL, DIR *, fdopendir, (int fd), fd)
CALL(FOLDER, NULL, struct dirent *, readdir, (DIR * folder), folder)
CALL(FOLDER, NULL, struct dirent64 *, readdir64, (DIR * folder), folder)
CALL(TRUNCATE, -1, int, ftruncate, (int fd, off_t size), fd, size)
CALL(TRUNCATE, -1, int, ftruncate64, (int fd, off64_t size), fd, size)
CALL(STATUS, -1, int, stat, (const char *path, struct stat *out), path, out)
CALL(STATUS, -1, int, stat64, (const char *path, struct stat64 *out), path, out)
CALL(STATUS, -1, int, lstat, (const char *path, struct stat *out), path, out)
CALL(STATUS, -1, int, lstat64, (const char *path, struct stat64 *out), path, out)
CALL(STATUS, -1, int, fstat, (int fd, struct stat *out), fd, out)
CALL(STATUS, -1, int, fstat64, (int fd, struct stat64 *out), fd, out)
CALL(STATUS, -1, int, fstatat64, (int fd, const char *path, struct stat64 *out, int flags), fd, path, out, flags)
CALL(STATUS, -1, int, access, (const char *path, int mode), path, mode)
CALL(MAP, MAP_FAILED, void *, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t offset), at, size, protection, flags, fd, offset)
CALL(MAP, MAP_FAILED, void *, mmap64, (void *at, size_t size, int protection, int flags, int fd, off64_t offset), at, size, protection, flags, fd, offset)
CALL(LOCK, -1, int, flock, (int fd, int what), fd, what)

/* These say what failed themselves. */
int pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *), void *data)
{
    NEXT(pthread_create)
    return fails(THREAD) ? errno : next(out, attributes, run, data);
}

pid_t fork(void)
{
    NEXT(fork)
    return fails(THREAD) ? -1 : next();
}
