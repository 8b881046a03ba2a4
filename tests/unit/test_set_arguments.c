/* test_set_arguments.c - the sources that `create` and `check` are given: which are refused, with which exit code and sentence. */
#include "sandbox.h"

#include "fs/cli/set_arguments.h"
#include "fs/exit.h"

/* What was said on stderr is in `said`. */
static char said[2000];

static int take(struct set *set, enum start_point_type type, size_t first,
                const char *const *operands)
{
    struct arguments arguments = {.operands = (char **)operands};
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);

    for (*set = (struct set){0}; operands[arguments.count]; arguments.count++)
        continue;
    assert_int_equal(settings_init(&arguments.settings), 0);
    arguments.settings.type = type;
    dup2(fileno(file), STDERR_FILENO);
    int code = set_arguments_take(set, &arguments, first);
    dup2(kept, STDERR_FILENO);
    close(kept);
    said[pread(fileno(file), said, sizeof said - 1, 0)] = '\0';
    fclose(file);
    settings_release(&arguments.settings);
    return code;
}

static void what_is_given_twice_is_refused(void **state)
{
    static const char *const rows[][5] = {
        /* the last two are what is named */
        {"https://h/a?tag=1", "https://h/a?tag=1", NULL, "https://h/a?tag=1", "https://h/a?tag=1"},
        {"https://h/a", "https://h/a", NULL, "https://h/a", "https://h/a"},
        {"https://h/a?tag=1", "https://h/a?tag=2", NULL, "", ""},
        {"https://h/a", "https://h/a?tag=1", NULL, "", ""},
        {"https://h/a?tag=1", "https://h/b?tag=1", NULL, "", ""},
        {"12345678@https://h/a", "1234567@https://h/a", NULL, "12345678@https://h/a",
         "1234567@https://h/a"},
        {"1234567@https://h/a", "12345678@https://h/a", NULL, "1234567@https://h/a",
         "12345678@https://h/a"},
        {"1234567@https://h/a", "1234568@https://h/a", NULL, "", ""},
        {"1234567@https://h/a", "1234567@https://h/b", NULL, "", ""},
    };
    struct set set;
    char expected[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool twice = *rows[i][3];
        assert_int_equal(take(&set, TYPE_LANGUAGES, 0, rows[i]), twice ? CODE_TWICE_LANGUAGES : 0);
        snprintf(expected, sizeof expected,
                 "startpointfs: a source is given twice: %s and %s; remove one of them\n",
                 rows[i][3], rows[i][4]);
        assert_string_equal(said, twice ? expected : "");
        set_release(&set);
    }
}

static void the_code_is_that_of_the_type(void **state)
{
    static const char *const twice[] = {"https://h/a", "https://h/a", NULL};
    struct set set;

    (void)state;
    for (int type = TYPE_LANGUAGES; type <= TYPE_CUSTOM; type++) {
        assert_int_equal(take(&set, (enum start_point_type)type, 0, twice),
                         type == TYPE_LANGUAGES   ? 13
                         : type == TYPE_EXERCISES ? 12
                                                  : 11);
        assert_int_equal(set.type, type);
        set_release(&set);
    }
}

/* Of several pairs the one that is complete first; with the places in their lists. */
static void the_first_repetition_is_named_with_its_places(void **state)
{
    struct sandbox *box = *state;
    char list[100], expected[400];
    const char *const operands[] = {"https://h/a", "https://h/b", list, "https://h/a", NULL};
    struct set set;

    run(box, "printf '# first\\nhttps://h/c\\nhttps://me:hush@h/b\\nhttps://h/b\\n' >list");
    snprintf(list, sizeof list, "%s/list", box->folder);
    assert_int_equal(take(&set, TYPE_CUSTOM, 0, operands), CODE_TWICE_CUSTOM);
    snprintf(expected, sizeof expected,
             "startpointfs: a source is given twice: https://h/b and %s:4: https://h/b; remove one "
             "of them\n",
             list);
    assert_string_equal(said, expected);
    set_release(&set);
}

static void what_else_is_refused(void **state)
{
    static const struct {
        enum start_point_type type;
        int code;
        const char *operands[3];
        const char *says;
    } rows[] = {
        {TYPE_CUSTOM,
         EXIT_USAGE,
         {"/nowhere/at/all", NULL},
         "/nowhere/at/all: no such file or folder, and not a URL\n"},
        {TYPE_CUSTOM,
         CODE_BAD_ARGUMENTS,
         {"https://h/a?colour=red", NULL},
         "unknown query key 'colour'"},
        {TYPE_CUSTOM, CODE_BAD_ARGUMENTS, {"https://h/a", "https://g/a"}, "claimed by "},
        {TYPE_NONE,
         CODE_BAD_ARGUMENTS,
         {"https://h/a", NULL},
         "say which type the start-points are: --languages, --exercises or --custom\n"},
    };
    struct set set;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(take(&set, rows[i].type, 0, rows[i].operands), rows[i].code);
        if (!strstr(said, rows[i].says))
            fail_msg("'%s' is not in '%s'", rows[i].says, said);
        set_release(&set);
    }
}

static void the_first_operand_may_be_a_name(void **state)
{
    static const char *const operands[] = {"the-name", "https://h/a", "https://h/b", NULL};
    char count[64];
    struct set set;

    (void)state;
    assert_int_equal(take(&set, TYPE_LANGUAGES, 1, operands), 0);
    assert_int_equal(set.sources.count, 2);
    assert_string_equal(set_arguments_count(&set, count), "2 start-points (languages)");
    set_release(&set);
    assert_int_equal(take(&set, TYPE_EXERCISES, 2, operands), 0);
    assert_string_equal(set_arguments_count(&set, count), "1 start-point (exercises)");
    set_release(&set);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_given_twice_is_refused),
        cmocka_unit_test(the_code_is_that_of_the_type),
        TEST(the_first_repetition_is_named_with_its_places),
        cmocka_unit_test(what_else_is_refused),
        cmocka_unit_test(the_first_operand_may_be_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
