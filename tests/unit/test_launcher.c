/* The small process that starts programs for a worker, and what the two say to each other. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "gitcache/net/helper.h"
#include "gitcache/net/launcher.h"
#include "gitcache/net/launcher_message.h"
#include "gitcache/net/launcher_serve.h"
#include "gitcache/net/ssh.h"
#include "tests/unit/sandbox.h"

static void count_lost(void *data)
{
    ++*(unsigned *)data;
}

static struct launcher *begin(unsigned *lost)
{
    const struct launcher_hooks hooks = {.lost = count_lost, .data = lost};
    struct launcher *launcher;
    struct error e = {0};

    *lost = 0;
    signal(SIGPIPE, SIG_IGN);
    if (launcher_open(&launcher, &hooks, &e) < 0)
        fail_msg("%s", e.text);
    return launcher;
}

static void what_is_started_is_what_was_asked_for(void **state)
{
    const struct helper helper = {HELPER_SSH, "ssh://me@h:22/x", 7};
    struct process process;
    struct error e = {0};
    unsigned lost;

    run(*state, "git config --global core.sshCommand \"printf '%%s ' >$PWD/said\"");
    struct launcher *launcher = begin(&lost);
    if (launcher_start(launcher, &process, &helper, NULL, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(process_end(&process, 60000), 0);
    assert_string_equal(output(*state, "cat said"),
                        "-o BatchMode=yes -o SendEnv=GIT_PROTOCOL -o ConnectTimeout=7 -p 22 me@h "
                        "git-upload-pack '/x' ");
    launcher_close(launcher);
    assert_int_equal(lost, 0);
}

static void what_cannot_be_started_is_said(void **state)
{
    const struct helper helper = {HELPER_SSH, "/no/url", 7};
    struct process process;
    struct error e = {0};
    unsigned lost;

    (void)state;
    struct launcher *launcher = begin(&lost);
    assert_int_equal(launcher_start(launcher, &process, &helper, NULL, &e), -EINVAL);
    assert_string_equal(e.text, "not a URL of that kind");
    char *longest = calloc(1, LAUNCHER_SUBJECT + 1);
    assert_non_null(longest);
    memset(longest, 'x', LAUNCHER_SUBJECT);
    const struct helper longer = {HELPER_SSH, longest, 7};
    assert_int_equal(launcher_start(launcher, &process, &longer, NULL, &e), -EINVAL);
    assert_string_equal(e.text, "the URL is too long");
    free(longest);
    launcher_close(launcher);
    assert_int_equal(lost, 0);
}

/* By those who want to read from it, too. */
static void an_ssh_that_cannot_be_started_is_no_stream(void **state)
{
    struct net_settings settings = {.connect_timeout = 7};
    struct stream stream;
    struct error e = {0};
    unsigned lost;

    (void)state;
    settings.launcher = begin(&lost);
    assert_int_equal(ssh_open(&stream, "/no/url", "its name", &settings, NULL, &e), -EINVAL);
    assert_string_equal(e.text, "its name: not a URL of that kind");
    launcher_close(settings.launcher);
    assert_int_equal(lost, 0);
}

static void git_s_configuration_is_handed_over(void **state)
{
    struct gitconfig *config;
    struct error e = {0};
    unsigned lost;

    run(*state, "git config --global http.proxy p");
    struct launcher *launcher = begin(&lost);
    assert_int_equal(launcher_config(launcher, &config, &e), 0);
    assert_string_equal(gitconfig_get(config, "http.proxy"), "p");
    gitconfig_free(config);
    launcher_close(launcher);
}

static void a_configuration_that_cannot_be_read_is_said(void **state)
{
    struct gitconfig *config = NULL;
    struct error e = {0};
    unsigned lost;

    run(*state, "echo '[broken' >.gitconfig");
    struct launcher *launcher = begin(&lost);
    assert_true(launcher_config(launcher, &config, &e) < 0);
    assert_non_null(strstr(e.text, ".gitconfig"));
    assert_null(config);
    launcher_close(launcher);
    assert_int_equal(lost, 0);
}

