/* test_service.c - the start-point service from its begin to its end, in a process of its own: it takes signals, and what hangs in a
 * mount is left behind. */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "fs/service/service.h"
#include "tests/unit/sandbox.h"

#define FAILED 100 /* how its process ends then */

struct running {
    const struct sandbox *box;
    struct service_options options;
    struct settings settings;
    char *operand; /* what it serves; NULL: nothing but a mount's numbers */
    pid_t pid;
    unsigned short port;
};

static void be_service(struct running *running)
{
    struct error e = {0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    if (chdir(running->box->folder) < 0 || !freopen("said", "a", stderr))
        _exit(FAILED + 1);
    int r = service_run(&running->options, &e);
    if (r < 0)
        fprintf(stderr, "%d: %s\n", r, e.text);
    fflush(stderr);
    _exit(r < 0 ? FAILED : r);
}

/* What it has said up to now has that text. */
static bool has_said(const struct running *running, const char *text)
{
    char path[100], line[1000];
    bool found = false;

    snprintf(path, sizeof path, "%s/said", running->box->folder);
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = strstr(line, text) != NULL;
    if (file)
        fclose(file);
    return found;
}

static void pause_shortly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static void wait_until_it_says(const struct running *running, const char *text)
{
    for (int tries = 0; !has_said(running, text); tries++) {
        if (tries == 2000)
            fail_msg("it does not say: %s", text);
        pause_shortly();
    }
}

static void running_prepare(struct running *running, void **state, const char *operand)
{
    run(*state,
        "mkdir -p repos/start_point; cd repos/start_point; echo x >f;"
        "echo '{\"display_name\":\"one\",\"image_name\":\"i:1\",\"visible_filenames\":[\"f\"]}' "
        ">manifest.json");
    *running = (struct running){.box = *state, .operand = (char *)operand};
    assert_int_equal(settings_init(&running->settings), 0);
    running->settings.log_level = LOG_LEVEL_INFO;
}

static void running_start(struct running *running)
{
    running->options.origin = (struct load_origin){.settings = &running->settings,
                                                   .operands = &running->operand,
                                                   .count = running->operand ? 1 : 0};
    if (!running->options.host) {
        running->options.host = "127.0.0.1";
        running->options.port = "0";
    }
    running->pid = fork();
    assert_true(running->pid >= 0);
    if (running->pid == 0)
        be_service(running);
}

static void running_open(struct running *running)
{
    running_start(running);
    wait_until_it_says(running, "listens on 127.0.0.1:");
    assert_int_equal(sscanf(output(running->box, "sed -n 's/.*listens on 127.0.0.1://p' said"),
                            "%hu", &running->port),
                     1);
}

/* How its process ends. */
static int end_of(const struct running *running)
{
    int status;

    assert_int_equal(waitpid(running->pid, &status, 0), running->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void running_close(struct running *running, int signal)
{
    assert_int_equal(kill(running->pid, signal), 0);
    assert_int_equal(end_of(running), 0);
    settings_release(&running->settings);
}

/* Whether the answer for that path has that text. */
static bool answers(const struct running *running, const char *path, const char *text)
{
    static char answer[100000];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(running->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[200];
    size_t used = 0;
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
             path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    while ((n = read(fd, answer + used, sizeof answer - 1 - used)) > 0)
        used += (size_t)n;
    answer[used] = '\0';
    close(fd);
    return strstr(answer, text) != NULL;
}

static void wait_until_it_answers(const struct running *running, const char *path, const char *text)
{
    for (int tries = 0; !answers(running, path, text); tries++) {
        if (tries == 1000)
            fail_msg("%s: not %s", path, text);
        pause_shortly();
    }
}

static void it_serves_until_it_is_told_to_end(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct running running;
        run(*state, "rm -f said");
        running_prepare(&running, state, "repos");
        running.options.sha = "5ha";
        running_open(&running);
        wait_until_it_answers(&running, "/ready", "{\"ready?\":true}");
        assert_true(answers(&running, "/names", "{\"names\":[\"one\"]}"));
        assert_true(answers(&running, "/sha", "5ha"));
        assert_true(answers(&running, "/metrics", "startpointfs_"));
        assert_false(has_said(&running, "ends"));
        running_close(&running, signals[i]);
        assert_true(has_said(&running, "ends"));
    }
}

/* A folder is looked at every two seconds; it is told at once. */
static void it_loads_again_when_it_is_told_to(void **state)
{
    struct running running;

    running_prepare(&running, state, "repos");
    running_open(&running);
    wait_until_it_answers(&running, "/names", "{\"names\":[\"one\"]}");
    run(*state, "sed -i s/one/two/ repos/start_point/manifest.json");
    assert_int_equal(kill(running.pid, SIGHUP), 0);
    wait_until_it_answers(&running, "/names", "{\"names\":[\"two\"]}");
    running_close(&running, SIGTERM);
}

static void what_it_cannot_begin_with(void **state)
{
    struct running running, other;

    running_prepare(&other, state, "none");
    running_start(&other);
    assert_int_equal(end_of(&other), FAILED);
    assert_true(has_said(&other, "no set, list or folder 'none'"));
    assert_false(has_said(&other, "listens"));
    settings_release(&other.settings);
    running_prepare(&running, state, "repos");
    running_open(&running);
    running_prepare(&other, state, "repos");
    char port[10];
    snprintf(port, sizeof port, "%u", running.port);
    other.options.host = "127.0.0.1";
    other.options.port = port;
    running_start(&other);
    assert_int_equal(end_of(&other), FAILED);
    assert_true(has_said(&other, "cannot listen on 127.0.0.1"));
    settings_release(&other.settings);
    running_close(&running, SIGTERM);
}

static int say_numbers(void *data, char **text, struct error *e)
{
    (void)e;
    *text = strdup(data);
    return *text ? 0 : -ENOMEM;
}

static int hang(void *data, char **text, struct error *e)
{
    (void)text;
    (void)e;
    close(*(const int *)data);
    pause();
    return -EIO;
}

static void a_mount_s_numbers_alone(void **state)
{
    struct running running;

    running_prepare(&running, state, NULL);
    running.options.ask_mount = say_numbers;
    running.options.mount = (void *)"numbers_of_the_mount 7\n";
    running_open(&running);
    assert_true(answers(&running, "/ready", "{\"ready?\":true}"));
    assert_true(answers(&running, "/metrics", "numbers_of_the_mount 7\n"));
    assert_int_equal(kill(running.pid, SIGHUP), 0); /* nothing is loaded again */
    assert_true(answers(&running, "/names", "HTTP/1.1 400"));
    running_close(&running, SIGTERM);
}

/* Its thread is left behind. */
static void a_mount_that_hangs_does_not_keep_it(void **state)
{
    struct running running;
    int ends[2];
    char byte;

    assert_int_equal(pipe(ends), 0);
    running_prepare(&running, state, NULL);
    running.options.ask_mount = hang;
    running.options.mount = &ends[1];
    running_open(&running);
    close(ends[1]);
    assert_true(answers(&running, "/metrics", "HTTP/1.1 200"));
    assert_int_equal(read(ends[0], &byte, 1), 0); /* it hangs */
    close(ends[0]);
    running_close(&running, SIGTERM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(it_serves_until_it_is_told_to_end),   TEST(it_loads_again_when_it_is_told_to),
        TEST(what_it_cannot_begin_with),           TEST(a_mount_s_numbers_alone),
        TEST(a_mount_that_hangs_does_not_keep_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
