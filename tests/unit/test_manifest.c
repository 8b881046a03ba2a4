/* test_manifest.c - the list of manifests: limits, failing callbacks, and what is said about a list
 * besides its findings. What each rule says is in test_manifest_cases.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/image_name.h"
#include "manifest/inspect.h"
#include "manifest/manifest.h"
#include "manifest/nearest.h"

/* A start-point that is a table in memory; ends with a NULL path. */
struct memory_file {
    const char *path;
    const char *bytes;
    size_t size; /* 0: that of the string */
    enum path_kind kind;
    uint64_t said_size; /* 0: the true one */
    int read_error;
};

static size_t file_size(const struct memory_file *file)
{
    return file->size ? file->size : strlen(file->bytes);
}

static int memory_walk(void *data, start_point_visit *visit, void *visitor)
{
    int r = 0;
    for (const struct memory_file *file = data; r == 0 && file->path; file++)
        r = visit(visitor, file->path, file->kind,
                  file->said_size ? file->said_size : file_size(file));
    return r;
}

static int memory_read(void *data, const char *path, uint64_t max, void **bytes, size_t *size)
{
    const struct memory_file *file = data;
    while (strcmp(file->path, path) != 0)
        file++;
    if (file->read_error)
        return file->read_error;
    if (file_size(file) > max)
        return -EFBIG;
    *size = file_size(file);
    *bytes = malloc(*size + 1);
    assert_non_null(*bytes);
    memcpy(*bytes, file->bytes, *size);
    return 0;
}

static int add(struct manifest_list *list, const char *source, const struct memory_file *files)
{
    struct start_point_files view = {memory_walk, memory_read, (void *)files};
    struct start_point start_point = {.source = source,
                                      .url = "https://example.com/x\xff",
                                      .sha = "0123456789012345678901234567890123456789",
                                      .files = &view};
    return manifest_list_add(list, &start_point);
}

static void expect_findings(const struct manifest_list *list, const char *expected)
{
    char *text = findings_format(&list->findings);
    assert_string_equal(text, expected);
    free(text);
}

#define MANIFEST(name, image)                                          \
    "{\"display_name\": \"" name "\", \"image_name\": \"" image "\", " \
    "\"visible_filenames\": [\"cyber-dojo.sh\"], \"filename_extension\": \".c\"}"

/* A manifest of exactly that size, blanks at its end. */
static char *padded_manifest(size_t size)
{
    const char *manifest = MANIFEST("C", "gcc:1");
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    memset(bytes, ' ', size);
    bytes[size] = '\0';
    memcpy(bytes, manifest, strlen(manifest));
    return bytes;
}

static void check_size(size_t size, const char *expected)
{
    struct manifest_list list;
    char *bytes = padded_manifest(size);
    struct memory_file files[] = {
        {.path = "manifest.json", .bytes = bytes}, {.path = "cyber-dojo.sh", .bytes = ""}, {0}};
    manifest_list_init(&list, TYPE_LANGUAGES, false);
    assert_int_equal(add(&list, "s", files), 0);
    assert_int_equal(manifest_list_finish(&list), 0);
    expect_findings(&list, expected);
    manifest_list_release(&list);
    free(bytes);
}

static void test_manifest_size(void **state)
{
    (void)state;
    check_size(1024 * 1024, "");
    check_size(1024 * 1024 + 1,
               "s: manifest.json: is larger than 1 MiB, which no manifest needs [17]\n");
}

/* A walk may know an older size than the one that is read. */
static void test_manifest_grew(void **state)
{
    (void)state;
    struct manifest_list list;
    char *bytes = padded_manifest(2 * 1024 * 1024);
    struct memory_file files[] = {{.path = "manifest.json", .bytes = bytes, .said_size = 10}, {0}};
    manifest_list_init(&list, TYPE_LANGUAGES, false);
    assert_int_equal(add(&list, "s", files), 0);
    assert_int_equal(list.findings.exit_code, 17);
    assert_true(list.ended);
    manifest_list_release(&list);
    free(bytes);
}

