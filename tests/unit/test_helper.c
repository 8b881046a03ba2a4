/* test_helper.c - the programs that are started for us: which one, with which arguments and environment, by git's configuration. */
#include <signal.h>

#include "gitcache/base/clock.h"
#include "gitcache/net/helper.h"
#include "tests/unit/sandbox.h"

/* Programs of these names say what they were started with. */
static int make_programs(void **state)
{
    char path[4096];

    if (sandbox_open(state) != 0)
        return -1;
    run(*state, "mkdir bin; printf '%%s\n' '#!/bin/sh' 'echo \"${0##*/} $* <$GIT_PROTOCOL "
                "$GIT_NO_LAZY_FETCH$GIT_DIR$GIT_TERMINAL_PROMPT>\" >said'"
                " >bin/ssh; chmod +x bin/ssh; for name in plink putty tortoiseplink git; do cp "
                "bin/ssh bin/$name; done");
    snprintf(path, sizeof path, "%s/bin:%s", ((struct sandbox *)*state)->folder, getenv("PATH"));
    setenv("PATH", path, 1);
    setenv("GIT_DIR", "/elsewhere", 1);
    return chdir(((struct sandbox *)*state)->folder);
}

static int remove_programs(void **state)
{
    assert_int_equal(chdir("/"), 0);
    return sandbox_close(state);
}

/* Starts it, with that in git's configuration; what it said is in the file `said`. */
static int start(const struct sandbox *box, enum helper_kind kind, const char *subject,
                 const char *text, struct error *e)
{
    const struct helper helper = {kind, subject, 7};
    struct process process;
    struct gitconfig *config;
    char path[100];
    int r;

    snprintf(path, sizeof path, "%s/config", box->folder);
    setenv("GIT_CONFIG_GLOBAL", path, 1);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(gitconfig_load(&config, e), 0);
    r = helper_start(&process, &helper, config, e);
    if (r == 0)
        assert_int_equal(process_end(&process, 60000), 0);
    gitconfig_free(config);
    return r;
}

#define URL     "ssh://me@h:77/x"
#define OPENSSH "-o BatchMode=yes -o SendEnv=GIT_PROTOCOL -o ConnectTimeout=7 "
#define X       "me@h git-upload-pack '/x' <version=2 /elsewhere>"

static void ssh_is_started_as_git_does_it(void **state)
{
    static const struct {
        const char *variable, *value, *config, *url, *said;
    } cases[] = {
        {"GIT_SSH", "", "", URL, "ssh " OPENSSH "-p 77 " X},
        {"GIT_SSH", "", "", "ssh://me@h/x", "ssh " OPENSSH X},
        {"GIT_SSH", "", "", "h:a b",
         "ssh " OPENSSH "h git-upload-pack 'a b' <version=2 /elsewhere>"},
        {"GIT_SSH", "", "", "h:it's!",
         "ssh " OPENSSH "h git-upload-pack 'it'\\''s'\\!'' <version=2 /elsewhere>"},
        {"GIT_SSH", "", "[protocol]\nversion = 0\n", "h:x",
         "ssh " OPENSSH "h git-upload-pack 'x' < /elsewhere>"},
        {"GIT_SSH", "", "[core]\nsshCommand = plink -v\n", URL, "plink -v -P 77 " X},
        {"GIT_SSH", "plink", "", URL, "plink -P 77 " X},
        {"GIT_SSH", "bin/plink", "", URL, "plink -P 77 " X},
        {"GIT_SSH", "tortoiseplink", "", URL, "tortoiseplink -batch -P 77 " X},
        {"GIT_SSH", "plink", "[core]\nsshCommand = ssh -4\n", URL, "ssh -4 " OPENSSH "-p 77 " X},
        {"GIT_SSH_COMMAND", "putty -v", "", URL, "putty -v -P 77 " X},
        {"GIT_SSH_COMMAND", "ssh -4", "[core]\nsshCommand = plink\n", URL,
         "ssh -4 " OPENSSH "-p 77 " X},
        {"GIT_SSH_COMMAND", "", "[core]\nsshCommand = plink\n", URL, "plink -P 77 " X},
        {"GIT_SSH_VARIANT", "Plink", "", URL, "ssh -P 77 " X},
        {"GIT_SSH_VARIANT", "ssh", "[core]\nsshCommand = plink\n", URL,
         "plink " OPENSSH "-p 77 " X},
        {"GIT_SSH_VARIANT", "auto", "[ssh]\nvariant = plink\n", URL, "ssh " OPENSSH "-p 77 " X},
        {"GIT_SSH_VARIANT", "auto", "[core]\nsshCommand = plink\n", URL, "plink -P 77 " X},
        {"GIT_SSH_VARIANT", "", "[ssh]\nvariant = plink\n", URL, "ssh -P 77 " X},
        {"GIT_SSH_VARIANT", "simple", "", "ssh://me@h/x", "ssh " X},
    };
    struct error e = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv(cases[i].variable, cases[i].value, 1);
        if (start(*state, HELPER_SSH, cases[i].url, cases[i].config, &e) != 0)
            fail_msg("%s", e.text);
        unsetenv(cases[i].variable);
        assert_string_equal(output(*state, "cat said"), cases[i].said);
    }
}

