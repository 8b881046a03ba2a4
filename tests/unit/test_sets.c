/* test_sets.c - names of sets, and their files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/sets/set.h"
#include "fs/sets/sets.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER  "fedcba9876543210fedcba9876543210fedcba98"

struct fixture {
    char folder[PATH_MAX];
    char sets[PATH_MAX + 16];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    const char *temporary = getenv("TMPDIR");

    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "%s/sets-XXXXXX",
             temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->sets, sizeof fixture->sets, "%s/a/sets", fixture->folder);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char *command;

    assert_true(asprintf(&command, "rm -rf '%s'", fixture->folder) > 0);
    assert_int_equal(system(command), 0);
    free(command);
    free(fixture);
    return 0;
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char *path;

    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

/* A set with these arguments, not recorded yet. */
static struct set make(const char *name, const char *const *arguments)
{
    struct set set = {.name = strdup(name), .type = TYPE_LANGUAGES, .made_at = 1700000000};
    struct error error;

    for (; *arguments; arguments++)
        assert_int_equal(set_add(&set, *arguments, &error), 0);
    return set;
}

static void save(const struct fixture *fixture, const char *name)
{
    struct set set = make(name, (const char *const[]){"https://h/x?tag=1", NULL});
    struct error error;

    assert_int_equal(set_pin(&set, 0, COMMIT, &error), 0);
    assert_int_equal(set_save(&set, fixture->sets, false, &error), 0);
    set_release(&set);
}

static void names(void **state)
{
    static const char *const good[] = {
        "pp", "acme/my-languages", "a.b_c-d", "A/B/c", "_", "0", "9/8", "azAZ09"};
    static const char *const bad[] = {"",    "/",    "a/",   "/a",   "a//b", ".",
                                      "..",  "../a", "a/..", "a/.b", "-a",   "a/-b",
                                      "a b", "a%b",  "a\nb", "ä",    "a\\b", "a:b"};
    const char *why;
    char long_name[202];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(set_name_is_valid(good[i], &why));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why = NULL;
        if (set_name_is_valid(bad[i], &why))
            fail_msg("'%s' must not be a name", bad[i]);
        assert_non_null(why);
    }
    static const struct {
        const char *name, *why;
    } clauses[] = {
        {"", "must have 1 to 200 characters"},
        {"a b", "may contain only letters, digits, '.', '_', '-' and '/'"},
        {"a/.b", "must begin with a letter, a digit or '_', also after each '/'"},
        {"a/", "must not end with '/'"},
    };
    for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++) {
        assert_false(set_name_is_valid(clauses[i].name, &why));
        assert_string_equal(why, clauses[i].why);
    }
    memset(long_name, 'a', 201);
    long_name[201] = '\0';
    assert_false(set_name_is_valid(long_name, NULL));
    long_name[200] = '\0';
    assert_true(set_name_is_valid(long_name, NULL));
}

/* What each kind of source becomes when it is recorded. */
static void pinned_lines(void **state)
{
    static const struct {
        const char *source, *pinned;
    } cases[] = {
        {"https://h/x?tag=3.7.4-19", "https://h/x?tag=3.7.4-19&commit=" COMMIT},
        {"https://h/x", "https://h/x?commit=" COMMIT},
        {"https://h/x.git", "https://h/x.git?commit=" COMMIT},
        {"0123456@https://h/x", COMMIT "@https://h/x"},
        {"0123456@https://h/x?name=y", COMMIT "@https://h/x?name=y"},
        {"https://h/x?name=y", "https://h/x?name=y&commit=" COMMIT},
        {"https://h/x?name=y%26z%25&tag=a/b%2B",
         "https://h/x?tag=a/b%2B&name=y%26z%25&commit=" COMMIT},
        {"https://h/x?tag=%C3%A4", "https://h/x?tag=%C3%A4&commit=" COMMIT},
        {"https://h/x?tag=1&commit=" COMMIT, "https://h/x?tag=1&commit=" COMMIT},
        {"git@h:x/y.git?tag=1", "git@h:x/y.git?tag=1&commit=" COMMIT},
        {"/srv/a b", "/srv/a b?commit=" COMMIT},
    };

    struct fixture *fixture = *state;
    char *path;

    assert_true(asprintf(&path, "%s/list", fixture->folder) > 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct set set = {0};
        struct error error = {0};

        write_text(fixture->folder, "list", cases[i].source);
        assert_int_equal(set_add(&set, path, &error), 0);
        char *name = strdup(set.sources.items[0].name);
        assert_int_equal(set_pin(&set, 0, COMMIT, &error), 0);
        assert_string_equal(set.sources.items[0].text, cases[i].pinned);
        assert_string_equal(set.sources.items[0].name, name);
        /* A second time, as `update` does. */
        assert_int_equal(set_pin(&set, 0, COMMIT, &error), 0);
        assert_string_equal(set.sources.items[0].text, cases[i].pinned);
        assert_string_equal(set.given[0], cases[i].source);
        free(name);
        set_release(&set);
    }
    free(path);
}

