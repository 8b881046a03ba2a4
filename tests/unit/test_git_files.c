/* test_git_files.c - a version of a cached repository as manifest/ sees it: which files and symlinks it has, and what is in them. */
#include "tests/unit/sandbox.h"

#include "fs/sets/gather.h"
#include "fs/sets/git_files.h"

#define MOST 1000 /* bytes that are read of a file here */

struct cached {
    struct settings settings;
    struct source_list list;
    struct gather gather;
    struct git_files *files;
    struct start_point_files callbacks;
};

/* The tag 1 of the repository `repo`. */
static void cached_open(struct cached *cached, const struct sandbox *box)
{
    const struct gather_options options = {.newest = false};
    struct error e = {0};
    char cache[200];

    *cached = (struct cached){0};
    assert_int_equal(settings_init(&cached->settings), 0);
    snprintf(cache, sizeof cache, "%s/cache", box->folder);
    assert_int_equal(settings_folder(&cached->settings.cache, cache), 0);
    assert_int_equal(source_list_add_source(&cached->list, "./repo?tag=1", box->folder, &e), 0);
    assert_int_equal(gather_run(&cached->gather, &cached->settings, &cached->list, &options, &e),
                     0);
    const struct gather_item *item = &cached->gather.items[0];
    if (item->status)
        fail_msg("%s", item->error.text);
    cached->files = git_files_new(item->repository, &item->version);
    assert_non_null(cached->files);
    cached->callbacks = git_files_callbacks(cached->files);
}

static void cached_close(struct cached *cached)
{
    git_files_free(cached->files);
    gather_release(&cached->gather);
    source_list_release(&cached->list);
    settings_release(&cached->settings);
}

static void make(const struct sandbox *box, const char *how)
{
    run_once(
        box,
        "git init -q repo; cd repo; %s; git add .; git commit -q --allow-empty -m 1; git tag 1",
        how);
}

/* What a walk has met. */
struct seen {
    char text[2000];
    unsigned left; /* so many before it ends; 0: all */
};

static int see(void *visitor, const char *path, enum path_kind kind, uint64_t size)
{
    struct seen *seen = visitor;

    snprintf(seen->text + strlen(seen->text), sizeof seen->text - strlen(seen->text), "%s%s:%u ",
             path, kind == PATH_SYMLINK ? "@" : "", (unsigned)size);
    return seen->left && --seen->left == 0 ? 7 : 0;
}

static void assert_walked(struct cached *cached, unsigned most, int expected, const char *text)
{
    struct seen seen = {.left = most};

    assert_int_equal(cached->callbacks.walk(cached->callbacks.data, see, &seen), expected);
    assert_string_equal(seen.text, text);
}

static void assert_read(struct cached *cached, const char *path, const char *expected)
{
    void *bytes;
    size_t size;

    assert_int_equal(cached->callbacks.read(cached->callbacks.data, path, MOST, &bytes, &size), 0);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(bytes, expected, size);
    free(bytes);
}

static void assert_not_read(struct cached *cached, const char *path, int errnum,
                            const char *sentence)
{
    void *bytes;
    size_t size;

    assert_int_equal(cached->callbacks.read(cached->callbacks.data, path, MOST, &bytes, &size),
                     -errnum);
    if (!strstr(git_files_error(cached->files)->text, sentence))
        fail_msg("%s: %s", path, git_files_error(cached->files)->text);
}

static void files_and_symlinks_of_all_folders(void **state)
{
    struct cached cached;

    make(*state, "mkdir -p a/b c; echo 1 >z; echo two >a/b/f; echo three >a/c; ln -s ../z a/link; "
                 "echo 4 >a.txt; >c/empty");
    cached_open(&cached, *state);
    for (int again = 0; again < 2; again++)
        assert_walked(&cached, 0, 0, "a/b/f:4 a/c:6 a/link@:4 a.txt:2 c/empty:0 z:2 ");
    assert_read(&cached, "a.txt", "4\n");
    assert_read(&cached, "a/b/f", "two\n");
    assert_read(&cached, "a/c", "three\n");
    assert_read(&cached, "a/link", "../z");
    assert_read(&cached, "c/empty", "");
    assert_read(&cached, "z", "1\n");
    assert_not_read(&cached, "a/b", ENOENT, "has no file a/b");
    assert_not_read(&cached, "a/b/g", ENOENT, "has no file a/b/g");
    cached_close(&cached);
}

