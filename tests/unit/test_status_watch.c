/* test_status_watch.c - `status --watch` on a terminal of its own: what it shows there, what it obeys, and how it leaves it. */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <utmp.h>

#include "fs/cli/mountpoint.h"
#include "fs/cli/status_watch.h"
#include "fs/exit.h"
#include "gitcache/base/clock.h"
#include "tests/unit/sandbox.h"

#define ENTERS  "\033[?1049h\033[?25l" /* another screen, no cursor */
#define LEAVES  "\033[?25h\033[?1049l"
#define BEGINS  "\033[H" /* a frame */
#define PATIENT 30000    /* milliseconds: however busy the machine is */

struct watching {
    const struct sandbox *box;
    int terminal, far_end;
    struct termios before;
    pid_t pid;
    size_t length, seen;
    char shown[100000];
};

/* The program, on the far end of the terminal. */
static void be_it(const struct watching *watching, const char *mountpoint)
{
    struct rlimit none = {0};

    setrlimit(RLIMIT_CORE, &none);
    close(watching->terminal);
    setenv("TERM", "xterm", 1);
    unsetenv("COLUMNS");
    if (chdir(watching->box->folder) == 0 && login_tty(watching->far_end) == 0)
        _exit(status_watch_run(mountpoint, COLOUR_NEVER));
    _exit(100);
}

static void begin(struct watching *watching, void **state, const char *mountpoint)
{
    struct winsize size = {.ws_row = 24, .ws_col = 100};

    memset(watching, 0, sizeof *watching);
    watching->box = *state;
    assert_int_equal(openpty(&watching->terminal, &watching->far_end, NULL, NULL, &size), 0);
    assert_int_equal(tcgetattr(watching->far_end, &watching->before), 0);
    watching->pid = fork();
    assert_true(watching->pid >= 0);
    if (watching->pid == 0)
        be_it(watching, mountpoint);
}

/* Takes what it prints next; false: nothing came within that time. */
static bool take(struct watching *watching, int milliseconds)
{
    struct pollfd fd = {watching->terminal, POLLIN, 0};
    ssize_t n = 0;

    if (poll(&fd, 1, milliseconds) == 1 && (fd.revents & POLLIN))
        n = read(watching->terminal, watching->shown + watching->length,
                 sizeof watching->shown - 1 - watching->length);
    watching->length += n > 0 ? (size_t)n : 0;
    watching->shown[watching->length] = '\0';
    return n > 0;
}

/* Waits until it has shown that since the last such wait. */
static void shows(struct watching *watching, const char *text)
{
    int64_t until = clock_now() + PATIENT;
    const char *found;

    while (!(found = strstr(watching->shown + watching->seen, text))) {
        if (clock_now() > until)
            fail_msg("never shown: %s\n%s", text, watching->shown + watching->seen);
        take(watching, 100);
    }
    watching->seen = (size_t)(found - watching->shown) + strlen(text);
}

static void type(const struct watching *watching, const char *keys)
{
    assert_int_equal(write(watching->terminal, keys, strlen(keys)), strlen(keys));
}

static bool is_as_before(const struct watching *watching)
{
    struct termios now;

    assert_int_equal(tcgetattr(watching->far_end, &now), 0);
    return now.c_lflag == watching->before.c_lflag &&
           memcmp(now.c_cc, watching->before.c_cc, sizeof now.c_cc) == 0;
}

/* How it ends, as waitpid(2) says. */
static int wait_for(struct watching *watching)
{
    int64_t until = clock_now() + PATIENT;
    int status = -1;
    pid_t pid;

    while ((pid = waitpid(watching->pid, &status, WNOHANG)) == 0 && clock_now() < until)
        take(watching, 20);
    if (pid == 0) {
        kill(watching->pid, SIGKILL);
        waitpid(watching->pid, &status, 0);
        fail_msg("does not end");
    }
    return status;
}

/* That, and it has left the terminal as that was. */
static int end(struct watching *watching)
{
    int status = wait_for(watching);

    while (take(watching, 100))
        ;
    assert_true(is_as_before(watching));
    close(watching->terminal);
    close(watching->far_end);
    return status;
}

/* Whether the last that it printed left the terminal. */
static bool has_left(const struct watching *watching)
{
    size_t length = strlen(LEAVES);

    return watching->length >= length &&
           strcmp(watching->shown + watching->length - length, LEAVES) == 0;
}