static void test_nothing_after_the_end(void **state)
{
    (void)state;
    struct manifest_list list;
    struct memory_file bad[] = {{.path = "manifest.json", .bytes = "{"}, {0}};
    struct memory_file unread[] = {{.path = "manifest.json", .bytes = "", .read_error = -EIO}, {0}};
    manifest_list_init(&list, TYPE_LANGUAGES, false);
    assert_int_equal(add(&list, "a", bad), 0);
    assert_int_equal(add(&list, "b", unread), 0);
    assert_int_equal(manifest_list_finish(&list), 0);
    assert_int_equal(list.findings.count, 1);
    manifest_list_release(&list);
}

static void test_read_fails(void **state)
{
    (void)state;
    struct manifest_list list;
    struct memory_file manifest[] = {{.path = "manifest.json", .bytes = "", .read_error = -EIO},
                                     {0}};
    struct memory_file symlink[] = {
        {.path = "manifest.json", .bytes = MANIFEST("C", "gcc")},
        {.path = "cyber-dojo.sh", .bytes = "", .kind = PATH_SYMLINK, .read_error = -ETIMEDOUT},
        {0}};
    manifest_list_init(&list, TYPE_LANGUAGES, false);
    assert_int_equal(add(&list, "s", manifest), -EIO);
    manifest_list_release(&list);
    manifest_list_init(&list, TYPE_LANGUAGES, false);
    assert_int_equal(add(&list, "s", symlink), -ETIMEDOUT);
    manifest_list_release(&list);
}

static int walk_fails(void *data, start_point_visit *visit, void *visitor)
{
    (void)data;
    (void)visit;
    (void)visitor;
    return -EHOSTUNREACH;
}

static int walk_for_ever(void *data, start_point_visit *visit, void *visitor)
{
    (void)data;
    for (;;) {
        int r = visit(visitor, "a", PATH_FILE, 0);
        if (r != 0)
            return r;
    }
}

static void test_walk_fails(void **state)
{
    (void)state;
    struct manifest_list list;
    struct start_point_files fails = {walk_fails, memory_read, NULL};
    struct start_point_files endless = {walk_for_ever, memory_read, NULL};
    struct start_point start_point = {.source = "s", .files = &fails};
    manifest_list_init(&list, TYPE_LANGUAGES, false);
    assert_int_equal(manifest_list_add(&list, &start_point), -EHOSTUNREACH);
    start_point.files = &endless;
    assert_int_equal(manifest_list_add(&list, &start_point), -E2BIG);
    assert_int_equal(list.findings.count, 0);
    manifest_list_release(&list);
}

/* A plain folder may hold .git; a pinned tree never does. */
static void test_git_folder_is_not_there(void **state)
{
    (void)state;
    struct manifest_list list;
    struct memory_file files[] = {
        {.path = "a/.git/x/manifest.json", .bytes = "no JSON"},
        {.path = ".git/config", .bytes = ""},
        {.path = "sub/.git", .bytes = ""},
        {.path = ".gitignore", .bytes = ""},
        {.path = "manifest.json",
         .bytes =
             "{\"display_name\": \"X\", \"visible_filenames\": [\".git/config\", \"sub/.git\", "
             "\".gitignore\"]}"},
        {0}};
    manifest_list_init(&list, TYPE_EXERCISES, false);
    assert_int_equal(add(&list, "s", files), 0);
    expect_findings(&list,
                    "s: manifest.json:1:45: /visible_filenames/0: \".git/config\" does not exist "
                    "(names are relative to the start-point's root) [61]\n"
                    "s: manifest.json:1:60: /visible_filenames/1: \"sub/.git\" does not exist "
                    "(names are relative to the start-point's root) [61]\n");
    manifest_list_release(&list);
}