static void descriptors_come_with_a_message(void **state)
{
    int pair[2], fds[LAUNCHER_FDS];
    size_t count = 9;
    char text[10];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(launcher_message_send(pair[0], "a", 2, "b", 2, NULL, 0), 0);
    assert_int_equal(launcher_message_receive(pair[1], text, 2, text + 2, 8, fds, &count), 4);
    assert_memory_equal(text, "a\0b", 4);
    assert_int_equal(count, 0);
    for (size_t sent = 1; sent <= LAUNCHER_FDS; sent++) {
        const int all[LAUNCHER_FDS] = {pair[0], pair[0], pair[0], pair[0]};

        assert_int_equal(launcher_message_send(pair[0], "a", 2, NULL, 0, all, sent), 0);
        assert_int_equal(launcher_message_receive(pair[1], text, 2, NULL, 0, fds, &count), 2);
        assert_int_equal(count, sent);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
            close(fds[i]);
        }
    }
    /* One that is too long is none, and what came with it is closed. */
    assert_int_equal(launcher_message_send(pair[0], "abc", 4, NULL, 0, &pair[0], 1), 0);
    size_t before = open_descriptors();
    assert_int_equal(launcher_message_receive(pair[1], text, 2, NULL, 0, fds, &count), -EMSGSIZE);
    assert_int_equal(count, 0);
    assert_int_equal(open_descriptors(), before);
    close(pair[0]);
    assert_int_equal(launcher_message_receive(pair[1], text, 2, NULL, 0, fds, &count), 0);
    close(pair[1]);
}

static void *serve(void *socket)
{
    launcher_serve(*(int *)socket);
    return NULL;
}

/* A launcher in a thread: what is said to it is said here. */
struct served {
    int pair[2];
    pthread_t thread;
};

static void begin_served(struct served *served)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, served->pair), 0);
    assert_int_equal(pthread_create(&served->thread, NULL, serve, &served->pair[1]), 0);
}

static void end_served(struct served *served)
{
    close(served->pair[0]);
    pthread_join(served->thread, NULL);
    close(served->pair[1]);
}

static struct launcher_reply ask(struct served *served, const struct launcher_request *request,
                                 int fds[LAUNCHER_FDS])
{
    struct launcher_reply reply;
    size_t count;

    assert_int_equal(
        launcher_message_send(served->pair[0], request, sizeof *request, "ssh://h/x", 10, NULL, 0),
        0);
    assert_int_equal(
        launcher_message_receive(served->pair[0], &reply, sizeof reply, NULL, 0, fds, &count),
        sizeof reply);
    return reply;
}

static int ask_of(struct served *served, enum launcher_question question, pid_t pid, int number)
{
    const struct launcher_request request = {.question = question, .pid = pid, .number = number};
    int fds[LAUNCHER_FDS];

    return ask(served, &request, fds).result;
}

static pid_t start_program(struct served *served, int fds[LAUNCHER_FDS])
{
    const struct launcher_request request = {.question = LAUNCHER_START, .kind = HELPER_SSH};
    struct launcher_reply reply = ask(served, &request, fds);

    assert_int_equal(reply.result, 0);
    return reply.pid;
}

static void close_all(int fds[LAUNCHER_FDS])
{
    for (int i = 0; i < LAUNCHER_FDS; i++)
        close(fds[i]);
}

static void wait_for(int fd)
{
    assert_int_equal(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 60000), 1);
}

/* No worker of ours sends any: they are closed, or one that was taken over would use them up. */
static void descriptors_that_a_worker_sends_are_not_kept(void **state)
{
    const struct launcher_request request = {.question = 99};
    struct launcher_reply reply;
    struct served served;
    int fds[LAUNCHER_FDS];
    size_t count;

    (void)state;
    begin_served(&served);
    assert_int_equal(ask_of(&served, 99, 0, 0), -EINVAL); /* it has started by now */
    size_t before = open_descriptors();
    for (size_t sent = 0; sent <= LAUNCHER_FDS; sent++) {
        const int all[LAUNCHER_FDS] = {0, 1, 2, served.pair[0]};

        assert_int_equal(
            launcher_message_send(served.pair[0], &request, sizeof request, NULL, 0, all, sent), 0);
        assert_int_equal(
            launcher_message_receive(served.pair[0], &reply, sizeof reply, NULL, 0, fds, &count),
            sizeof reply);
        assert_int_equal(reply.result, -EINVAL);
        assert_int_equal(open_descriptors(), before);
    }
    end_served(&served);
}

