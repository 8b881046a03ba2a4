/* test_fence_pause.c - what a worker cannot open that came after its fence: seen, at most once a second for who asks often. The
 * fence holds for good, so it is closed in a process of its own. */
#include <sys/wait.h>

#include "fs/settings.h"
#include "fs/worker/fence.h"
#include "tests/unit/clock_of_test.h"
#include "tests/unit/sandbox.h"

static const char *network_file;

static int each_file(void *data, int (*visit)(void *visit_data, const char *path), void *visit_data)
{
    (void)data;
    return visit(visit_data, network_file);
}

static void check(bool is_right, int line)
{
    if (!is_right)
        _exit(line % 256 ? line % 256 : 1);
}

#define CHECK(condition) check(condition, __LINE__)

static struct fence *close_fence(const struct sandbox *box, struct settings *settings)
{
    static char *operands[] = {(char *)"ours/a.list"};
    static struct worker_start start = {.operands = operands, .operand_count = 1};
    struct fence *fence;
    struct error e = {0};

    start.settings = settings;
    start.folder = box->folder;
    start.each_file = each_file;
    network_file = "ours/file";
    CHECK(chdir(box->folder) == 0 && settings_init(settings) == 0);
    CHECK(fence_close(&fence, &start, "cache", NULL, &e) == 0);
    return fence;
}

static void in_its_process(const struct sandbox *box)
{
    struct settings settings;
    struct fence *fence = close_fence(box, &settings);

    network_file = "theirs/file";
    CHECK(fence_is_outdated(fence));
    CHECK(!fence_is_outdated_now_and_then(fence)); /* it was looked at when it was closed */
    test_now += 999;
    CHECK(!fence_is_outdated_now_and_then(fence));
    test_now += 1;
    CHECK(fence_is_outdated_now_and_then(fence));
    CHECK(!fence_is_outdated_now_and_then(fence));
    test_now += 1000;
    CHECK(fence_is_outdated_now_and_then(fence));
    network_file = "ours/new";
    CHECK(!fence_is_outdated(fence));
    fence_free(fence);
    settings_release(&settings);
}

static void test_it_is_looked_at_once_a_second(void **state)
{
    int status;

    run(*state, "mkdir cache ours theirs; touch ours/a.list ours/file ours/new theirs/file");
    pid_t child = fork();
    if (child == 0) {
        in_its_process(*state);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0)
        fail_msg("line %d", WEXITSTATUS(status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_is_looked_at_once_a_second, sandbox_open,
                                        sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