static void a_key_or_a_signal_ends_it(void **state)
{
    static const struct {
        const char *keys;
        int signal, killed_by; /* 0: it ends by itself, and well */
    } ends[] = {{"q", 0, 0},     {"xyQ", 0, 0},          {"\003", 0, 0},      {"\034", 0, SIGQUIT},
                {"", SIGINT, 0}, {"", SIGTERM, SIGTERM}, {"", SIGHUP, SIGHUP}};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct watching watching;

        begin(&watching, state, "nothing");
        shows(&watching, ENTERS BEGINS);
        assert_false(is_as_before(&watching));
        shows(&watching, "there is no folder nothing\033[K\r\n\033[J");
        type(&watching, ends[i].keys);
        if (ends[i].signal)
            kill(watching.pid, ends[i].signal);
        int status = end(&watching);
        if (ends[i].killed_by ? !WIFSIGNALED(status) || WTERMSIG(status) != ends[i].killed_by
                              : status != 0)
            fail_msg("%s %d: %x", ends[i].keys, ends[i].signal, (unsigned)status);
        assert_true(has_left(&watching));
    }
}

/* A key that means nothing does not end it, nor is it shown. */
static void the_mount_is_asked_again_and_again(void **state)
{
    struct watching watching;

    begin(&watching, state, "folder");
    shows(&watching, "   every second; q quits\033[K\r\n");
    shows(&watching, "there is no folder folder\033[K\r\n");
    type(&watching, "w");
    run(watching.box, "mkdir folder");
    shows(&watching, BEGINS);
    shows(&watching, "no startpointfs is mounted on folder\033[K\r\n");
    assert_null(strchr(watching.shown, 'w'));
    type(&watching, "q");
    assert_int_equal(end(&watching), 0);
}

/* When it asks, and when an answer comes. */
static void it_is_drawn_twice_a_second_at_most(void **state)
{
    int64_t begun = clock_now(), frames = 0;
    struct watching watching;

    begin(&watching, state, "nothing");
    for (int i = 0; i < 4; i++)
        shows(&watching, "there is no folder");
    for (char *c = watching.shown; (c = strstr(c, BEGINS)); c++)
        frames++;
    assert_true(frames <= 2 * ((clock_now() - begun) / 1000 + 1));
    type(&watching, "q");
    assert_int_equal(end(&watching), 0);
}

/* Ctrl-Z, and fg. */
static void the_shell_gets_the_terminal_meanwhile(void **state)
{
    struct watching watching;
    int status;

    begin(&watching, state, "nothing");
    shows(&watching, "there is no folder");
    type(&watching, "\032");
    shows(&watching, LEAVES);
    assert_int_equal(waitpid(watching.pid, &status, WUNTRACED), watching.pid);
    assert_true(WIFSTOPPED(status));
    assert_true(is_as_before(&watching));
    kill(watching.pid, SIGCONT);
    shows(&watching, ENTERS BEGINS);
    assert_false(is_as_before(&watching));
    shows(&watching, "there is no folder");
    assert_null(strstr(watching.shown + watching.seen, LEAVES));
    type(&watching, "q");
    assert_int_equal(end(&watching), 0);
    assert_true(has_left(&watching));
}

/* Here a FIFO that nobody writes to. */
static void what_does_not_answer_can_be_left(void **state)
{
    struct watching watching;

    run(*state, "mkdir -p hangs/.startpointfs; mkfifo hangs/" MOUNTPOINT_STATUS);
    begin(&watching, state, "hangs");
    shows(&watching, "hangs has not answered for 2 s\033[K\r\n");
    shows(&watching, "hangs has not answered for 3 s\033[K\r\n");
    type(&watching, "q");
    assert_int_equal(end(&watching), 0);
    assert_true(has_left(&watching));
}

static void its_lines_fit_the_window(void **state)
{
    struct winsize small = {.ws_row = 24, .ws_col = 30};
    struct watching watching;

    begin(&watching, state, "a-folder-that-is-not-there");
    shows(&watching, "there is no folder a-folder-that-is-not-there\033[K\r\n");
    assert_int_equal(ioctl(watching.far_end, TIOCSWINSZ, &small), 0);
    shows(&watching, "there is no folder\033[K\r\n    a-folder-that-is-not-there\033[K\r\n");
    type(&watching, "q");
    assert_int_equal(end(&watching), 0);
}

static void it_ends_with_its_terminal(void **state)
{
    struct watching watching;

    begin(&watching, state, "nothing");
    shows(&watching, "there is no folder");
    close(watching.far_end);
    close(watching.terminal);
    watching.terminal = -1;
    wait_for(&watching);
}

static void without_a_terminal_it_does_not_begin(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        int nothing = open("/dev/null", O_RDWR);

        for (int fd = 0; fd < 3; fd++)
            dup2(nothing, fd);
        _exit(status_watch_run("nothing", COLOUR_NEVER));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_or_a_signal_ends_it),          TEST(the_mount_is_asked_again_and_again),
        TEST(it_is_drawn_twice_a_second_at_most), TEST(the_shell_gets_the_terminal_meanwhile),
        TEST(what_does_not_answer_can_be_left),   TEST(its_lines_fit_the_window),
        TEST(it_ends_with_its_terminal),          TEST(without_a_terminal_it_does_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
