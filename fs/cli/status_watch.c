#include "fs/cli/status_watch.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "fs/cli/mountpoint.h"
#include "fs/cli/status_screen.h"
#include "fs/exit.h"
#include "gitcache/base/clock.h"

#define INTERVAL 1000 /* milliseconds */

/* The other screen, so that what stood on this one comes back; and no cursor. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

/* All that handlers reach: they note the signal, and the loop does what it asks for. */
static volatile sig_atomic_t ending, stopping, resized;

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void on_end(int signal)
{
    ending = signal;
}

static void on_stop(int signal)
{
    stopping = signal;
}

static void on_resize(int signal)
{
    resized = signal;
}

/* Signals come only while poll waits: one that came right before it would else be seen a second later. Threads that are
 * started from then on take none. */
static void take_signals(sigset_t *while_waiting)
{
    struct sigaction end = {.sa_handler = on_end}, stop = {.sa_handler = on_stop},
                     resize = {.sa_handler = on_resize};
    sigset_t ours;

    sigemptyset(&ours);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        sigaction(endings[i], &end, NULL);
        sigaddset(&ours, endings[i]);
    }
    sigaction(SIGTSTP, &stop, NULL);
    sigaction(SIGWINCH, &resize, NULL);
    sigaddset(&ours, SIGTSTP);
    sigaddset(&ours, SIGWINCH);
    sigprocmask(SIG_BLOCK, &ours, while_waiting);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        sigdelset(while_waiting, endings[i]);
    sigdelset(while_waiting, SIGTSTP);
    sigdelset(while_waiting, SIGWINCH);
}

static void put(const char *text)
{
    fputs(text, stdout);
    fflush(stdout);
}

/* Keys are to come one by one, and are not shown. Returns what it was before. */
static struct termios enter(void)
{
    struct termios before = {0}, now;

    tcgetattr(STDIN_FILENO, &before);
    now = before;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 0;
    now.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &now);
    put(ENTER);
    return before;
}

static void leave(const struct termios *before)
{
    put(LEAVE);
    tcsetattr(STDIN_FILENO, TCSANOW, before);
}

/* Ctrl-Z: the terminal is the shell's until we go on. */
static void stop(struct termios *before)
{
    leave(before);
    raise(SIGSTOP);
    stopping = 0;
    *before = enter();
}

/* ---- asking ---- */

/* The mount is asked by a thread of its own: one that hangs must not keep a person from ending this. */
struct watched {
    const char *mountpoint;
    enum colour colour;
    int pipe[2]; /* answers, a pointer each */
    bool asking;
    int64_t asked_at;              /* clock_now() */
    struct watched_answer *answer; /* the last; NULL: none yet */
};

struct watched_answer {
    json_t *status; /* NULL: see error */
    struct error error;
};

static void answer_free(struct watched_answer *answer)
{
    if (answer)
        json_decref(answer->status);
    free(answer);
}

static void *run_asking(void *data)
{
    const struct watched *watched = data;
    struct watched_answer *answer = calloc(1, sizeof *answer);

    if (answer)
        answer->status = mountpoint_status(watched->mountpoint, &answer->error);
    if (write(watched->pipe[1], &answer, sizeof answer) < 0)
        answer_free(answer);
    return NULL;
}

static void ask(struct watched *watched)
{
    pthread_t thread;

    watched->asked_at = clock_now();
    watched->asking = pthread_create(&thread, NULL, run_asking, watched) == 0;
    if (watched->asking)
        pthread_detach(thread);
}

static void take_answer(struct watched *watched)
{
    struct watched_answer *answer;

    if (read(watched->pipe[0], &answer, sizeof answer) != sizeof answer)
        return;
    watched->asking = false;
    if (!answer)
        return;
    answer_free(watched->answer);
    watched->answer = answer;
}

/* ---- drawing ---- */

static void print_frame(const struct watched *watched, const struct terminal *terminal, FILE *out)
{
    const struct watched_answer *answer = watched->answer;
    unsigned rows = terminal->rows > 6 ? terminal->rows - 3 : 4;
    int64_t waited = clock_now() - watched->asked_at;
    char when[16], text[1100], seconds[24];
    time_t now = time(NULL);
    struct tm tm;

    localtime_r(&now, &tm);
    strftime(when, sizeof when, "%H:%M:%S", &tm);
    fprintf(out, "%s   every second; q quits\n", when);
    if (watched->asking && waited > 2 * INTERVAL) {
        snprintf(text, sizeof text, "%s has not answered for %s", watched->mountpoint,
                 terminal_time((double)waited / 1000, seconds));
        terminal_print(terminal, out, STYLE_ERROR, 0, 4, terminal_clean(text));
    }
    if (answer && answer->status) {
        status_screen_print(answer->status, watched->mountpoint, terminal, rows, out);
    } else if (answer) {
        snprintf(text, sizeof text, "%s", answer->error.text);
        terminal_print(terminal, out, STYLE_ERROR, 0, 4, terminal_clean(text));
    }
}

/* In one piece, each line over the one that stood there. */
static void draw(const struct watched *watched)
{
    struct terminal terminal = terminal_of(STDOUT_FILENO, watched->colour);
    char *text = NULL;
    size_t size = 0;
    FILE *frame = open_memstream(&text, &size);

    if (!frame)
        return;
    print_frame(watched, &terminal, frame);
    fclose(frame);
    fputs("\033[H", stdout);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        printf("%.*s\033[K\n", (int)(end - line), line);
    put("\033[J");
    free(text);
}

/* Waits for an answer, a signal, a key or the end of the second. True: q, or nobody is there any more. */
static bool wait_for_key(struct watched *watched, const sigset_t *while_waiting)
{
    struct pollfd ends[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = watched->pipe[0], .events = POLLIN}};
    int64_t left = watched->asked_at + INTERVAL - clock_now();
    left = left < 0 ? (watched->asking ? INTERVAL : 0) : left;
    struct timespec until = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    char key = 0;

    if (ppoll(ends, 2, &until, while_waiting) <= 0)
        return false;
    if (ends[1].revents)
        take_answer(watched);
    return ends[0].revents && (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q');
}

/* As if there were no handler: who waits for us sees of which signal we died. */
static int end(int signal)
{
    sigset_t one;

    if (!signal || signal == SIGINT)
        return EXIT_OK;
    sigemptyset(&one);
    sigaddset(&one, signal);
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigaction(signal, &usual, NULL);
    raise(signal);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    return EXIT_FAILED;
}

int status_watch_run(const char *mountpoint, enum colour colour)
{
    struct watched watched = {.mountpoint = mountpoint, .colour = colour};
    sigset_t while_waiting;
    bool quit = false;

    if (!terminal_of(STDOUT_FILENO, colour).can_move || !isatty(STDIN_FILENO))
        return exit_fail(EXIT_USAGE, "--watch needs a terminal; elsewhere, leave it out");
    if (pipe2(watched.pipe, O_CLOEXEC) < 0)
        return exit_fail(EXIT_FAILED, "cannot make a pipe");
    take_signals(&while_waiting);
    struct termios before = enter();
    while (!ending && !quit) {
        if (!watched.asking && clock_now() >= watched.asked_at + INTERVAL)
            ask(&watched);
        draw(&watched);
        quit = wait_for_key(&watched, &while_waiting);
        if (stopping)
            stop(&before);
        resized = 0; /* it is drawn anew in any case */
    }
    leave(&before);
    int code = end(ending);
    /* A thread may still be asking: it goes with the process, and nothing of it is touched. */
    fflush(stdout);
    _exit(code);
}
