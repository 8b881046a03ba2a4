/* test_privileges.c - what a worker, and its launcher, have given up for good. Only root has anything to give up. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fs/worker/privileges.h"
#include "tests/unit/apart.h"
#include "tests/unit/sandbox.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* A number of /proc/self/status. */
static uint64_t status(const char *key)
{
    char line[300];
    unsigned long long value = UINT64_MAX;
    FILE *file = fopen("/proc/self/status", "re");

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
            sscanf(line + strlen(key), ": %llx", &value);
    if (file)
        fclose(file);
    return value;
}

/* What a service's manager may have given: capabilities that come through exec. */
static void inherit_all(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2];

    CHECK(syscall(SYS_capget, &header, caps) == 0);
    for (int i = 0; i < 2; i++)
        caps[i].inheritable = caps[i].permitted;
    CHECK(syscall(SYS_capset, &header, caps) == 0);
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0) == 0);
    CHECK(status("CapInh") && status("CapAmb"));
}

static void check_left(uint64_t capabilities, uint64_t had)
{
    CHECK(status("CapPrm") == (capabilities & had));
    CHECK(status("CapEff") == (capabilities & had));
    CHECK(status("CapBnd") == (capabilities & had));
    CHECK(status("CapInh") == 0 && status("CapAmb") == 0);
    CHECK(status("NoNewPrivs") == 1);
    CHECK(prctl(PR_GET_DUMPABLE) == 0);
}

struct worker {
    const char *cache, *list; /* NULL: neither */
    bool is_folder;
    uint64_t left;
};

static void drop(void *data)
{
    const struct worker *worker = data;
    bool are_beyond = false;
    uint64_t had = status("CapPrm");

    inherit_all();
    CHECK(privileges_begin(NULL) == 0);
    if (worker->list)
        CHECK(privileges_find_beyond(&are_beyond, worker->list, worker->is_folder) == 0);
    CHECK(privileges_drop(worker->cache, are_beyond, NULL) == 0);
    check_left(worker->left, had);
}

static void drop_launcher(void *data)
{
    uint64_t had = status("CapPrm");

    (void)data;
    inherit_all();
    CHECK(privileges_drop_launcher(NULL) == 0);
    check_left(BIT(CAP_DAC_READ_SEARCH), had);
}

static void what_a_worker_keeps(void **state)
{
    static const struct worker workers[] = {
        {"ours", NULL, false, 0},
        {"none", NULL, false, 0},
        {"theirs", NULL, false, BIT(CAP_DAC_OVERRIDE)},
        {"ours", "theirs/secret.list", false, BIT(CAP_DAC_READ_SEARCH)},
        {"ours", "theirs/a.list", false, 0},
        {"ours", "ours/none.list", false, 0},
        {"ours", "theirs/folder", true, BIT(CAP_DAC_READ_SEARCH)}, /* its names, but no list */
        {"ours", "theirs", true, 0},
        {"theirs", "theirs/secret.list", false, BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH)},
    };
    const struct sandbox *box = *state;

    if (geteuid() != 0)
        skip();
    run(box, "mkdir -p ours theirs/folder; touch theirs/a.list theirs/secret.list;"
             "chmod 755 theirs; chmod 744 theirs/folder; chmod 600 theirs/secret.list;"
             "chown -R 65534 theirs");
    assert_int_equal(chdir(box->folder), 0);
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++)
        run_apart(drop, (void *)&workers[i]);
    assert_int_equal(chdir("/"), 0);
}

static void what_a_launcher_keeps(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    run_apart(drop_launcher, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_worker_keeps),
        cmocka_unit_test(what_a_launcher_keeps),
    };
    return cmocka_run_group_tests(tests, sandbox_open, sandbox_close);
}