static void a_path_that_no_line_can_hold(void **state)
{
    static const char *const hard[] = {"a #b", "a "};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 2; i++) {
        struct error error = {0};
        char *path;

        assert_true(asprintf(&path, "%s/%s", fixture->folder, hard[i]) > 0);
        assert_int_equal(mkdir(path, 0755), 0);
        struct set set = make("x", (const char *const[]){path, NULL});
        assert_int_equal(set_pin(&set, 0, COMMIT, &error), -EINVAL);
        assert_non_null(strstr(error.text, "rename"));
        set_release(&set);
        free(path);
    }
}

static void what_is_saved_can_be_loaded(void **state)
{
    struct fixture *fixture = *state;
    static const char *const arguments[] = {"https://h/x?tag=1", "0123456@https://h/y", NULL};
    struct set set = make("acme/pp", arguments), loaded;
    struct error error;

    for (size_t i = 0; i < 2; i++)
        assert_int_equal(set_pin(&set, i, i ? COMMIT : OTHER, &error), 0);
    assert_int_equal(set_save(&set, fixture->sets, false, &error), 0);
    assert_true(set_exists(fixture->sets, "acme/pp"));
    assert_int_equal(set_load(&loaded, fixture->sets, "acme/pp", &error), 0);
    assert_string_equal(loaded.name, "acme/pp");
    assert_int_equal(loaded.type, TYPE_LANGUAGES);
    assert_int_equal(loaded.made_at, 1700000000);
    assert_int_equal(loaded.sources.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(loaded.given[i], arguments[i]);
        assert_string_equal(loaded.sources.items[i].text, set.sources.items[i].text);
    }
    assert_string_equal(loaded.sources.items[0].commit, OTHER);
    set_release(&loaded);
    set_release(&set);
}

/* How many files lie in the folder of sets. */
static size_t count_files(const struct fixture *fixture)
{
    DIR *folder = opendir(fixture->sets);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return count;
}

static void replacing(void **state)
{
    struct fixture *fixture = *state;
    struct set set = make("pp", (const char *const[]){"https://h/new?tag=2", NULL}), loaded;
    struct error error;

    save(fixture, "pp");
    assert_int_equal(set_pin(&set, 0, OTHER, &error), 0);
    assert_int_equal(set_save(&set, fixture->sets, false, &error), -EEXIST);
    assert_non_null(strstr(error.text, "--force"));
    assert_int_equal(count_files(fixture), 1);
    assert_int_equal(set_load(&loaded, fixture->sets, "pp", &error), 0);
    assert_string_equal(loaded.sources.items[0].name, "x");
    set_release(&loaded);
    assert_int_equal(set_save(&set, fixture->sets, true, &error), 0);
    assert_int_equal(set_load(&loaded, fixture->sets, "pp", &error), 0);
    assert_string_equal(loaded.sources.items[0].name, "new");
    set_release(&loaded);
    set_release(&set);
}