static void the_visitor_ends_it(void **state)
{
    struct cached cached;

    make(*state, "mkdir a; echo 1 >a/x; echo 2 >a/y; echo 3 >z");
    cached_open(&cached, *state);
    assert_walked(&cached, 1, 7, "a/x:2 ");
    assert_walked(&cached, 2, 7, "a/x:2 a/y:2 ");
    cached_close(&cached);
}

static void a_submodule_is_no_file(void **state)
{
    struct cached cached;

    make(*state, "echo 1 >f; git commit -q --allow-empty -m 0; git update-index --add --cacheinfo "
                 "160000,$(git rev-parse HEAD),sub; mkdir sub");
    assert_string_equal(output(*state, "git -C repo ls-tree 1 sub | cut -c 1-6"), "160000");
    cached_open(&cached, *state);
    assert_walked(&cached, 0, 0, "f:2 ");
    cached_close(&cached);
}

static void a_version_without_files(void **state)
{
    struct cached cached;

    make(*state, "true");
    cached_open(&cached, *state);
    assert_walked(&cached, 0, 0, "");
    assert_not_read(&cached, "f", ENOENT, "has no file f");
    cached_close(&cached);
}

/* As a checkout has them, sizes too. */
static void files_are_converted(void **state)
{
    struct cached cached;

    make(*state, "mkdir d; echo '*.bat eol=crlf' >d/.gitattributes; printf 'a\\nb\\n' >d/x.bat; cp "
                 "d/x.bat x.bat");
    cached_open(&cached, *state);
    assert_walked(&cached, 0, 0, "d/.gitattributes:15 d/x.bat:6 x.bat:4 ");
    assert_read(&cached, "d/x.bat", "a\r\nb\r\n");
    assert_read(&cached, "x.bat", "a\nb\n");
    cached_close(&cached);
}

static void what_is_too_large_is_not_read(void **state)
{
    struct cached cached;

    make(*state,
         "printf %1000s x >fits; printf %1001s x >large; echo '*.bat eol=crlf' >.gitattributes;"
         "yes | head -c 998 >converted.bat");
    cached_open(&cached, *state);
    assert_walked(&cached, 0, 0, ".gitattributes:15 converted.bat:1497 fits:1000 large:1001 ");
    void *bytes;
    size_t size;
    assert_int_equal(cached.callbacks.read(cached.callbacks.data, "fits", MOST, &bytes, &size), 0);
    assert_int_equal(size, 1000);
    free(bytes);
    assert_not_read(&cached, "large", EFBIG, "large");
    assert_not_read(&cached, "converted.bat", EFBIG, "converted.bat");
    cached_close(&cached);
}

/* How many paths there are, and how long the longest is. */
static int count_paths(void *visitor, const char *path, enum path_kind kind, uint64_t size)
{
    struct seen *seen = visitor;
    unsigned count = 0, longest = 0, length = (unsigned)strlen(path);

    (void)kind;
    (void)size;
    sscanf(seen->text, "%u of %u", &count, &longest);
    snprintf(seen->text, sizeof seen->text, "%u of %u bytes at most", count + 1,
             length > longest ? length : longest);
    return 0;
}

/* No program could open it; what lies beside it is there. */
static void a_path_that_is_too_long_is_left_out(void **state)
{
    struct cached cached;

    run(*state, "git init -q repo; cd repo; file=$(echo x | git hash-object -w --stdin); "
                "name=$(printf %%0255d 0);"
                "tree() { git mktree; }; a=\"100644 blob $file\\t\";"
                "tree=$(printf \"$a\"f'\\n' | tree); deep=$(printf \"$a%%0254d\\n$a%%0253d\\n\" 2 "
                "3 | tree);"
                "for i in $(seq 16); do tree=$(printf \"040000 tree $tree\\t$name\\n040000 tree "
                "$deep\\td\\n$a%%0255d\\n\" 1 "
                "| tree); done; git tag 1 $(git commit-tree -m 1 $tree)");
    cached_open(&cached, *state);
    struct seen seen = {0};
    assert_int_equal(cached.callbacks.walk(cached.callbacks.data, count_paths, &seen), 0);
    assert_string_equal(seen.text, "47 of 4095 bytes at most");
    cached_close(&cached);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(files_and_symlinks_of_all_folders),
        TEST(the_visitor_ends_it),
        TEST(a_submodule_is_no_file),
        TEST(a_version_without_files),
        TEST(files_are_converted),
        TEST(what_is_too_large_is_not_read),
        TEST(a_path_that_is_too_long_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