/* A number may be another's by now, and most are nobody's here. */
static void only_what_was_started_and_not_reaped_gets_a_signal(void **state)
{
    int first[LAUNCHER_FDS], second[LAUNCHER_FDS];
    struct served served;

    (void)state;
    setenv("GIT_SSH_COMMAND", "sleep 1000 & read line; exit $line; :", 1);
    begin_served(&served);
    pid_t one = start_program(&served, first), two = start_program(&served, second);
    assert_int_equal(ask_of(&served, LAUNCHER_KILL, getpgrp(), 0), -ESRCH);
    assert_int_equal(ask_of(&served, LAUNCHER_REAP, getppid(), 0), -1);
    assert_int_equal(ask_of(&served, LAUNCHER_REAP, one, 0), -EAGAIN);
    assert_int_equal(write(first[0], "7\n", 2), 2);
    wait_for(first[3]);
    assert_int_equal(ask_of(&served, LAUNCHER_REAP, one, 0), 7);
    assert_int_equal(ask_of(&served, LAUNCHER_REAP, one, 0), -1);
    assert_int_equal(ask_of(&served, LAUNCHER_KILL, one, SIGKILL), -ESRCH);
    assert_int_equal(kill(-one, SIGKILL), 0); /* its group is still there */
    assert_int_equal(ask_of(&served, LAUNCHER_KILL, two, SIGKILL), 0);
    wait_for(second[3]);
    assert_int_equal(ask_of(&served, LAUNCHER_REAP, two, 0), -1);
    assert_int_equal(ask_of(&served, LAUNCHER_KILL, two, SIGKILL), -ESRCH);
    unsetenv("GIT_SSH_COMMAND");
    end_served(&served);
    close_all(first);
    close_all(second);
}

/* With all that they have started. */
static void what_runs_when_the_worker_has_gone_is_ended(void **state)
{
    struct served served;
    int fds[LAUNCHER_FDS];
    char byte;

    (void)state;
    setenv("GIT_SSH_COMMAND", "sleep 1000 & echo; wait; :", 1);
    begin_served(&served);
    pid_t pid = start_program(&served, fds);
    wait_for(fds[1]);
    assert_int_equal(read(fds[1], &byte, 1), 1);
    end_served(&served);
    unsetenv("GIT_SSH_COMMAND");
    wait_for(fds[1]);
    assert_int_equal(read(fds[1], &byte, 1), 0); /* nobody has it open any more */
    assert_int_equal(process_reap(pid, 0), -1);
    close_all(fds);
}

/* The thread ends once the program runs: ThreadSanitizer makes a fork of vfork, which does not wait for that. */
static void *start_sleep(void *data)
{
    static const char *const argv[] = {"sh", "-c", "echo; exec sleep 1000", NULL};
    static const char *const variables[] = {NULL};
    struct process *process = data;
    struct error e;

    assert_int_equal(process_start(process, argv, variables, &e), 0);
    wait_for(process->out);
    return NULL;
}

static void a_program_ends_with_the_thread_that_started_it(void **state)
{
    struct process process;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, start_sleep, &process), 0);
    pthread_join(thread, NULL);
    wait_for(process.ended);
    process_end(&process, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_started_is_what_was_asked_for),
        TEST(what_cannot_be_started_is_said),
        TEST(an_ssh_that_cannot_be_started_is_no_stream),
        TEST(git_s_configuration_is_handed_over),
        TEST(a_configuration_that_cannot_be_read_is_said),
        TEST(descriptors_come_with_a_message),
        TEST(descriptors_that_a_worker_sends_are_not_kept),
        TEST(only_what_was_started_and_not_reaped_gets_a_signal),
        TEST(what_runs_when_the_worker_has_gone_is_ended),
        TEST(a_program_ends_with_the_thread_that_started_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