/* However many faults a file has, memory and output stay small, and the exit code right. */
static void test_many_findings(void **state)
{
    (void)state;
    struct manifest_list list;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("{\"display_name\": 1, \"visible_filenames\": [0", out);
    for (int i = 1; i < 200000; i++)
        fputs(",0", out);
    fputs("]}", out);
    fclose(out);
    struct memory_file files[] = {{.path = "manifest.json", .bytes = text}, {0}};
    manifest_list_init(&list, TYPE_EXERCISES, false);
    assert_int_equal(add(&list, "s", files), 0);
    assert_int_equal(list.findings.count, FINDINGS_MAX);
    assert_int_equal(list.findings.left_out, 200001 - FINDINGS_MAX);
    assert_int_equal(list.findings.exit_code, 60);
    char *shown = findings_format(&list.findings);
    assert_non_null(strstr(shown, "and 199001 more findings"));
    free(shown);
    manifest_list_release(&list);
    free(text);
}

static void add_two(struct manifest_list *list, enum start_point_type type)
{
    struct memory_file files[] = {
        {.path = "b/manifest.json", .bytes = MANIFEST("Z", "a:1")},
        {.path = "b/cyber-dojo.sh", .bytes = ""},
        {.path = "a/manifest.json", .bytes = MANIFEST("é\\n\\\"", "gcc:1")},
        {.path = "a/cyber-dojo.sh", .bytes = ""},
        {.path = "c/manifest.json", .bytes = MANIFEST("C, x", "b/gcc")},
        {.path = "c/cyber-dojo.sh", .bytes = ""},
        {0}};
    manifest_list_init(list, type, false);
    assert_int_equal(add(list, "s", files), 0);
    assert_int_equal(manifest_list_finish(list), 0);
}

#define URL_AND_SHA                              \
    "    \"url\": \"https://example.com/x?\",\n" \
    "    \"sha\": \"0123456789012345678901234567890123456789\""

static void test_inspect(void **state)
{
    (void)state;
    struct manifest_list list;
    add_two(&list, TYPE_LANGUAGES);
    assert_int_equal(list.findings.count, 0);
    char *text = inspect_list(&list);
    assert_string_equal(text, "{\n"
                              "  \"C, x\": {\n" URL_AND_SHA ",\n"
                              "    \"image_name\": \"b/gcc\"\n  },\n"
                              "  \"Z\": {\n" URL_AND_SHA ",\n"
                              "    \"image_name\": \"a:1\"\n  },\n"
                              "  \"é\\n\\\"\": {\n" URL_AND_SHA ",\n"
                              "    \"image_name\": \"gcc:1\"\n  }\n"
                              "}\n");
    free(text);
    text = inspect_images(&list);
    assert_string_equal(text, "a:1\nb/gcc\ngcc:1\n");
    free(text);
    manifest_list_release(&list);
}

/* Of each image one line, wherever in the list it is named again. */
static void test_inspect_images(void **state)
{
    static const char *const names[] = {"b/b:1", "a", "b/b:1", "c", "a", "b/b:1", "b/b:2"};
    struct manifest_list list;
    char bytes[300];

    (void)state;
    manifest_list_init(&list, TYPE_LANGUAGES, false);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(bytes, sizeof bytes,
                 "{\"display_name\": \"%zu\", \"image_name\": \"%s\", "
                 "\"visible_filenames\": [\"cyber-dojo.sh\"], \"filename_extension\": [\".c\"]}",
                 i, names[i]);
        struct memory_file files[] = {{.path = "manifest.json", .bytes = bytes},
                                      {.path = "cyber-dojo.sh", .bytes = "x"},
                                      {0}};
        assert_int_equal(add(&list, "s", files), 0);
    }
    assert_int_equal(manifest_list_finish(&list), 0);
    char *text = inspect_images(&list);
    assert_string_equal(text, "a\nb/b:1\nb/b:2\nc\n");
    free(text);
    manifest_list_release(&list);
}