static void names_are_sorted_and_strangers_left_out(void **state)
{
    static const char *const made[] = {"zz", "acme/pp", "acme-pp", "b"};
    static const char *const sorted[] = {"acme-pp", "acme/pp", "b", "zz"};
    struct fixture *fixture = *state;
    struct error error;
    char **found;

    assert_int_equal(sets_names(fixture->sets, &found, &error), 0);
    assert_null(found[0]); /* the folder is not there */
    sets_names_free(found);
    for (size_t i = 0; i < 4; i++)
        save(fixture, made[i]);
    write_text(fixture->sets, ".new-abc", "left by a crash");
    write_text(fixture->sets, "pp~", "an editor's");
    assert_int_equal(sets_names(fixture->sets, &found, &error), 0);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(found[i], sorted[i]);
    assert_null(found[4]);
    assert_string_equal(sets_in_the_way(found, "acme"), "acme/pp");
    assert_string_equal(sets_in_the_way(found, "b/c"), "b");
    assert_null(sets_in_the_way(found, "acme/p"));
    assert_null(sets_in_the_way(found, "b"));
    sets_names_free(found);
}

static int keep_all(const struct fixture *fixture, int before_it_fails);

static void removing(void **state)
{
    struct fixture *fixture = *state;
    struct error error;

    save(fixture, "pp");
    assert_int_equal(set_remove(fixture->sets, "pp", &error), 0);
    assert_int_equal(set_remove(fixture->sets, "pp", &error), -ENOENT);
    assert_string_equal(error.text, "no set 'pp': 'startpointfs ls' lists the sets");
    save(fixture, "ppp");
    assert_int_equal(set_remove(fixture->sets, "pp", &error), -ENOENT);
    assert_string_equal(error.text,
                        "no set 'pp' (did you mean 'ppp'?): 'startpointfs ls' lists the sets");
    assert_int_equal(set_remove(fixture->sets, "../a/sets/pp", &error), -EINVAL);
    assert_false(set_exists(fixture->sets, "pp"));
    assert_false(set_exists(fixture->sets, "../sets"));
    assert_string_equal((set_remove(fixture->sets, "a b", &error), error.text),
                        "set name 'a b' may contain only letters, digits, '.', '_', '-' and '/'");
}

static void what_is_no_folder_holds_no_sets(void **state)
{
    struct fixture *fixture = *state;
    struct set set = make("pp", (const char *const[]){"https://h/x?tag=1", NULL});
    struct error error;
    char *expected, **found;

    write_text(fixture->folder, "a", "");
    assert_int_equal(sets_names(fixture->sets, &found, &error), -ENOTDIR);
    assert_true(
        asprintf(&expected, "cannot read the sets folder %s: Not a directory", fixture->sets) > 0);
    assert_string_equal(error.text, expected);
    free(expected);
    assert_int_equal(keep_all(fixture, -1), -ENOTDIR);
    assert_int_equal(set_pin(&set, 0, COMMIT, &error), 0);
    assert_int_equal(set_save(&set, fixture->sets, true, &error), -ENOTDIR);
    assert_true(
        asprintf(&expected, "set 'pp': cannot write %s/pp: Not a directory", fixture->sets) > 0);
    assert_string_equal(error.text, expected);
    free(expected);
    set_release(&set);
}

static void damaged_files(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "has no sources"},
        {"https://h/x?tag=1\n", "type"},
        {"# startpointfs set\n# type: nonsense\nhttps://h/x\n", "type"},
        {"# startpointfs set\n# type: custom\nhttps://h/x?y=z\n", ":3:"},
        {"# startpointfs set\n# type: custom\n", "has no sources"},
    };
    struct fixture *fixture = *state;
    struct error error;
    struct set set;

    save(fixture, "makes-the-folder");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(fixture->sets, "pp", cases[i].text);
        assert_true(set_load(&set, fixture->sets, "pp", &error) < 0);
        assert_non_null(strstr(error.text, cases[i].says));
        assert_non_null(strstr(error.text, "'pp'"));
    }
    assert_int_equal(set_load(&set, fixture->sets, "other", &error), -ENOENT);
    assert_string_equal(error.text, "no set 'other': 'startpointfs ls' lists the sets");
    assert_int_equal(set_load(&set, fixture->sets, "../pp", &error), -EINVAL);
    assert_string_equal(
        error.text,
        "set name '../pp' must begin with a letter, a digit or '_', also after each '/'");
}

