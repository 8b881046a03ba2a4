/* test_folder_files.c - a folder as an author sees it: which files it has, and that nothing outside is read; folders of lists. */
#include "sandbox.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "fs/sets/folder_files.h"
#include "fs/sets/list_folder.h"

/* "FILE SIZE", or "FILE -> SIZE" of a symlink; sorted, a line each. */
struct listed {
    char *lines[50];
    size_t count;
};

static int visit(void *visitor, const char *path, enum path_kind kind, uint64_t size)
{
    struct listed *listed = visitor;

    assert_true(listed->count < 50);
    assert_true(asprintf(&listed->lines[listed->count++], "%s%s %d\n", path,
                         kind == PATH_SYMLINK ? " ->" : "", (int)size) > 0);
    return listed->count == 50 ? -EINTR : 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct folder_files *open_files(const struct sandbox *box, const char *name)
{
    struct folder_files *files;
    struct error error;
    char path[100];

    snprintf(path, sizeof path, "%s/%s", box->folder, name);
    assert_int_equal(folder_files_new(&files, path, &error), 0);
    return files;
}

static int walk(struct folder_files *files, char *text)
{
    struct start_point_files callbacks = folder_files_callbacks(files);
    struct listed listed = {.count = 0};
    int r = callbacks.walk(callbacks.data, visit, &listed);

    *text = '\0';
    qsort(listed.lines, listed.count, sizeof *listed.lines, by_text);
    for (size_t i = 0; i < listed.count; i++) {
        strcat(text, listed.lines[i]);
        free(listed.lines[i]);
    }
    return r;
}

static void files_and_symlinks_are_seen(void **state)
{
    struct sandbox *box = *state;
    char text[2000];

    run(box, "mkdir -p f/.git f/a/b f/a/.git f/empty; echo x >f/one; echo xyz >f/a/b/two; : "
             ">f/.hidden; ln -s ../one f/a/link; "
             "ln -s a f/to-a; echo x >f/.git/x; echo x >f/a/.git/x; echo x >f/.gitignore; mkfifo "
             "f/pipe");
    struct folder_files *files = open_files(box, "f");
    for (int i = 0; i < 2; i++) { /* again likewise */
        assert_int_equal(walk(files, text), 0);
        assert_string_equal(text,
                            ".gitignore 2\n.hidden 0\na/b/two 4\na/link -> 6\none 2\nto-a -> 1\n");
    }
    folder_files_free(files);
}

/* What the visitor says ends the walk. */
static int visit_no_more(void *visitor, const char *path, enum path_kind kind, uint64_t size)
{
    (void)path;
    (void)kind;
    (void)size;
    ++*(int *)visitor;
    return -EINTR;
}

static void the_visitor_ends_it(void **state)
{
    struct sandbox *box = *state;
    int visited = 0;

    run(box, "mkdir -p f/a f/b; touch f/a/1 f/a/2 f/b/1 f/b/2");
    struct folder_files *files = open_files(box, "f");
    struct start_point_files callbacks = folder_files_callbacks(files);
    assert_int_equal(callbacks.walk(callbacks.data, visit_no_more, &visited), -EINTR);
    assert_int_equal(visited, 1);
    folder_files_free(files);
}

static int remove_others(void *visitor, const char *path, enum path_kind kind, uint64_t size)
{
    const struct sandbox *box = visitor;

    (void)kind;
    (void)size;
    run(box, "echo %s >>visited; cd f; for i in *; do test $i = %s || rm $i; done", path, path);
    return 0;
}

static void what_vanishes_meanwhile_was_never_there(void **state)
{
    struct sandbox *box = *state;

    run(box, "mkdir f; touch f/1 f/2 f/3");
    struct folder_files *files = open_files(box, "f");
    struct start_point_files callbacks = folder_files_callbacks(files);
    assert_int_equal(callbacks.walk(callbacks.data, remove_others, box), 0);
    assert_string_equal(output(box, "wc -l <visited"), "1");
    folder_files_free(files);
}

static void two_hundred_folders_deep(void **state)
{
    struct sandbox *box = *state;
    char text[2000];

    run(box,
        "mkdir -p f/$(printf 'd/%%.0s' $(seq 200)); touch f/$(printf 'd/%%.0s' $(seq 200))file");
    struct folder_files *files = open_files(box, "f");
    assert_int_equal(walk(files, text), 0);
    assert_int_equal(strlen(text), 2 * 200 + strlen("file 0\n"));
    run(box, "mkdir f/$(printf 'd/%%.0s' $(seq 200))e");
    assert_int_equal(walk(files, text), -ELOOP);
    assert_string_equal(folder_files_error(files)->text,
                        "has folders nested more than 200 deep: "
                        "d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/...");
    folder_files_free(files);
}

/* "(errno)" where it cannot be read. */
static const char *read_one(struct folder_files *files, const char *path, uint64_t max)
{
    static char text[300];
    struct start_point_files callbacks = folder_files_callbacks(files);
    void *bytes;
    size_t size;
    int r = callbacks.read(callbacks.data, path, max, &bytes, &size);

    if (r < 0) {
        char sentence[300];
        snprintf(sentence, sizeof sentence, "cannot read %s: %s", path, strerror(-r));
        assert_string_equal(folder_files_error(files)->text, sentence);
        assert_int_equal(folder_files_error(files)->errnum, -r);
        snprintf(text, sizeof text, "(%s)", strerrorname_np(-r));
    } else {
        snprintf(text, sizeof text, "%.*s", (int)size, (char *)bytes);
        free(bytes);
    }
    return text;
}

static void nothing_outside_is_read(void **state)
{
    struct sandbox *box = *state;
    char longer[300];

    run(box, "mkdir -p f/a/b out; printf secret >out/file; printf inner >f/a/b/file; ln -s "
             "../../out f/a/out; "
             "ln -s ../out/file f/link; mkfifo f/pipe; : >f/empty");
    struct folder_files *files = open_files(box, "f");
    assert_string_equal(read_one(files, "a/b/file", 5), "inner");
    assert_string_equal(read_one(files, "a/b/file", 4), "(EFBIG)");
    assert_string_equal(read_one(files, "empty", 0), "");
    assert_string_equal(read_one(files, "link", 1000), "../out/file");
    assert_string_equal(read_one(files, "a/out", 1000), "../../out");
    assert_string_equal(read_one(files, "a/out/file", 1000), "(ENOTDIR)");
    assert_string_equal(read_one(files, "a/none", 1000), "(ENOENT)");
    assert_string_equal(read_one(files, "none/file", 1000), "(ENOENT)");
    assert_string_equal(read_one(files, "pipe", 1000), "(EINVAL)");
    assert_string_equal(read_one(files, "a/b", 1000), "(EINVAL)");
    memset(longer, 'x', 256);
    strcpy(longer + 256, "/file");
    assert_string_equal(read_one(files, longer, 1000), "(ENAMETOOLONG)");
    strcpy(longer + 255, "/file");
    assert_string_equal(read_one(files, longer, 1000), "(ENOENT)");
    folder_files_free(files);
}

static void what_is_a_plain_folder(void **state)
{
    struct sandbox *box = *state;
    static const struct {
        const char *name;
        bool plain, worktree, is_open;
    } rows[] = {
        {"plain", true, false, true},  {"checkout", false, true, true},
        {"linked", false, true, true}, {"bare", false, false, true},
        {"half", true, false, true},   {"file", false, false, false},
        {"none", false, false, false},
    };

    run(box, "mkdir plain half linked; touch file half/HEAD linked/.git; mkdir half/objects; git "
             "init -q checkout; "
             "git init -q --bare bare");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct folder_files *files;
        struct error error;
        char path[100];
        snprintf(path, sizeof path, "%s/%s", box->folder, rows[i].name);
        assert_int_equal(folder_files_is_plain(path), rows[i].plain);
        assert_int_equal(folder_files_is_worktree(path), rows[i].worktree);
        int r = folder_files_new(&files, path, &error);
        assert_int_equal(r == 0, rows[i].is_open);
        if (r < 0) {
            assert_int_equal(r, i == 5 ? -ENOTDIR : -ENOENT);
            assert_memory_equal(error.text, "cannot read the folder ", 23);
        } else {
            folder_files_free(files);
        }
    }
}

