/* Preloaded into a worker: does what somebody would who has taken it over. When the file that ESCAPE names says "go",
 * the next hash that is computed is the signal: all of it is tried, and what came of it is written to that file, a line
 * each: NAME ERRNO (0: it worked). ESCAPE_SECRET is a file outside of all that a worker needs, ESCAPE_CACHE the
 * worker's cache. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int results = -1;

__attribute__((constructor)) static void on_start(void)
{
    const char *path = getenv("ESCAPE");
    results = path ? open(path, O_RDWR | O_APPEND | O_CLOEXEC) : -1;
}

static void note(const char *name, long result)
{
    dprintf(results, "%s %d\n", name, result < 0 ? errno : 0);
}

static void try_open(const char *name, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    note(name, fd);
    if (fd >= 0)
        close(fd);
}

static void try_files(const char *secret, const char *cache)
{
    char path[4096];

    try_open("read", secret, O_RDONLY);
    try_open("write", secret, O_WRONLY | O_APPEND);
    try_open("shadow", "/etc/shadow", O_RDONLY);
    try_open("etc", "/etc", O_RDONLY | O_DIRECTORY);
    try_open("home", getenv("HOME"), O_RDONLY | O_DIRECTORY);
    try_open("root", "/", O_RDONLY | O_DIRECTORY);
    snprintf(path, sizeof path, "%s-new", secret);
    try_open("create", path, O_WRONLY | O_CREAT);
    note("mkdir", mkdir(path, 0700));
    note("remove", unlink(secret));
    note("truncate", truncate(secret, 0));
    snprintf(path, sizeof path, "%s/way-out", cache);
    try_open("write-cache", path, O_WRONLY | O_CREAT);
    note("move-out", rename(path, "/tmp/startpointfs-way-out"));
    unlink(path);
    note("link-in", link(secret, path));
    unlink(path);
    note("symlink", symlink(secret, path));
    try_open("through-symlink", path, O_RDONLY);
    unlink(path);
    snprintf(path, sizeof path, "/proc/%d/environ", (int)getppid());
    try_open("parent", path, O_RDONLY);
}

/* A pointer that the kernel would find bad, were the call let through to it. */
static void *const bad = (void *)1;

static void try_calls(void)
{
    struct iovec none = {0};

    note("execve", syscall(SYS_execve, "/nowhere", NULL, NULL));
    note("execveat", syscall(SYS_execveat, -1, "nowhere", NULL, NULL, 0));
    note("ptrace", ptrace(PTRACE_PEEKDATA, getpid(), NULL, NULL));
    note("mount", syscall(SYS_mount, bad, bad, bad, 0, 0));
    note("umount", syscall(SYS_umount2, bad, 0));
    note("fsopen", syscall(SYS_fsopen, bad, 0));
    note("move_mount", syscall(SYS_move_mount, -1, bad, -1, bad, 0));
    note("setns", setns(-1, 0));
    note("unshare", unshare(CLONE_FILES));
    note("chroot", syscall(SYS_chroot, bad));
    note("bpf", syscall(SYS_bpf, 1000, bad, 0));
    note("keyctl", syscall(SYS_keyctl, 1000));
    note("io_uring", syscall(SYS_io_uring_setup, 1, bad));
    note("process_vm", syscall(SYS_process_vm_readv, getpid(), &none, 0, &none, 0, 1000));
    note("userfaultfd", syscall(SYS_userfaultfd, ~0));
    note("perf", syscall(SYS_perf_event_open, bad, 0, -1, -1, 0));
    note("module", syscall(SYS_init_module, bad, 0, bad));
    note("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
    note("setuid", syscall(SYS_setresuid, -1, -1, -1));
    note("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    note("inet", socket(AF_INET, SOCK_STREAM, 0));
    note("signal", kill(getppid(), 0));
}

static void try_processes(void)
{
    pid_t pid = (pid_t)syscall(SYS_fork);

    if (pid == 0)
        _exit(0);
    note("fork", pid);
    pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    note("clone", pid);
    note("clone3", syscall(SYS_clone3, bad, 0));
}

static void try_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};

    syscall(SYS_capget, &header, data);
    dprintf(results, "capabilities %u\n", data[0].permitted | data[1].permitted);
}

/* The bytes of every file that is read are hashed. */
int SHA1_Final(unsigned char *sum, void *state);
int SHA1_Final(unsigned char *sum, void *state)
{
    int (*next)(unsigned char *, void *) = dlsym(RTLD_NEXT, "SHA1_Final");
    char words[3] = "";

    if (results >= 0 && pread(results, words, 2, 0) == 2 && strcmp(words, "go") == 0 &&
        ftruncate(results, 0) == 0) {
        try_files(getenv("ESCAPE_SECRET"), getenv("ESCAPE_CACHE"));
        try_calls();
        try_processes();
        try_capabilities();
        dprintf(results, "done 0\n");
    }
    return next(sum, state);
}