/* What a set's file says, to the letter: programs of later versions read it. */
static void the_text_of_a_set(void **state)
{
    static const char *const arguments[] = {"https://me:hush@h/x?tag=1", "https://h/y", NULL};
    struct fixture *fixture = *state;
    struct set set = make("acme/pp", arguments);
    struct error error;
    char path[PATH_MAX + 32], text[1000] = "";

    for (size_t i = 0; i < 2; i++)
        assert_int_equal(set_pin(&set, i, COMMIT, &error), 0);
    assert_int_equal(set_save(&set, fixture->sets, false, &error), 0);
    snprintf(path, sizeof path, "%s/acme%%pp", fixture->sets);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_string_equal(text,
                        "# startpointfs set\n# type: languages\n# made: 1700000000\n"
                        "# given: https://h/x?tag=1\nhttps://me:hush@h/x?tag=1&commit=" COMMIT "\n"
                        "# given: https://h/y\nhttps://h/y?commit=" COMMIT "\n");
    set_release(&set);
}

/* Only a set's own comments say how its sources were given. */
static void a_list_says_what_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct set set = {0};
    struct error error;
    char *path;

    assert_true(asprintf(&path, "%s/list", fixture->folder) > 0);
    write_text(fixture->folder, "list",
               "# startpointfs set\n# type: exercises\n# given: a\nhttps://h/a?tag=1\n"
               "# given: lost\n# given: b\n\nhttps://h/b\nhttps://h/c # comment\n");
    assert_int_equal(set_add(&set, "https://h/z", &error), 0);
    assert_int_equal(set_add(&set, path, &error), 0);
    assert_int_equal(set.type, TYPE_EXERCISES);
    static const char *const given[] = {"https://h/z", "a", "b", "https://h/c"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(set.given[i], given[i]);
    set_release(&set);
    write_text(fixture->folder, "list", "# type: exercises\n# given: a\nhttps://h/a?tag=1\n");
    assert_int_equal(set_add(&set, path, &error), 0);
    assert_int_equal(set.type, TYPE_NONE);
    assert_string_equal(set.given[0], "https://h/a?tag=1");
    set_release(&set);
    free(path);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void who_may_read_a_set_may_read_the_next(void **state)
{
    struct fixture *fixture = *state;
    struct set open = make("pp", (const char *const[]){"https://h/x?tag=1", NULL});
    struct set secret =
        make("pp", (const char *const[]){"https://h/a", "https://me:hush@h/x?tag=1", NULL});
    struct error error;
    char *path;

    assert_true(asprintf(&path, "%s/pp", fixture->sets) > 0);
    assert_int_equal(set_pin(&open, 0, COMMIT, &error), 0);
    assert_int_equal(set_save(&open, fixture->sets, false, &error), 0);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(chmod(path, 0664), 0);
    assert_int_equal(set_save(&open, fixture->sets, true, &error), 0);
    assert_int_equal(mode_of(path), 0644);
    assert_int_equal(set_pin(&secret, 0, COMMIT, &error), 0);
    assert_int_equal(set_pin(&secret, 1, COMMIT, &error), 0);
    assert_int_equal(set_save(&secret, fixture->sets, true, &error), 0);
    assert_int_equal(mode_of(path), 0600);
    free(path);
    set_release(&open);
    set_release(&secret);
}

static void passwords_stay_with_their_owner(void **state)
{
    struct fixture *fixture = *state;
    struct set set = make("pp", (const char *const[]){"https://me:hush@h/x?tag=1", NULL});
    struct error error;
    char *path;

    assert_string_equal(set.given[0], "https://h/x?tag=1");
    assert_int_equal(set_pin(&set, 0, COMMIT, &error), 0);
    assert_int_equal(set_save(&set, fixture->sets, false, &error), 0);
    assert_true(asprintf(&path, "%s/pp", fixture->sets) > 0);
    assert_int_equal(mode_of(path), 0600);
    assert_string_equal(set.sources.items[0].url, "https://me:hush@h/x");
    free(path);
    set_release(&set);
}

static void a_sets_name_as_an_operand(void **state)
{
    struct fixture *fixture = *state;
    struct source_list sources = {0};
    struct error error;

    save(fixture, "some-set");
    assert_int_equal(sets_add_sources(&sources, fixture->sets, "some-set", &error), 0);
    assert_int_equal(sets_add_sources(&sources, fixture->sets, "https://h/y", &error), 0);
    assert_int_equal(sources.count, 2);
    assert_string_equal(sources.items[0].commit, COMMIT);
    source_list_release(&sources);
    /* A folder of that name comes first. */
    assert_int_equal(chdir(fixture->folder), 0);
    assert_int_equal(mkdir("some-set", 0755), 0);
    assert_int_equal(sets_add_sources(&sources, fixture->sets, "some-set", &error), 0);
    assert_null(sources.items[0].commit);
    source_list_release(&sources);
    assert_int_equal(chdir("/"), 0);
}

/* What gc was told to keep, a line a version; and after how many versions keeping fails. */
static char told[2000];
static int tells;

int __wrap_gc_keep(struct gc *gc, const char *url, const char *name, const char *commit,
                   struct error *e);
int __wrap_gc_keep(struct gc *gc, const char *url, const char *name, const char *commit,
                   struct error *e)
{
    size_t length = strlen(told);

    (void)gc;
    if (tells-- == 0)
        return error_set(e, EROFS, "the cache is read-only");
    snprintf(told + length, sizeof told - length, "%s %s %s\n", url, name ? name : "-",
             commit ? commit : "-");
    return 0;
}

/* The same for a folder of sets; the caller looks at `told`. */
static int keep_all(const struct fixture *fixture, int before_it_fails)
{
    struct error error;

    tells = before_it_fails;
    *told = '\0';
    return sets_keep(NULL, fixture->sets, &error);
}

/* Lists may be sets that `create` made elsewhere. */
static void a_set_of_a_folder_has_the_type_that_is_said_first(void **state)
{
    struct fixture *fixture = *state;
    struct set set = {0};
    struct error error;

    write_text(fixture->folder, "a.list", "https://h/a?tag=1\n");
    write_text(fixture->folder, "b.list",
               "# startpointfs set\n# type: exercises\nhttps://h/b?tag=1\n");
    write_text(fixture->folder, "c.list",
               "# startpointfs set\n# type: custom\nhttps://h/c?tag=1\n");
    assert_int_equal(set_add(&set, fixture->folder, &error), 0);
    assert_int_equal(set.type, TYPE_EXERCISES);
    assert_int_equal(set.sources.count, 3);
    set_release(&set);
}

static void gc_is_told_of_every_source_of_every_set(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(keep_all(fixture, -1), 0); /* the folder is not there */
    assert_string_equal(told, "");
    save(fixture, "b");
    write_text(fixture->sets, "a",
               "# startpointfs set\n# type: custom\n"
               "https://h/y?tag=1&commit=" COMMIT "\n"
               "https://h/y?commit=" OTHER "\n" OTHER "@https://h/z\nhttps://h/z?tag=2\n");
    assert_int_equal(keep_all(fixture, -1), 0);
    assert_string_equal(told, "https://h/y 1 " COMMIT "\n"
                              "https://h/y - " OTHER "\n"
                              "https://h/z " OTHER " " OTHER "\n"
                              "https://h/z 2 -\n"
                              "https://h/x 1 " COMMIT "\n");
    /* What cannot be kept, and a set that cannot be read, end it: nothing is removed then. */
    for (int before = 0; before < 5; before++)
        assert_int_equal(keep_all(fixture, before), -EROFS);
    assert_int_equal(keep_all(fixture, 5), 0);
    write_text(fixture->sets, "b", "damaged");
    assert_true(keep_all(fixture, -1) < 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        TEST(pinned_lines),
        TEST(a_path_that_no_line_can_hold),
        TEST(what_is_saved_can_be_loaded),
        TEST(replacing),
        TEST(names_are_sorted_and_strangers_left_out),
        TEST(removing),
        TEST(what_is_no_folder_holds_no_sets),
        TEST(damaged_files),
        TEST(the_text_of_a_set),
        TEST(a_list_says_what_it_is),
        TEST(passwords_stay_with_their_owner),
        TEST(who_may_read_a_set_may_read_the_next),
        TEST(a_sets_name_as_an_operand),
        TEST(a_set_of_a_folder_has_the_type_that_is_said_first),
        TEST(gc_is_told_of_every_source_of_every_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
