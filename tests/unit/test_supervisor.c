/* test_supervisor.c - what a supervisor makes of its children and of what it is told. Here this program is the children,
 * which do what the test says, and somebody else makes the mount: a pipe, with what the kernel says first in it. Time
 * stands still until the test moves it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "fs/exit.h"
#include "fs/shared/state.h"
#include "fs/supervisor/oom_kills.h"
#include "fs/supervisor/spawn.h"
#include "fs/supervisor/supervisor.h"
#include "tests/unit/sandbox.h"

enum { READY = 1000, SAY, ABORT }; /* what a child is told, beside the code that it ends with */

/* What the supervisor, a process of its own, shares with the test. */
static struct {
    _Atomic int64_t now;
    atomic_int waits_for; /* milliseconds, in poll(2) */
    _Atomic uint64_t oom_kills;
    atomic_uint answers; /* how often it was said that the mount answers */
} * shared;

/* ---- in place of what it calls ---- */

int __real_poll(struct pollfd *events, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *events, nfds_t count, int timeout);
uint64_t __wrap_oom_kills(void);

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int64_t now = shared ? shared->now : 1000000;

    (void)clock;
    *out = (struct timespec){.tv_sec = now / 1000, .tv_nsec = now % 1000 * 1000000};
    return 0;
}

int __wrap_poll(struct pollfd *events, nfds_t count, int timeout)
{
    if (shared)
        shared->waits_for = timeout;
    return __real_poll(events, count, -1);
}

uint64_t __wrap_oom_kills(void)
{
    return shared->oom_kills;
}

/* ---- a child ---- */

struct report {
    pid_t pid;
    char text[100];
};

static void report(const char *text)
{
    struct report said = {.pid = getpid()};

    snprintf(said.text, sizeof said.text, "%s", text);
    if (send(WORKER_ARGUMENTS_FD, &said, sizeof said, 0) < 0)
        _exit(EXIT_FAILED);
}

static bool is_fd(int fd, const char *expected)
{
    char path[40], what[60] = "";

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return readlink(path, what, sizeof what - 1) > 0 &&
           strncmp(what, expected, strlen(expected)) == 0;
}

static bool has_all_and_no_more(void)
{
    char c;

    for (int fd = WORKER_ARGUMENTS_FD + 1; fd < 100; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return false;
    return is_fd(WORKER_FUSE_FD, "pipe:") && read(WORKER_FUSE_FD, &c, 0) == 0 &&
           is_fd(WORKER_NODES_FD, "/memfd:startpointfs-nodes") &&
           is_fd(WORKER_STATE_FD, "/memfd:startpointfs-state") &&
           is_fd(WORKER_LISTS_FD, "/memfd:startpointfs-lists") && is_fd(WORKER_READY_FD, "pipe:") &&
           write(WORKER_READY_FD, &c, 0) == 0;
}

static int be_a_child(const char *verb)
{
    sigset_t before, all;
    siginfo_t info;
    char text[40];

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    if (!sigismember(&before, SIGTERM) || !sigismember(&before, SIGHUP) ||
        !sigismember(&before, SIGUSR2))
        verb = "a signal may kill it";
    report(has_all_and_no_more() ? verb : "other descriptors");
    while (sigwaitinfo(&all, &info) > 0) {
        int told = info.si_value.sival_int;
        if (info.si_signo != SIGRTMIN) {
            snprintf(text, sizeof text, "SIG%s", sigabbrev_np(info.si_signo));
            report(text);
        } else if (told == READY || told == SAY) {
            const char *said = told == READY ? "1" : "because";
            if (write(WORKER_READY_FD, said, strlen(said)) < 0)
                return EXIT_FAILED;
        } else if (told == ABORT) {
            abort();
        } else {
            return told;
        }
    }
    return EXIT_FAILED;
}

static void tell(pid_t child, int what)
{
    assert_int_equal(sigqueue(child, SIGRTMIN, (union sigval){.sival_int = what}), 0);
}

/* ---- the test ---- */

#define EVENTUALLY(condition)                                       \
    for (time_t end = time(NULL) + 10; !(condition); sched_yield()) \
    assert_true(time(NULL) < end)

static struct sandbox *box;
static pid_t supervisor, group; /* and its children */
static const char *holder;
static int held[HELD_COUNT]; /* what is to be taken over; -1: nothing */
/* A mount's descriptor and the kernel's end; what children say, and what systemd is told: ours is [0]. */
static int fuse[2], says[2], tells[2];
static struct state *mount;
static char place[30];

static int open_all(void **state)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC); /* those of whoever runs the test */
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : sandbox_open(state);
}

