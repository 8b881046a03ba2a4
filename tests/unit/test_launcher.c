/* The small process that starts programs for a worker, and what the two say to each other. */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "gitcache/net/launcher.h"
#include "gitcache/net/launcher_message.h"
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_started_is_what_was_asked_for),
        TEST(what_cannot_be_started_is_said),
        TEST(git_s_configuration_is_handed_over),
        TEST(descriptors_come_with_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