static void git_is_started_for_a_path_and_for_passwords(void **state)
{
    static const struct {
        enum helper_kind kind;
        const char *subject, *said;
    } cases[] = {
        {HELPER_UPLOAD_PACK, "/some where",
         "git -c uploadpack.allowFilter=true upload-pack -- /some where <version=2 1>"},
        {HELPER_UPLOAD_PACK, "file:///x%20y",
         "git -c uploadpack.allowFilter=true upload-pack -- /x y <version=2 1>"},
        {HELPER_CREDENTIAL, "fill", "git credential fill < /elsewhere0>"},
        {HELPER_CREDENTIAL, "approve", "git credential approve < /elsewhere0>"},
        {HELPER_CREDENTIAL, "reject", "git credential reject < /elsewhere0>"},
    };
    struct error e = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (start(*state, cases[i].kind, cases[i].subject, "", &e) != 0)
            fail_msg("%s", e.text);
        assert_string_equal(output(*state, "cat said"), cases[i].said);
    }
}

static void nothing_else_is_started(void **state)
{
    static const struct {
        enum helper_kind kind;
        const char *subject, *config;
        int errnum;
        const char *sentence;
    } cases[] = {
        {HELPER_SSH, "/x", "", EINVAL, "not a URL of that kind"},
        {HELPER_SSH, "https://h/x", "", EINVAL, "not a URL of that kind"},
        {HELPER_UPLOAD_PACK, "h:x", "", EINVAL, "not a URL of that kind"},
        {HELPER_CREDENTIAL, "erase", "", EINVAL, "git credential has no action 'erase'"},
        {(enum helper_kind)7, "h:x", "", EINVAL, "no such helper"},
        {HELPER_SSH, URL, "[ssh]\nvariant = simple\n", EINVAL,
         "the ssh that is configured (ssh.variant simple) takes no port"},
        {HELPER_SSH, URL, "[protocol \"ssh\"]\nallow = never\n", EACCES,
         "this URL: git's protocol.ssh.allow forbids the protocol ssh"},
        {HELPER_UPLOAD_PACK, "/x", "[protocol]\nallow = never\n", EACCES,
         "this URL: git's protocol.allow forbids the protocol file"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = {0};

        assert_int_equal(start(*state, cases[i].kind, cases[i].subject, cases[i].config, &e),
                         -cases[i].errnum);
        assert_int_equal(e.errnum, cases[i].errnum);
        assert_string_equal(e.text, cases[i].sentence);
    }
#ifndef __SANITIZE_THREAD__ /* it makes a fork of vfork, which does not say what failed */
    setenv("GIT_SSH", "no such program", 1);
    struct error e = {0};
    assert_int_equal(start(*state, HELPER_SSH, URL, "", &e), -EIO);
    assert_string_equal(e.text, "no such program cannot be started: No such file or directory; is "
                                "openssh-client installed?");
    unsetenv("GIT_SSH");
#endif
    assert_string_equal(output(*state, "ls said 2>&1 || :"),
                        "ls: cannot access 'said': No such file or directory");
}

/* Runs a script to its end, with A=1 added and B taken out. */
static int run_script(const char *script, unsigned grace)
{
    const char *const argv[] = {"sh", "-c", script, NULL}, *const variables[] = {"A=1", "B", NULL};
    struct process process;
    struct error e = {0};

    if (process_start(&process, argv, variables, &e) < 0)
        fail_msg("%s", e.text);
    return process_end(&process, grace);
}

static void a_process_begins_as_in_a_shell(void **state)
{
    static const struct {
        const char *script;
        int status;
    } cases[] = {
        {"exit 7", 7},
        {"[ $A = 1 ] && [ -z \"${B+x}\" ] && [ $AB = 2 ]", 0},
        {"read -r a b c d group rest </proc/$$/stat; [ $group = $$ ]", 0},
        {"kill -PIPE $$; exit 3", -1},
        {"kill -TERM $$; exit 3", -1},
    };
    sigset_t term, before;

    (void)state;
    setenv("A", "0", 1);
    setenv("B", "0", 1);
    setenv("AB", "2", 1);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &before);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (run_script(cases[i].script, 60000) != cases[i].status)
            fail_msg("%s", cases[i].script);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Also one that does not want to be. */
static void a_process_that_goes_on_is_ended(void **state)
{
    int64_t begun = clock_now();

    (void)state;
    assert_int_equal(run_script("sleep 20", 0), -1);
    assert_int_equal(run_script("trap '' TERM; for i in $(seq 20); do sleep 1; done", 100), -1);
    assert_in_range(clock_now() - begun, 0, 15000); /* none has ended by itself */
    struct process none = PROCESS_NONE;
    assert_int_equal(process_end(&none, 0), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_programs, remove_programs)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ssh_is_started_as_git_does_it),   TEST(git_is_started_for_a_path_and_for_passwords),
        TEST(nothing_else_is_started),         TEST(a_process_begins_as_in_a_shell),
        TEST(a_process_that_goes_on_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