static int prepare(void **state)
{
    const struct timeval patience = {.tv_sec = 10};

    box = *state;
    holder = NULL;
    memset(held, -1, sizeof held);
    shared->now = 1000000;
    shared->answers = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, says) < 0 ||
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, tells) < 0 || pipe2(fuse, O_CLOEXEC) < 0)
        return -1;
    says[1] = spawn_move_fd(says[1]);
    setsockopt(says[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(tells[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    kill(-group, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    for (int i = 0; i < 2; i++) {
        close(fuse[i]);
        close(says[i]);
        close(tells[i]);
    }
    for (int i = 0; i < HELD_COUNT; i++)
        if (held[i] >= 0)
            close(held[i]);
    if (mount)
        state_unmap(mount);
    mount = NULL;
    return 0;
}

static void count_answer(void *data)
{
    (void)data;
    atomic_fetch_add(&shared->answers, 1);
}

/* In its process. */
static int supervise(void)
{
    const struct settings settings = {.max_nodes = 1024, .timeout = 30, .foreground = true};
    const struct notify notify = {tells[1]};
    struct custody custody;
    struct supervision supervision = {.settings = &settings,
                                      .options = "ro",
                                      .mountpoint = place,
                                      .notify = &notify,
                                      .custody = &custody,
                                      .arguments_fd = says[1],
                                      .ready = count_answer};
    char said[100];

    snprintf(said, sizeof said, "%s/said", box->folder);
    setpgid(0, 0);
    close(fuse[1]);
    if (!freopen(said, "a", stderr) || log_open(&supervision.log, LOG_LEVEL_DEBUG, said, 1) < 0)
        return 99;
    custody_open(&custody, holder, place, &notify);
    memcpy(custody.found, held, sizeof held);
    int code = supervisor_run(&supervision);
    fflush(stderr);
    return code;
}

static void begin(void)
{
    assert_int_equal(write(fuse[1], "first", 5), 5);
    snprintf(place, sizeof place, "/dev/fd/%d", fuse[0]);
    supervisor = fork();
    if (supervisor == 0)
        _exit(supervise());
    group = supervisor;
    setpgid(group, group);
}

/* The code that it ends with. */
static int ended(void)
{
    int status;

    EVENTUALLY(waitpid(supervisor, &status, WNOHANG) == supervisor);
    supervisor = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A child that says so, next. */
static pid_t child(const char *text)
{
    struct report said = {.text = "nothing"};

    recv(says[0], &said, sizeof said, 0);
    assert_string_equal(said.text, text);
    return said.pid;
}

static void told(const char *text)
{
    char said[200] = "nothing";
    ssize_t size = recv(tells[0], said, sizeof said - 1, 0);

    said[size > 0 ? size : 0] = '\0';
    assert_string_equal(said, text);
}

static void told_nothing_more(void)
{
    char byte;
    assert_true(recv(tells[0], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

static void told_that_it_is_ready(void)
{
    char text[60];

    snprintf(text, sizeof text, "READY=1\nSTATUS=%s\n", place);
    told(text);
}

/* The next worker, which takes requests. */
static pid_t ready_worker(void)
{
    char path[40];
    struct error error;
    pid_t worker = child("worker");

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)worker, WORKER_STATE_FD);
    int fd = mount ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (!mount)
        assert_int_equal(state_map(&mount, fd, &error), 0);
    close(fd);
    tell(worker, READY);
    told_that_it_is_ready();
    return worker;
}

static void waits_for(int milliseconds)
{
    EVENTUALLY(shared->waits_for == milliseconds);
}

static void pass(int milliseconds)
{
    shared->now += milliseconds;
    assert_int_equal(kill(supervisor, SIGCHLD), 0); /* it looks around */
}

/* What it does after that time it does not do before. */
static void waits_and_does_not_act_before(int milliseconds)
{
    waits_for(milliseconds);
    pass(milliseconds - 1);
    waits_for(1);
    pass(1);
}

static void a_child_has_what_it_needs_and_ends_with_its_supervisor(void **state)
{
    int status;

    (void)state;
    begin();
    pid_t worker = child("worker");
    kill(supervisor, SIGKILL);
    EVENTUALLY(waitpid(worker, &status, WNOHANG) == worker);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void pauses_grow_with_deaths_that_follow_each_other(void **state)
{
    static const struct {
        bool was_ready;
        int lived, pause;
    } rows[] = {{true, 499, 0},    {true, 0, 0},      {true, 0, 200},   {true, 499, 400},
                {false, 700, 800}, {false, 0, 1600},  {false, 0, 3200}, {false, 0, 6400},
                {true, 0, 10000},  {false, 0, 10000}, {true, 500, 0},   {false, 0, 100},
                {true, 0, 200},    {true, 100000, 0}, {true, 0, 0}};

    (void)state;
    begin();
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        pid_t worker = rows[i].was_ready ? ready_worker() : child("worker");
        assert_int_equal(mount->workers, i + 1);
        assert_int_equal(mount->restarts, i);
        shared->now += rows[i].lived;
        waits_for(-1);
        tell(worker, 3);
        if (rows[i].pause)
            waits_and_does_not_act_before(rows[i].pause);
    }
    ready_worker();
    assert_int_equal(shared->answers, 1);
}

static void what_a_worker_died_of(void **state)
{
    static const struct {
        int signal, code, oom_kills;
        const char *cause;
        bool was_killed;
    } rows[] = {{SIGKILL, 0, 0, "killed by signal 9 (KILL)", true},
                {SIGKILL, 0, 1, "killed by signal 9 (KILL)", false},
                {0, ABORT, 0, "killed by signal 6 (ABRT)", false},
                {SIGKILL, 0, 0, "killed by signal 9 (KILL)", true},
                {0, 3, 0, "ended with exit code 3", false}};
    const unsigned count = sizeof rows / sizeof *rows;

    (void)state;
    begin();
    pid_t worker = ready_worker();
    for (unsigned i = 0; i < count; i++) {
        shared->now += 500;
        shared->oom_kills += (unsigned)rows[i].oom_kills;
        if (rows[i].signal)
            kill(worker, rows[i].signal);
        else
            tell(worker, rows[i].code);
        worker = ready_worker();
        assert_string_equal(mount->last_cause, rows[i].cause);
        assert_int_equal(mount->was_killed, rows[i].was_killed);
        assert_int_equal(mount->restarts, i + 1);
    }
    tell(worker, EXIT_REPLACE); /* that is no death */
    worker = ready_worker();
    assert_int_equal(mount->restarts, count);
    tell(worker, EXIT_OK); /* the mount is gone */
    assert_int_equal(ended(), EXIT_OK);
}

static void what_ends_before_it_is_ready_has_said_why(void **state)
{
    (void)state;
    begin();
    tell(child("worker"), 3);
    assert_int_equal(ended(), EXIT_FAILED);
    assert_int_equal(shared->answers, 0);
}

static void what_is_killed_before_it_is_ready_is_tried_a_hundred_times(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 100; i++)
        kill(child("worker"), SIGKILL);
    assert_int_equal(ended(), EXIT_FAILED);
    assert_string_equal(output(box, "tail -n 1 said"),
                        "startpointfs: the mount does not start: 100 workers have died of it; the "
                        "last was killed by signal 9 (KILL)");
}

#define TOO_FEW 4 /* for a child; for fewer than it waits for poll(2) fails */

static void limit_descriptors(rlim_t count)
{
    const struct rlimit limit = {count, 1024};
    assert_int_equal(prlimit(supervisor, RLIMIT_NOFILE, &limit, NULL), 0);
}

static void a_worker_that_cannot_be_started(void **state)
{
    (void)state;
    begin();
    pid_t worker = ready_worker();
    limit_descriptors(TOO_FEW);
    tell(worker, 3);
    waits_for(100);
    limit_descriptors(1024);
    pass(100);
    ready_worker();
}

static void the_first_worker_that_cannot_be_started(void **state)
{
    (void)state;
    begin();
    pid_t worker = child("worker");
    limit_descriptors(TOO_FEW);
    kill(worker, SIGKILL);
    assert_int_equal(ended(), EXIT_FAILED);
    assert_string_equal(output(box, "tail -n 1 said"),
                        "startpointfs: cannot start a process for the mount: Too many open files");
}

static void it_is_told_to_end(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR2}; /* the last: nobody holds the mount */

    for (unsigned i = 0; i < 3; i++) {
        begin();
        ready_worker();
        kill(supervisor, signals[i]);
        told("STOPPING=1\n");
        child("SIGTERM");
        waits_and_does_not_act_before(5000); /* it kills the worker */
        assert_int_equal(ended(), EXIT_OK);
        end_all(state);
        prepare(state);
    }
}

static void an_unmount_in_a_pause(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 3; i++)
        tell(ready_worker(), 3);
    waits_for(200);
    close(fuse[1]);
    assert_int_equal(ended(), EXIT_OK);
}

static void systemd_is_told(const char *verb, const char *rest)
{
    static const char *const names[] = {"fuse", "nodes", "state", "lists"};
    char text[100];

    for (int i = 0; i < HELD_COUNT; i++) {
        snprintf(text, sizeof text, "%s\nFDNAME=startpointfs-%s\n%s", verb, names[i], rest);
        told(text);
    }
}

static void what_is_held_stays_after_sigusr2(void **state)
{
    (void)state;
    holder = CUSTODY_SYSTEMD;
    begin();
    systemd_is_told("FDSTORE=1", "FDPOLL=0\n");
    pid_t worker = ready_worker();
    EVENTUALLY(strcmp(mount->held_by, "systemd") == 0);
    kill(supervisor, SIGUSR2);
    child("SIGUSR2");
    kill(supervisor, SIGUSR2);
    waits_for(35000);
    tell(worker, EXIT_REPLACE);
    assert_int_equal(ended(), EXIT_OK);
    told_nothing_more();
}

static void what_is_held_goes_with_the_mount(void **state)
{
    (void)state;
    holder = CUSTODY_SYSTEMD;
    begin();
    systemd_is_told("FDSTORE=1", "FDPOLL=0\n");
    tell(ready_worker(), EXIT_OK);
    systemd_is_told("FDSTOREREMOVE=1", "");
    assert_int_equal(ended(), EXIT_OK);
}

/* Descriptors as a holder has them, of a mount whose supervisor is gone. */
static void leave_to_the_next(void)
{
    static const int fds[HELD_COUNT] = {WORKER_FUSE_FD, WORKER_NODES_FD, WORKER_STATE_FD,
                                        WORKER_LISTS_FD};
    char path[40];

    begin();
    pid_t worker = ready_worker();
    for (int i = 0; i < HELD_COUNT; i++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)worker, fds[i]);
        held[i] = open(path, (i == HELD_FUSE ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    }
    kill(supervisor, SIGKILL);
    EVENTUALLY(waitpid(supervisor, NULL, WNOHANG) == supervisor);
    EVENTUALLY(waitpid(worker, NULL, WNOHANG) == worker);
}

static void what_was_taken_over_and_does_not_start_stays(void **state)
{
    (void)state;
    leave_to_the_next();
    holder = CUSTODY_SYSTEMD;
    begin();
    systemd_is_told("FDSTORE=1", "FDPOLL=0\n");
    tell(child("worker"), 3);
    assert_int_equal(ended(), EXIT_FAILED);
    told_nothing_more();
}

static void what_was_taken_over_goes_with_the_mount(void **state)
{
    (void)state;
    leave_to_the_next();
    begin();
    pid_t worker = ready_worker();
    assert_int_equal(mount->takeovers, 1);
    assert_int_equal(mount->workers, 2);
    assert_int_equal(shared->answers, 2);
    tell(worker, EXIT_OK);
    assert_int_equal(ended(), EXIT_OK);
}

static void lists_are_read_again(void **state)
{
    (void)state;
    begin();
    pid_t worker = ready_worker();
    kill(supervisor, SIGHUP);
    told("RELOADING=1\nMONOTONIC_USEC=1000000000\n");
    child("SIGHUP");
    tell(worker, READY);
    told_that_it_is_ready();
    assert_int_equal(shared->answers, 1);
}

/* ---- another program ---- */

/* The program on disk, which is asked; the worker goes on. */
static pid_t ask_for_a_reload(void)
{
    kill(supervisor, SIGUSR1);
    pid_t probe = child("probe");
    waits_for(10000);
    return probe;
}

static void refused(unsigned count, const char *why)
{
    char expected[200];

    EVENTUALLY(mount->reloads_refused == count);
    snprintf(expected, sizeof expected, "%s: %s", output(box, "readlink /proc/%d/exe", getpid()),
             why);
    assert_string_equal(mount->reload_refusal, expected);
    waits_for(-1);
}

static void a_program_that_cannot_go_on(void **state)
{
    (void)state;
    begin();
    pid_t worker = ready_worker(), probe = ask_for_a_reload();
    tell(probe, SAY);
    tell(probe, EXIT_FAILED);
    refused(1, "because");
    ask_for_a_reload();
    waits_and_does_not_act_before(10000);
    refused(2, "it is not a startpointfs that can take over this mount");
    tell(worker, 3); /* it was told nothing */
    ready_worker();
    assert_int_equal(mount->reloads, 0);
}

/* The worker is to end for the program that has said yes. */
static void go_on_with_it(void)
{
    tell(ask_for_a_reload(), EXIT_OK);
    child("SIGUSR2");
    waits_for(35000);
}

static void a_program_that_goes_on(void **state)
{
    (void)state;
    begin();
    pid_t worker = ready_worker();
    for (unsigned i = 1; i <= 2; i++) {
        go_on_with_it();
        kill(supervisor, SIGUSR1); /* one at a time */
        tell(worker, EXIT_REPLACE);
        worker = ready_worker();
        EVENTUALLY(mount->reloads == i);
        waits_for(-1);
    }
    assert_int_equal(mount->restarts, 0);
    kill(worker, SIGKILL); /* it is one as any other by now */
    ready_worker();
    assert_int_equal(mount->restarts, 1);
    assert_int_equal(mount->reloads_refused, 0);
}

static void a_worker_that_does_not_end_for_the_next_program(void **state)
{
    (void)state;
    begin();
    ready_worker();
    go_on_with_it();
    waits_and_does_not_act_before(35000);
    ready_worker();
    EVENTUALLY(mount->reloads == 1);
    assert_string_equal(mount->last_cause, "killed by signal 9 (KILL)");
}

static void a_program_whose_worker_does_not_start(void **state)
{
    (void)state;
    begin();
    pid_t worker = ready_worker();
    go_on_with_it();
    tell(worker, EXIT_REPLACE);
    kill(child("worker"), SIGKILL);
    worker = ready_worker(); /* of the old one */
    refused(1, "its worker does not start");
    assert_int_equal(mount->reloads, 0);
    go_on_with_it(); /* it can be asked again */
    tell(worker, EXIT_REPLACE);
    ready_worker();
    EVENTUALLY(mount->reloads == 1);
}

/* The program on disk is given its time, whatever becomes of the worker. */
static void a_worker_that_dies_while_the_program_is_asked(void **state)
{
    (void)state;
    begin();
    pid_t worker = ready_worker();
    ask_for_a_reload();
    tell(worker, 3);
    ready_worker();
    waits_and_does_not_act_before(10000);
    refused(1, "it is not a startpointfs that can take over this mount");
}

/* Then nobody is told anything, the supervisor itself neither. */
static void what_is_asked_of_it_in_a_pause(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 3; i++)
        tell(ready_worker(), 3);
    waits_for(200);
    kill(supervisor, SIGHUP);
    told("RELOADING=1\nMONOTONIC_USEC=1000000000\n");
    kill(supervisor, SIGUSR1);
    pid_t probe = child("probe");
    tell(probe, EXIT_OK);
    EVENTUALLY(kill(probe, 0) < 0); /* it has been heard */
    pass(200);
    ready_worker();
    EVENTUALLY(mount->reloads == 1);
}

static void a_program_that_cannot_be_asked(void **state)
{
    (void)state;
    begin();
    ready_worker();
    limit_descriptors(TOO_FEW);
    kill(supervisor, SIGUSR1);
    refused(1, "cannot be opened");
    limit_descriptors(1024);
    go_on_with_it();
}

static bool somebody_says_something(void)
{
    char byte;
    return recv(says[0], &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* With ever more descriptors: at first it cannot be opened, then not started. */
static void a_program_that_cannot_be_started(void **state)
{
    rlim_t limit = TOO_FEW;
    bool was_opened = false;

    (void)state;
    begin();
    ready_worker();
    while (!somebody_says_something()) {
        unsigned refused_before = mount->reloads_refused;
        limit_descriptors(limit++);
        kill(supervisor, SIGUSR1);
        EVENTUALLY(mount->reloads_refused > refused_before || somebody_says_something());
        was_opened = was_opened || strstr(mount->reload_refusal, ": cannot be started");
    }
    assert_true(was_opened);
    child("probe");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, end_all)
        TEST(a_child_has_what_it_needs_and_ends_with_its_supervisor),
        TEST(pauses_grow_with_deaths_that_follow_each_other),
        TEST(what_a_worker_died_of),
        TEST(what_ends_before_it_is_ready_has_said_why),
        TEST(what_is_killed_before_it_is_ready_is_tried_a_hundred_times),
        TEST(a_worker_that_cannot_be_started),
        TEST(the_first_worker_that_cannot_be_started),
        TEST(it_is_told_to_end),
        TEST(an_unmount_in_a_pause),
        TEST(what_is_held_stays_after_sigusr2),
        TEST(what_is_held_goes_with_the_mount),
        TEST(what_was_taken_over_and_does_not_start_stays),
        TEST(what_was_taken_over_goes_with_the_mount),
        TEST(lists_are_read_again),
        TEST(a_program_that_cannot_go_on),
        TEST(a_program_that_goes_on),
        TEST(a_worker_that_does_not_end_for_the_next_program),
        TEST(a_program_whose_worker_does_not_start),
        TEST(a_worker_that_dies_while_the_program_is_asked),
        TEST(what_is_asked_of_it_in_a_pause),
        TEST(a_program_that_cannot_be_asked),
        TEST(a_program_that_cannot_be_started),
    };

    if (argc == 2 && strcmp(argv[0], "startpointfs") == 0)
        return be_a_child(argv[1]);
    return cmocka_run_group_tests(tests, open_all, sandbox_close);
}
