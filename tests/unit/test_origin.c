/* test_origin.c - what `serve` makes of what it was given: a folder, lists and sets, each start-point at its place; and what it says of
 * what cannot be served. From local repositories. */
#include "tests/unit/sandbox.h"

#include "fs/service/load.h"

#define MOST 4 /* operands */

/* Repositories of one start-point each, whose branch and tag 1 show their own name. */
static int make_repositories(void **state)
{
    if (sandbox_open(state) != 0)
        return -1;
    run_once(
        *state,
        "mkdir sets; for name in a b c broken; do git init -q $name; cd $name; mkdir start_point;"
        "printf '{\"display_name\":\"%%s\",\"image_name\":\"i:1\",\"visible_filenames\":[\"f\"]}' "
        "$name "
        ">start_point/manifest.json; echo x >start_point/f; [ $name != broken ] || rm "
        "start_point/f;"
        "git add .; git commit -qm 1; git tag 1; cd ..; done");
    return 0;
}

struct origin {
    struct settings settings;
    char *operands[MOST];
    struct load_origin load;
};

/* Of operands of the sandbox, whose names blanks part. */
static void origin_open(struct origin *origin, const struct sandbox *box, const char *operands)
{
    char path[200], copy[500], *rest = copy, *name;

    *origin =
        (struct origin){.load = {.settings = &origin->settings, .operands = origin->operands}};
    assert_int_equal(settings_init(&origin->settings), 0);
    snprintf(path, sizeof path, "%s/cache", box->folder);
    assert_int_equal(settings_folder(&origin->settings.cache, path), 0);
    snprintf(path, sizeof path, "%s/sets", box->folder);
    assert_int_equal(settings_folder(&origin->settings.sets, path), 0);
    snprintf(copy, sizeof copy, "%s", operands);
    while ((name = strsep(&rest, " ")))
        if (*name)
            origin->operands[origin->load.count++] = strdup(name);
    assert_int_equal(chdir(box->folder), 0);
}

static void origin_close(struct origin *origin)
{
    for (size_t i = 0; i < origin->load.count; i++)
        free(origin->operands[i]);
    settings_release(&origin->settings);
    assert_int_equal(chdir("/"), 0);
}

/* The names that are served then, or why none are. */
static const char *load(struct origin *origin, bool newest, struct load_notes *notes)
{
    static char said[2000];
    struct catalogue *catalogue;
    struct error e = {0};
    int r = load_check(&origin->load, &e);

    if (r == 0)
        r = load_run(&catalogue, notes, &origin->load, newest, &e);
    if (r < 0) {
        assert_int_equal(e.errnum, -r);
        snprintf(said, sizeof said, "%s", e.text);
        return said;
    }
    snprintf(said, sizeof said, "%.*s", (int)catalogue->names.size, catalogue->names.text);
    catalogue_put(catalogue);
    return said;
}

static void assert_served(const struct sandbox *box, const char *operands, const char *expected)
{
    struct load_notes notes = {.has_branches = true};
    struct origin origin;

    origin_open(&origin, box, operands);
    const char *said = load(&origin, false, &notes);
    if (!strstr(said, expected))
        fail_msg("%s: %s", operands, said);
    assert_false(notes.has_branches);
    origin_close(&origin);
}

/* What cannot be served is said before anything is listened to, and nothing is fetched for that. */
static void assert_refused(const struct sandbox *box, const char *operands, int errnum,
                           const char *expected)
{
    struct origin origin;
    struct error e = {0};

    origin_open(&origin, box, operands);
    assert_int_equal(load_check(&origin.load, &e), -errnum);
    if (!strstr(e.text, expected))
        fail_msg("%s: %s", operands, e.text);
    assert_int_equal(access("cache", F_OK), -1);
    origin_close(&origin);
}

static void a_folder_stands_alone(void **state)
{
    struct origin origin;

    run(*state,
        "mkdir -p repos/0 repos/1 lists; cp -r a/start_point repos/0; cp -r b/start_point repos/1;"
        "echo './c?tag=1' >lists/c.list");
    assert_served(*state, "repos", "{\"names\":[\"a\",\"b\"]}");
    assert_refused(*state, "repos lists", EINVAL,
                   "repos is a folder of start-points: serve it alone");
    assert_refused(*state, "lists repos", EINVAL,
                   "repos is a folder of start-points: serve it alone");
    origin_open(&origin, *state, "lists repos");
    assert_string_equal(load_folder(&origin.load), "repos");
    origin_close(&origin);
    run(*state, "mkdir empty"); /* for what is to come */
    assert_served(*state, "empty", "{\"names\":[]}");
    origin_open(&origin, *state, "empty");
    assert_string_equal(load_folder(&origin.load), "empty");
    origin_close(&origin);
    origin_open(&origin, *state, "lists a");
    assert_null(load_folder(&origin.load));
    origin_close(&origin);
}