static void test_inspect_exercises(void **state)
{
    (void)state;
    struct manifest_list list;
    struct memory_file files[] = {
        {.path = "manifest.json",
         .bytes = "{\"display_name\": \"Fizz\", \"visible_filenames\": [\"readme\"]}"},
        {.path = "readme", .bytes = ""},
        {0}};
    manifest_list_init(&list, TYPE_EXERCISES, false);
    assert_int_equal(add(&list, "s", files), 0);
    assert_int_equal(manifest_list_finish(&list), 0);
    char *text = inspect_list(&list);
    assert_string_equal(text, "{\n  \"Fizz\": {\n" URL_AND_SHA "\n  }\n}\n");
    free(text);
    text = inspect_images(&list);
    assert_string_equal(text, "");
    free(text);
    manifest_list_release(&list);
}

static void test_inspect_nothing(void **state)
{
    (void)state;
    struct manifest_list list;
    manifest_list_init(&list, TYPE_CUSTOM, false);
    char *text = inspect_list(&list);
    assert_string_equal(text, "{}\n");
    free(text);
    manifest_list_release(&list);
}

/* "Language, Framework" of each, as the services do it: all or none. */
static void test_names_that_the_services_show(void **state)
{
#define L       "\"language\": [\"C\", \"1\"], "
#define F(name) "\"test_framework\": [\"" name "\", \"\"], "
#define LACKS   "lacks \"language\" or \"test_framework\", which "
#define REST                                                                                    \
    " manifests of this list have: the services show \"Language, Framework\" only if all have " \
    "them, and will "                                                                           \
    "show every display_name [35]\n"
#define SAME                                                                                     \
    "\"C, t\" is also the language and framework of s: a/manifest.json; the services will show " \
    "every "                                                                                     \
    "display_name of this list instead [35]\n"
    static const struct {
        const char *pairs[3];
        bool strict;
        const char *said; /* behind the place */
    } cases[] = {
        {{"", "", ""}, false, ""},
        {{L F("t"), L F("u"), L F("v")}, false, ""},
        {{L F("t"), "", L F("u")}, false, "s: b/manifest.json:1:18: warning: " LACKS "2 of 3" REST},
        {{L F("t"), "", ""}, false, "s: b/manifest.json:1:18: warning: " LACKS "1 of 3" REST},
        {{L F("t"), L F("u"), ""}, true, "s: c/manifest.json:1:18: " LACKS "2 of 3" REST},
        {{L F("t"), L F("u"), L F("t")},
         false,
         "s: c/manifest.json:1:18: warning: /language: " SAME},
        {{L F("t"), L F("t"), L F("u")}, true, "s: b/manifest.json:1:18: /language: " SAME},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct manifest_list list;
        char texts[3][300];
        struct memory_file files[] = {{.path = "a/manifest.json", .bytes = texts[0]},
                                      {.path = "a/cyber-dojo.sh", .bytes = ""},
                                      {.path = "b/manifest.json", .bytes = texts[1]},
                                      {.path = "b/cyber-dojo.sh", .bytes = ""},
                                      {.path = "c/manifest.json", .bytes = texts[2]},
                                      {.path = "c/cyber-dojo.sh", .bytes = ""},
                                      {0}};

        for (int j = 0; j < 3; j++)
            snprintf(texts[j], sizeof texts[j],
                     "{\"display_name\": \"%d\", %s\"image_name\": \"gcc:1\", "
                     "\"visible_filenames\": [\"cyber-dojo.sh\"], \"filename_extension\": \".c\"}",
                     j, cases[i].pairs[j]);
        manifest_list_init(&list, TYPE_LANGUAGES, cases[i].strict);
        assert_int_equal(add(&list, "s", files), 0);
        assert_int_equal(manifest_list_finish(&list), 0);
        expect_findings(&list, cases[i].said);
        manifest_list_release(&list);
    }
}

