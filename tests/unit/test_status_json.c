/* test_status_json.c - what status.json says of versions that lists name and that cannot be had. */
#include <jansson.h>

#include "fs/worker/status.h"
#include "tests/unit/mounted.h"

#define MANY 22 /* commits that a list names and that are not there */

/* The versions of the only repository, as status.json has them. */
static json_t *versions(struct mounted *mounted)
{
    char *text = status_make(&mounted->mount);
    assert_non_null(text);
    json_t *status = json_loads(text, 0, NULL);
    assert_non_null(status);
    json_t *repo = json_array_get(json_object_get(status, "repositories"), 0);
    json_t *found = json_incref(json_object_get(repo, "versions"));

    json_decref(status);
    free(text);
    assert_non_null(found);
    return found;
}

static const char *text_of(json_t *version, const char *key)
{
    return json_string_value(json_object_get(version, key));
}

static void test_each_commit_that_a_list_names_and_that_is_not_there_says_why(void **state)
{
    struct mounted mounted;
    json_t *found, *version;
    size_t i, failed = 0;

    make_repository(*state);
    run(*state, "for i in $(seq %d); do printf '%%040x@./repo\\n' $i; done >many.list", MANY);
    mounted_open(&mounted, state, "./many.list");
    ask_sources_later(&mounted.mount);
    settle(&mounted);
    found = versions(&mounted);
    json_array_foreach (found, i, version) {
        const char *error = text_of(version, "error");
        failed += strcmp(text_of(version, "state"), "failed") == 0 && error && *error;
    }
    assert_int_equal(failed, MANY);
    json_decref(found);
    mounted_close(&mounted);
}

/* Whoever looks ids up that nobody has leaves nothing. */
static void test_commits_that_somebody_made_up_are_not_in_it(void **state)
{
    struct mounted mounted;
    char name[41];
    uint32_t node;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t repo = walk(&mounted, "repo");
    for (int i = 1; i <= 2; i++) {
        snprintf(name, sizeof name, "%040x", i);
        assert_int_equal(look_up(&mounted, repo, name, &node), -ENOENT);
    }
    json_t *found = versions(&mounted);
    for (size_t i = 0; i < json_array_size(found); i++)
        assert_true(strlen(text_of(json_array_get(found, i), "name")) < 40);
    assert_true(json_array_size(found) > 0);
    json_decref(found);
    mounted_close(&mounted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_each_commit_that_a_list_names_and_that_is_not_there_says_why, sandbox_open,
            sandbox_close),
        cmocka_unit_test_setup_teardown(test_commits_that_somebody_made_up_are_not_in_it,
                                        sandbox_open, sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