static void lists_and_sets_are_one(void **state)
{
    run(*state,
        "echo './c?tag=1' >c.list; printf '# startpointfs set\n%%s/b?tag=1\n' $PWD >sets/bees");
    assert_served(*state, "c.list bees", "{\"names\":[\"b\",\"c\"]}");
    assert_served(*state, "c.list ./a?tag=1 bees", "{\"names\":[\"a\",\"b\",\"c\"]}");
    assert_served(*state, "", "{\"names\":[]}");
}

/* As the services find the folders 0, 1, 10, 2: of those that have the same name the last is served. */
static void the_tenth_comes_before_the_second(void **state)
{
    run(*state, "for i in 0 1 2 3 4 5 6 7 8 9 10; do cp -r a r$i; cd r$i; sed -i s/i:1/i:$i/ "
                "start_point/manifest.json;"
                "git commit -q --allow-empty -am $i; git tag two; cd ..; echo \"./r$i?tag=two\" "
                ">>many.list; done");
    struct load_notes notes;
    struct origin origin;
    struct catalogue *catalogue;
    struct error e = {0};

    origin_open(&origin, *state, "many.list");
    assert_int_equal(load_run(&catalogue, &notes, &origin.load, false, &e), 0);
    assert_int_equal(catalogue->count, 1);
    assert_non_null(memmem(catalogue->image_names.text, catalogue->image_names.size, "i:9", 3));
    assert_null(memmem(catalogue->image_names.text, catalogue->image_names.size, "i:10", 4));
    catalogue_put(catalogue);
    origin_close(&origin);
}

static void what_there_is_not_is_said_at_once(void **state)
{
    run(*state, "echo 'no?such=key' >faulty.list; printf './a?tag=1\n./a?tag=1\n' >twice.list");
    assert_refused(*state, "none", ENOENT,
                   "no set, list or folder 'none': 'startpointfs ls' lists the sets");
    assert_refused(*state, "./a?tag=1 none", ENOENT, "no set, list or folder 'none'");
    assert_refused(*state, "faulty.list", EINVAL, "faulty.list:1");
}

static void one_that_cannot_be_served_fails_all(void **state)
{
    assert_served(*state, "./a?tag=1 ./broken?tag=1", "broken?tag=1: ");
    assert_served(*state, "./a?tag=2 ./b?tag=1", "a?tag=2: ");
    run(*state, "mkdir -p repos; cp -r broken/start_point repos");
    assert_served(*state, "repos", "repos: ");
}

/* Of branches it says that they may have moved; and asks their remotes if it shall. */
static void branches_are_what_they_are_now(void **state)
{
    static const struct {
        bool newest, is_offline;
        const char *expected;
    } cases[] = {{false, false, "[\"a\"]"}, {true, true, "[\"a\"]"}, {true, false, "[\"A\"]"}};
    struct load_notes notes = {0};
    struct origin origin;

    origin_open(&origin, *state, "./a?tag=main ./b?tag=1");
    assert_non_null(strstr(load(&origin, false, &notes), "[\"a\",\"b\"]"));
    assert_true(notes.has_branches);
    origin_close(&origin);
    run(*state, "cd a; sed -i 's/\"a\"/\"A\"/' start_point/manifest.json; git commit -qam 2");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        origin_open(&origin, *state, "./a?tag=main");
        origin.settings.offline = cases[i].is_offline;
        const char *said = load(&origin, cases[i].newest, &notes);
        if (!strstr(said, cases[i].expected))
            fail_msg("%zu: %s", i, said);
        origin_close(&origin);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_repositories, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(a_folder_stands_alone),
        TEST(lists_and_sets_are_one),
        TEST(the_tenth_comes_before_the_second),
        TEST(what_there_is_not_is_said_at_once),
        TEST(one_that_cannot_be_served_fails_all),
        TEST(branches_are_what_they_are_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