/* How many letters have to be put in, taken out or replaced; capitals are the same. */
static void test_how_far_words_are_apart(void **state)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } cases[] = {
        {"", "", 0},         {"abc", "abc", 0},
        {"ABC", "abc", 0},   {"", "abc", 3},
        {"abc", "", 3},      {"a", "ab", 1},
        {"ab", "a", 1},      {"ab", "b", 1},
        {"b", "ab", 1},      {"abc", "axc", 1},
        {"ab", "ba", 2},     {"kitten", "sitting", 3},
        {"flaw", "lawn", 2}, {"max_secs", "max_seconds", 3},
        {"ca", "abc", 3},
    };
    char longest[NEAREST_LENGTH + 2];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (nearest_distance(cases[i].a, cases[i].b) != cases[i].distance)
            fail_msg("%s, %s: %zu", cases[i].a, cases[i].b,
                     nearest_distance(cases[i].a, cases[i].b));
    memset(longest, 'a', sizeof longest);
    longest[NEAREST_LENGTH + 1] = '\0';
    assert_true(nearest_distance(longest, "a") == SIZE_MAX);
    assert_true(nearest_distance("a", longest) == SIZE_MAX);
    assert_int_equal(nearest_distance(longest + 1, ""), NEAREST_LENGTH);
}

/* Of several the first that is nearest, and none that has little in common with the word. */
static void test_what_may_be_meant(void **state)
{
    static const struct {
        const char *word, *candidates[3], *hint;
    } cases[] = {
        {"statsu", {"status", "stats", "start"}, " (did you mean 'stats'?)"},
        {"chek", {"check", "cheek", "fetch"}, " (did you mean 'check'?)"},
        {"frob", {"check", "status", "ls"}, ""},
        {"l", {"ls", "gc", "rm"}, ""},
        {"lx", {"rm", "ls", "gc"}, " (did you mean 'ls'?)"},
        {"xy", {"rm", "ls", "gc"}, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char hint[NEAREST_HINT_SIZE];
        struct nearest nearest;

        nearest_begin(&nearest, cases[i].word);
        for (size_t j = 0; j < 3; j++)
            nearest_try(&nearest, cases[i].candidates[j]);
        assert_string_equal(nearest_hint(&nearest, hint), cases[i].hint);
    }
}

static void test_type_names(void **state)
{
    (void)state;
    static const char *const names[] = {"languages", "exercises", "custom"};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(type_name(type_find(names[i])), names[i]);
    assert_int_equal(type_find("language"), TYPE_NONE);
    assert_int_equal(type_find(""), TYPE_NONE);
    assert_null(type_name(TYPE_NONE));
}

#define HEX_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void assert_part(const char *expected, const char *part, size_t length)
{
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(part, expected, length);
}

static void test_an_image_name_has_parts(void **state)
{
    struct image_name name;
    const char *why;

    (void)state;
    assert_true(image_name_parse(&name, "here:5000/a/b:1.2@sha256:" HEX_64, &why));
    assert_part("here", name.host, name.host_length);
    assert_part("5000", name.port, name.port_length);
    assert_part("a/b", name.path, name.path_length);
    assert_part("1.2", name.tag, name.tag_length);
    assert_part("sha256:" HEX_64, name.digest, name.digest_length);
    assert_true(image_name_parse(&name, "b", &why));
    assert_part("b", name.path, name.path_length);
    assert_int_equal(name.host_length + name.port_length + name.tag_length + name.digest_length, 0);
    assert_true(image_name_parse(&name, "localhost/x", &why));
    assert_part("localhost", name.host, name.host_length);
    assert_part("x", name.path, name.path_length);
    assert_true(image_name_parse(&name, "localhosts/x", &why));
    assert_part("localhosts/x", name.path, name.path_length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_image_name_has_parts),
        cmocka_unit_test(test_manifest_size),
        cmocka_unit_test(test_manifest_grew),
        cmocka_unit_test(test_nothing_after_the_end),
        cmocka_unit_test(test_read_fails),
        cmocka_unit_test(test_walk_fails),
        cmocka_unit_test(test_git_folder_is_not_there),
        cmocka_unit_test(test_many_findings),
        cmocka_unit_test(test_inspect),
        cmocka_unit_test(test_inspect_images),
        cmocka_unit_test(test_inspect_exercises),
        cmocka_unit_test(test_inspect_nothing),
        cmocka_unit_test(test_names_that_the_services_show),
        cmocka_unit_test(test_how_far_words_are_apart),
        cmocka_unit_test(test_what_may_be_meant),
        cmocka_unit_test(test_type_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
