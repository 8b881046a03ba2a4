/* test_checking.c - what a check says of its sources: in their order, counted, and with the exit code of the first error. */
#include "sandbox.h"

#include "fs/sets/checking.h"

/* What a run said. */
static char on_stderr[4000], on_stdout[4000];

/* The descriptor's output until `end_taking`. */
static int begin_taking(int fd, FILE **file)
{
    int kept = dup(fd);

    *file = tmpfile();
    fflush(stdout);
    dup2(fileno(*file), fd);
    return kept;
}

static void end_taking(int fd, int kept, FILE *file, char *text, size_t size)
{
    fflush(stdout);
    dup2(kept, fd);
    close(kept);
    text[pread(fileno(file), text, size - 1, 0)] = '\0';
    fclose(file);
}

static bool online; /* for local repositories, which `git upload-pack` gives */

/* Checks these folders of the sandbox, whose names blanks part, or URLs; without a network. */
static int check(const struct sandbox *box, const char *sources, bool strict, bool quiet, bool json)
{
    const struct checking_options options = {
        .folders = true, .strict = strict, .gather.listings = online};
    struct settings settings;
    struct set set = {.type = TYPE_LANGUAGES};
    struct checking checking;
    struct error error;
    char names[200], *rest = names;
    FILE *files[2];

    assert_int_equal(settings_init(&settings), 0);
    settings.offline = !online;
    settings.quiet = quiet;
    free(settings.cache);
    assert_true(asprintf(&settings.cache, "%s/cache", box->folder) > 0);
    snprintf(names, sizeof names, "%s", sources);
    assert_int_equal(chdir(box->folder), 0);
    for (char *name; (name = strsep(&rest, " "));)
        assert_int_equal(set_add(&set, name, &error), 0);
    int code = checking_run(&checking, &settings, &set, &options, &error);
    *on_stderr = *on_stdout = '\0';
    if (code == 0) {
        int kept_stderr = begin_taking(STDERR_FILENO, &files[0]);
        int kept_stdout = begin_taking(STDOUT_FILENO, &files[1]);
        code = checking_report(&checking, json);
        end_taking(STDOUT_FILENO, kept_stdout, files[1], on_stdout, sizeof on_stdout);
        end_taking(STDERR_FILENO, kept_stderr, files[0], on_stderr, sizeof on_stderr);
    } else {
        snprintf(on_stderr, sizeof on_stderr, "%s", error.text);
    }
    checking_release(&checking);
    set_release(&set);
    settings_release(&settings);
    assert_int_equal(chdir("/"), 0);
    return code;
}

/* A start-point with that name and language, and more keys of its manifest. */
static void make(const struct sandbox *box, const char *name, const char *language,
                 const char *more)
{
    run(box,
        "mkdir %s; cd %s; touch a cyber-dojo.sh; chmod +x cyber-dojo.sh; echo '{\"display_name\": "
        "\"%s\", \"image_name\": \"a/b\", "
        "\"visible_filenames\": [\"a\", \"cyber-dojo.sh\"], \"filename_extension\": \".c\", "
        "\"language\": [\"%s\", \"1\"], "
        "\"test_framework\": [\"t\", \"\"]%s}' >manifest.json",
        name, name, name, language, more);
}

static void findings_are_counted(void **state)
{
    static const struct {
        const char *sources;
        bool strict, quiet;
        int code;
        const char *counts; /* "": nothing is said at all */
    } rows[] = {
        {"one", false, false, 0, ""},
        {"one same", false, false, 0, "\n1 warning\n"},
        {"one same", false, true, 0, ""},
        {"one same", true, false, 35, "\n1 error\n"},
        {"one same", true, true, 35, "\n1 error\n"},
        {"one same again", false, false, 0, "\n2 warnings\n"},
        {"bad", false, false, 41, "\n1 error\n"},
        {"bad", false, true, 41, "\n1 error\n"},
        {"worse", false, false, 41, "\n2 errors\n"},
        {"one bad same", false, false, 41, "\n1 error, 1 warning\n"},
        {"one same worse again", false, false, 41, "\n2 errors, 2 warnings\n"},
        {"broken bad", false, false, 17, "\n1 error\n"}, /* ends the check */
    };
    struct sandbox *box = *state;

    make(box, "one", "C", "");
    make(box, "same", "C", "");
    make(box, "again", "C", "");
    make(box, "bad", "D", ", \"tab_size\": 0");
    make(box, "worse", "E", ", \"tab_size\": 0, \"max_seconds\": 0");
    make(box, "broken", "F", ",");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(check(box, rows[i].sources, rows[i].strict, rows[i].quiet, false),
                         rows[i].code);
        size_t length = strlen(on_stderr), expected = strlen(rows[i].counts);
        if (!expected)
            assert_string_equal(on_stderr, "");
        else if (length <= expected)
            fail_msg("only '%s'", on_stderr);
        else
            assert_string_equal(on_stderr + length - expected, rows[i].counts);
        assert_string_equal(on_stdout, "");
    }
    assert_int_equal(check(box, "one", false, true, true), 0);
    assert_string_equal(on_stdout, "[]\n");
    assert_string_equal(on_stderr, "");
    assert_int_equal(check(box, "one same", false, true, true), 0);
    assert_non_null(strstr(on_stdout, "\"warning\""));
    assert_string_equal(on_stderr, "");
}

