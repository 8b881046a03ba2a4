/* test_run_as.c - option user=: whom a mount's workers become, and whom they do not. Only root becomes anybody. */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "fs/worker/run_as.h"
#include "tests/unit/apart.h"
#include "tests/unit/sandbox.h"

/* A name that every system has; and numbers that nobody has. */
#define SOMEBODY "nobody"
#define UID      54321
#define GID      54322
#define NUMBERS  "54321:54322"

static struct settings as(const char *user)
{
    return (struct settings){.user = (char *)user, .cache = (char *)"cache"};
}

/* ---- becoming ---- */

static void be_root_in_a_shell(void)
{
    static const char *const names[] = {
        "HOME",           "USER",           "LOGNAME",        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"};
    const gid_t groups[] = {0, 6, GID + 1};

    CHECK(setgroups(3, groups) == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK(setenv(names[i], "root's", 1) == 0);
}

static void check_is(uid_t uid, gid_t gid)
{
    uid_t uids[3];
    gid_t gids[3], groups[100];

    CHECK(getresuid(&uids[0], &uids[1], &uids[2]) == 0);
    CHECK(getresgid(&gids[0], &gids[1], &gids[2]) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(uids[i] == uid && gids[i] == gid);
    int count = getgroups(100, groups);
    CHECK(count >= 1);
    for (int i = 0; i < count; i++)
        CHECK(groups[i] != 0 && groups[i] != 6 && groups[i] != GID + 1);
}

static void check_environment(const char *home, const char *name)
{
    CHECK(strcmp(getenv("HOME"), home) == 0);
    CHECK(strcmp(getenv("USER"), name) == 0 && strcmp(getenv("LOGNAME"), name) == 0);
    CHECK(!getenv("XDG_CONFIG_HOME") && !getenv("XDG_CACHE_HOME") && !getenv("XDG_STATE_HOME") &&
          !getenv("XDG_RUNTIME_DIR"));
}

static void enter_by_number(void *data)
{
    struct settings settings = as(NUMBERS);
    int death_signal;

    (void)data;
    be_root_in_a_shell();
    CHECK(run_as_enter(&settings, SIGKILL, NULL) == 0);
    check_is(UID, GID);
    check_environment("/", "");
    CHECK(setuid(0) < 0);
    CHECK(prctl(PR_GET_PDEATHSIG, &death_signal) == 0 && death_signal == SIGKILL);
}

static void enter_by_name(void *data)
{
    const struct passwd *entry = getpwnam(SOMEBODY);
    struct settings settings = as(data);
    char home[200];

    CHECK(entry != NULL);
    snprintf(home, sizeof home, "%s", entry->pw_dir);
    uid_t uid = entry->pw_uid;
    gid_t gid = strchr(data, ':') ? getgrnam("daemon")->gr_gid : entry->pw_gid;
    be_root_in_a_shell();
    CHECK(run_as_enter(&settings, 0, NULL) == 0);
    check_is(uid, gid);
    check_environment(home, SOMEBODY);
}

/* Whoever is that user already, and whoever is not root. */
static void enter_as_somebody(void *data)
{
    struct settings same = as(data), other = as("daemon");
    struct error error;

    CHECK(setresuid(UID, UID, UID) == 0);
    CHECK(run_as_enter(&same, 0, NULL) == 0);
    CHECK(run_as_enter(&other, 0, &error) == -EPERM);
    CHECK(strcmp(error.text, "option user=daemon: only root can run a mount as another user") == 0);
}

static void whom_a_worker_becomes(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    run_apart(enter_by_number, NULL);
    run_apart(enter_by_name, (void *)SOMEBODY);
    run_apart(enter_by_name, (void *)SOMEBODY ":daemon");
    run_apart(enter_as_somebody, (void *)NUMBERS);
}

/* ---- before the mount ---- */

static void assert_prepared(const char *user, int expected, const char *said)
{
    struct settings settings = as(user);
    struct error error = {0};

    assert_int_equal(run_as_prepare(&settings, &error), expected);
    if (expected < 0 && !strstr(error.text, said))
        fail_msg("%s: %s", user, error.text);
}

static void whom_it_cannot_become(void **state)
{
    (void)state;
    assert_prepared("no-such-user", -EINVAL, "there is no such user");
    assert_prepared("54321x", -EINVAL, "there is no such user");
    assert_prepared("-1:1", -EINVAL, "there is no such user");
    assert_prepared("4294967295:1", -EINVAL, "there is no such user"); /* to change nothing */
    assert_prepared("54321", -EINVAL, "no user has that number; give UID:GID");
    assert_prepared("54321:no-such-group", -EINVAL, "there is no such group");
    assert_prepared("54321:4294967295", -EINVAL, "there is no such group");
    assert_prepared("54321:", -EINVAL, "there is no such group");
}

static void its_cache_is_its_own(void **state)
{
    const struct sandbox *box = *state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chdir(box->folder), 0);
    assert_prepared(NUMBERS, 0, NULL);
    assert_string_equal(output(box, "stat -c '%%u:%%g %%a' cache"), NUMBERS " 700");
    assert_prepared(NUMBERS, 0, NULL);
    assert_prepared(SOMEBODY, -EACCES, "the cache cache belongs to another user");
    run(box, "chown 0 cache");
    assert_prepared(NUMBERS, -EACCES, "`chown -R " NUMBERS " cache`");
    assert_int_equal(chdir("/"), 0);
}

static void its_files_are_its_own_for_a_while(void **state)
{
    const struct sandbox *box = *state;
    struct settings settings = as(NUMBERS);

    if (geteuid() != 0)
        skip();
    run(box, "chmod 777 .");
    assert_int_equal(chdir(box->folder), 0);
    run_as_lend(&settings);
    close(open("lent", O_WRONLY | O_CREAT, 0600));
    run_as_take_back();
    close(open("root", O_WRONLY | O_CREAT, 0600));
    assert_string_equal(output(box, "stat -c %%u:%%g lent"), NUMBERS);
    assert_string_equal(output(box, "stat -c %%u:%%g root"), "0:0");
    assert_int_equal(chdir("/"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whom_a_worker_becomes),
        cmocka_unit_test(whom_it_cannot_become),
        cmocka_unit_test(its_cache_is_its_own),
        cmocka_unit_test(its_files_are_its_own_for_a_while),
    };
    return cmocka_run_group_tests(tests, sandbox_open, sandbox_close);
}