/* ---- folders of lists ---- */

static void what_is_a_folder_of_lists(void **state)
{
    struct sandbox *box = *state;
    static const struct {
        const char *name;
        bool is_one, may_be_one; /* and if it may be empty */
    } rows[] = {
        {"lists", true, true},      {"empty", false, true},   {"others", false, false},
        {"checkout", false, false}, {"bare", false, false},   {"file", false, false},
        {"none", false, false},     {"hidden", false, false},
    };

    run(box, "mkdir lists empty others hidden; touch file lists/a.list lists/README others/list "
             "others/a.lists others/.list "
             "hidden/.a.list; git init -q checkout; touch checkout/a.list; git init -q --bare "
             "bare; touch bare/a.list");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s/%s", box->folder, rows[i].name);
        assert_int_equal(list_folder_is(path, false), rows[i].is_one);
        assert_int_equal(list_folder_is(path, true), rows[i].may_be_one);
    }
}

static void lists_are_read_in_order(void **state)
{
    static const char *const names[] = {"a.b.list", "b.list", "c.list"};
    struct sandbox *box = *state;
    struct source_list sources = {0};
    struct error error;
    char path[100], expected[200], **paths;

    run(box, "mkdir lists; echo https://h/three >lists/c.list; echo https://h/one >lists/a.b.list; "
             "echo https://h/two >lists/b.list; echo https://h/no >lists/.x.list; echo "
             "https://h/no >lists/x");
    snprintf(path, sizeof path, "%s/lists", box->folder);
    assert_int_equal(list_folder_read(path, &paths, &error), 0);
    for (size_t i = 0; i < 3; i++) {
        snprintf(expected, sizeof expected, "%s/%s", path, names[i]);
        assert_string_equal(paths[i], expected);
    }
    assert_null(paths[3]);
    list_folder_free(paths);
    assert_int_equal(list_folder_add(&sources, path, &error), 0);
    assert_int_equal(list_folder_add(&sources, "https://h/four", &error), 0);
    assert_int_equal(sources.count, 4);
    assert_string_equal(sources.items[0].name, "one");
    assert_string_equal(sources.items[1].name, "two");
    assert_string_equal(sources.items[2].name, "three");
    assert_string_equal(sources.items[3].name, "four");
    source_list_release(&sources);
    run(box, "echo nonsense >lists/b.list");
    assert_int_equal(list_folder_add(&sources, path, &error), -EINVAL);
    assert_non_null(strstr(error.text, "/b.list:1: "));
    source_list_release(&sources);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(list_folder_device(path) == st.st_dev);
    strcat(path, "-none");
    assert_true(list_folder_device(path) == 0);
    assert_int_equal(list_folder_read(path, &paths, &error), -ENOENT);
    snprintf(expected, sizeof expected,
             "cannot read the folder of lists %s: No such file or directory", path);
    assert_string_equal(error.text, expected);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_and_symlinks_are_seen), TEST(what_vanishes_meanwhile_was_never_there),
        TEST(the_visitor_ends_it),         TEST(two_hundred_folders_deep),
        TEST(nothing_outside_is_read),     TEST(what_is_a_plain_folder),
        TEST(what_is_a_folder_of_lists),   TEST(lists_are_read_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