/* In a pipe each is one line, whatever COLUMNS says. */
static void what_cannot_be_fetched_is_a_finding(void **state)
{
    struct sandbox *box = *state;

    setenv("COLUMNS", "40", 1);
    assert_int_equal(check(box, "https://me:hush@h/x?tag=1 https://h/y", false, false, false), 3);
    assert_non_null(strstr(
        on_stderr,
        "https://h/x?tag=1: x/1 is not in the cache, and --offline forbids asking [3]\n"
        "https://h/y: y/(default branch) is not in the cache, and --offline forbids asking [3]\n"
        "2 errors\n"));
    unsetenv("COLUMNS");
}

/* Also where the sentence begins with it. */
static void a_finding_names_its_source_once(void **state)
{
    static const char source[] = "git://127.0.0.1:1/x";

    online = true;
    assert_int_equal(check(*state, source, false, false, false), 3);
    online = false;
    assert_int_equal(strncmp(on_stderr, source, strlen(source)), 0);
    assert_int_equal(strncmp(on_stderr + strlen(source), ": ", 2), 0);
    assert_int_not_equal(on_stderr[strlen(source) + 2], ':');
    assert_null(strstr(on_stderr + 1, source));
}

static void what_cannot_be_looked_at_ends_it(void **state)
{
    struct sandbox *box = *state;

    make(box, "deep", "C", "");
    run(box, "mkdir -p deep/$(printf 'd/%%.0s' $(seq 201))");
    assert_int_equal(check(box, "deep", false, false, false), -ELOOP);
    assert_ptr_equal(strstr(on_stderr, "deep: has folders nested more than 200 deep: d/d"),
                     on_stderr);
}

/* A repository with the start-point at two tags; the second has another image. */
static void make_repository(const struct sandbox *box)
{
    make(box, "repo", "C", "");
    run(box, "cd repo; git init -q; sed -i s,a/b,a/b:1, manifest.json; git add .; git commit -qm "
             "1; git tag 1;"
             "sed -i s,a/b:1,a/b:7, manifest.json; git commit -qam 2; git tag 2");
}

static void a_version_of_a_repository_is_checked(void **state)
{
    struct sandbox *box = *state;

    make_repository(box);
    online = true;
    assert_int_equal(check(box, "./repo?tag=1", false, false, false), 0);
    assert_string_equal(on_stderr, "");
    assert_int_equal(check(box, "./repo?tag=2", false, false, false), 0);
    assert_non_null(strstr(on_stderr, "7"));
    assert_non_null(strstr(on_stderr, "\n1 warning\n"));
    run(box, "cd repo; git branch -f 7");
    assert_int_equal(check(box, "./repo?tag=7", false, false, false), 0);
    assert_string_equal(on_stderr, ""); /* a branch is no tag, whatever its name */
    run(box, "cd repo; git branch 8");
    assert_int_equal(check(box, "./repo?tag=8", false, false, false), 0);
    assert_string_equal(on_stderr, "");
    /* A commit has no tag that its image could differ from. */
    const char *commit = output(box, "cd repo; git rev-parse 2");
    char source[100];
    snprintf(source, sizeof source, "%s@./repo", commit);
    assert_int_equal(check(box, source, false, false, false), 0);
    assert_string_equal(on_stderr, "");
    online = false;
}

static void a_tag_that_has_moved_is_told(void **state)
{
    struct sandbox *box = *state;

    make_repository(box);
    online = true;
    assert_int_equal(check(box, "./repo?tag=1", false, false, false), 0);
    run(box, "cd repo; git tag -f 1 2");
    assert_int_equal(check(box, "./repo?tag=1", false, false, false), 0);
    assert_non_null(strstr(on_stderr, "the tag 1 has moved at the remote, from "));
    assert_non_null(strstr(on_stderr, "\n1 warning\n"));
    assert_int_equal(check(box, "./repo?tag=1", true, false, false), 3);
    assert_non_null(strstr(on_stderr, "\n1 error\n"));
    online = false;
}

/* What cannot be read is no finding about the start-point. */
static void what_is_damaged_ends_it(void **state)
{
    struct sandbox *box = *state;

    make_repository(box);
    online = true;
    assert_int_equal(check(box, "./repo?tag=1", false, false, false), 0);
    online = false;
    run(box,
        "cd cache/file/$PWD/repo.git; mv objects/pack/*.pack ..; rm objects/pack/*;"
        "git unpack-objects -q <$(ls ../*.pack); file=$(git rev-parse refs/tags/1:manifest.json);"
        "rm -f objects/$(echo $file | sed s,..,\\&/,)");
    assert_int_equal(check(box, "./repo?tag=1", false, false, false), -EIO);
    assert_ptr_equal(strstr(on_stderr, "./repo?tag=1: "), on_stderr);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(findings_are_counted),
        TEST(what_cannot_be_fetched_is_a_finding),
        TEST(a_finding_names_its_source_once),
        TEST(what_cannot_be_looked_at_ends_it),
        TEST(a_version_of_a_repository_is_checked),
        TEST(a_tag_that_has_moved_is_told),
        TEST(what_is_damaged_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
