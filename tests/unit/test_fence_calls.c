/* test_fence_calls.c - the system calls that a worker has given up. Here they are refused with an error that the kernel does not
 * know, which tells them from what the kernel would refuse anyway. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "fs/worker/fence_build.h"
#include "fs/worker/fence_calls.h"
#include "tests/unit/apart.h"

#define BY_THE_FENCE 3000

int __wrap_seccomp_rule_add(scmp_filter_ctx filter, uint32_t action, int call, unsigned count, ...);

static unsigned failing_rule; /* counted down to it; 0: none */

int __wrap_seccomp_rule_add(scmp_filter_ctx filter, uint32_t action, int call, unsigned count, ...)
{
    struct scmp_arg_cmp compared = {0};
    va_list more;

    if (failing_rule > 0 && --failing_rule == 0)
        return -ENOMEM;
    va_start(more, count);
    if (count == 1)
        compared = va_arg(more, struct scmp_arg_cmp);
    va_end(more);
    return seccomp_rule_add_array(
        filter, action == SCMP_ACT_ERRNO(EPERM) ? SCMP_ACT_ERRNO(BY_THE_FENCE) : action, call,
        count, &compared);
}

scmp_filter_ctx __real_seccomp_init(uint32_t action);
scmp_filter_ctx __wrap_seccomp_init(uint32_t action);

static bool lacks_memory;

scmp_filter_ctx __wrap_seccomp_init(uint32_t action)
{
    return lacks_memory ? NULL : __real_seccomp_init(action);
}

static void close_fence(void)
{
    setsid(); /* what is not refused shall not hang up this terminal */
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && fence_calls_refuse() == 0);
}

/* With arguments that no call does anything with. */
static int errno_of(int call, long first)
{
    pid_t me = getpid();
    long r = syscall(call, first, -1, -1, -1, -1, -1);

    if (getpid() != me)
        _exit(0);
    return r < 0 ? errno : 0;
}

static void call_by_name(void *data)
{
    int call = seccomp_syscall_resolve_name(data);

    CHECK(call != __NR_SCMP_ERROR);
    close_fence();
    bool is_refused = call < 0 || errno_of(call, -1) == BY_THE_FENCE; /* < 0: there is none here */
    if (!is_refused)
        print_error("%s is not refused\n", (const char *)data);
    CHECK(is_refused);
}

static void what_a_worker_never_needs(void **state)
{
    static const char *const names[] = {
        /* programs, processes */
        "execve", "execveat", "fork", "vfork", "process_vm_readv", "process_vm_writev",
        "process_madvise", "pidfd_getfd", "kcmp",
        /* mounts, roots */
        "mount", "umount", "umount2", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
        "fspick", "mount_setattr", "pivot_root", "chroot", "setns", "unshare",
        /* files */
        "open_by_handle_at", "name_to_handle_at", "mknod", "mknodat",
        /* the kernel */
        "bpf", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
        "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
        "keyctl", "add_key", "request_key", "fanotify_init", "lookup_dcookie", "nfsservctl",
        "syslog", "personality",
        /* the machine */
        "reboot", "swapon", "swapoff", "acct", "quotactl", "sethostname", "setdomainname",
        "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "iopl", "ioperm",
        "modify_ldt", "vhangup",
        /* users */
        "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
        "setfsuid", "setfsgid"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        run_apart(call_by_name, (void *)names[i]);
}

static void *say_that_it_runs(void *data)
{
    *(bool *)data = true;
    return NULL;
}

static void start_processes(void *data)
{
    static const int namespaces[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
                                     CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};
    bool has_run = false;
    pthread_t thread;

    (void)data;
    close_fence();
    CHECK(errno_of(SYS_clone, SIGCHLD) == BY_THE_FENCE);
    CHECK(errno_of(SYS_clone3, -1) == ENOSYS);
    CHECK(errno_of(SYS_ptrace, -1) == BY_THE_FENCE);
    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
        CHECK(errno_of(SYS_clone, CLONE_THREAD | namespaces[i]) == BY_THE_FENCE);
    CHECK(pthread_create(&thread, NULL, say_that_it_runs, &has_run) == 0 &&
          pthread_join(thread, NULL) == 0 && has_run);
}

static void threads_and_no_processes(void **state)
{
    (void)state;
    if (FENCE_BUILD_SANITIZED)
        skip();
    run_apart(start_processes, NULL);
}

static void open_sockets(void *data)
{
    (void)data;
    close_fence();
    for (int family = AF_UNIX; family <= 60; family++) {
        bool is_needed = family == AF_UNIX || family == AF_INET || family == AF_INET6;
        int r = socket(family, SOCK_STREAM, 0);
        CHECK(is_needed == !(r < 0 && errno == BY_THE_FENCE));
    }
}

static void three_families_of_sockets(void **state)
{
    (void)state;
    run_apart(open_sockets, NULL);
}

/* No fence is closed that lacks a rule. */
static void lack_rules(void *data)
{
    unsigned rules = 0;

    (void)data;
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    lacks_memory = true;
    CHECK(fence_calls_refuse() == -ENOMEM);
    lacks_memory = false;
    for (bool has_failed = true; has_failed;) {
        failing_rule = ++rules;
        int r = fence_calls_refuse();
        has_failed = failing_rule == 0;
        CHECK(r == (has_failed ? -ENOMEM : 0));
        CHECK(has_failed == (errno_of(SYS_personality, 0xffffffff) == 0));
    }
    CHECK(rules > 50);
}

static void all_rules_or_none(void **state)
{
    (void)state;
    run_apart(lack_rules, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_worker_never_needs),
        cmocka_unit_test(threads_and_no_processes),
        cmocka_unit_test(three_families_of_sockets),
        cmocka_unit_test(all_rules_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
