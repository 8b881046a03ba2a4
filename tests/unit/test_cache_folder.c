/* The folder of a cache: which may be one, who may write there, what is walked and counted of it, and what is said of damage. */
#include <sys/mount.h>

#include "gitcache/store/cache.h"
#include "gitcache/store/cache_walk.h"
#include "tests/unit/sandbox.h"

static int open_cache(const struct sandbox *box, const char *name, bool read_only,
                      struct cache **out, struct error *e)
{
    char folder[100];

    snprintf(folder, sizeof folder, "%s/%s", box->folder, name);
    *e = (struct error){0};
    return cache_open(out, folder, read_only, e);
}

static struct cache *the_cache(const struct sandbox *box)
{
    struct cache *cache;
    struct error e;

    assert_int_equal(open_cache(box, "cache", false, &cache, &e), 0);
    return cache;
}

static void test_which_folder_may_be_one(void **state)
{
    static const struct {
        const char *before, *name;
        bool read_only;
        int result;
        const char *sentence, *after;
    } rows[] = {
        {":", "cache", false, 0, NULL, "test $(stat -c %a cache) = 700"},
        {":", "cache", true, -ENOENT, "there is no cache folder", "test ! -e cache"},
        {"mkdir cache", "cache", true, 0, NULL, "test -d cache"},
        {"echo >cache", "cache", false, -ENOTDIR, "not a folder; name another with --cache",
         "test -f cache"},
        {"echo >cache", "cache", true, -ENOTDIR, "not a folder", "test -f cache"},
        {"echo >cache", "cache/in", false, -ENOTDIR, "name another cache with --cache",
         "test -f cache"},
        {"echo >cache", "cache/in", true, -ENOTDIR, "there is no cache folder", "test -f cache"},
    };
    const struct sandbox *box = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cache *cache = NULL;
        struct error e;

        run(box, "rm -rf cache; %s", rows[i].before);
        assert_int_equal(open_cache(box, rows[i].name, rows[i].read_only, &cache, &e),
                         rows[i].result);
        if (rows[i].sentence && !strstr(e.text, rows[i].sentence))
            fail_msg("%s", e.text);
        if (rows[i].result == 0) {
            assert_int_equal(cache_is_read_only(cache), rows[i].read_only);
            cache_close(cache);
        }
        run(box, "%s", rows[i].after);
    }
    cache_close(NULL);
}

/* For as long as that is so. */
static void test_a_cache_that_cannot_be_written_is_read_only(void **state)
{
    const struct sandbox *box = *state;
    struct cache *cache = the_cache(box);
    const char *folder = cache_folder(cache);

    if (mount("none", folder, "tmpfs", 0, NULL) == 0) {
        assert_false(cache_is_read_only(cache));
        assert_int_equal(mount("none", folder, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
        assert_true(cache_is_read_only(cache));
        assert_int_equal(mount("none", folder, "tmpfs", MS_REMOUNT, NULL), 0);
        assert_false(cache_is_read_only(cache));
        assert_int_equal(umount(folder), 0);
    }
    run(box, "rmdir cache");
    assert_false(cache_is_read_only(cache)); /* it can be made again */
    cache_close(cache);
}

static void keep_sentence(void *data, const char *sentence)
{
    snprintf(data, 100, "%s", sentence);
}

static void test_what_is_said_of_damage(void **state)
{
    struct cache *cache = the_cache(*state);
    char said[100] = "";

    cache_say(cache, "to %s", "nobody");
    cache_on_damage(cache, keep_sentence, said);
    assert_string_equal(said, "");
    cache_say(cache, "%d bytes of %s", 5, "a file");
    assert_string_equal(said, "5 bytes of a file");
    cache_close(cache);
}

struct seen {
    const char *cache;
    char text[4096];
    int result;
};

static int see(void *data, const char *folder, struct error *e)
{
    struct seen *seen = data;

    (void)e;
    strcat(seen->text, folder + strlen(seen->cache) + 1);
    strcat(seen->text, "\n");
    return seen->result;
}

/* Also damaged ones, and not what is within one, hidden, or elsewhere. */
struct dirent64 *__real_readdir64(DIR *folder);
struct dirent64 *__wrap_readdir64(DIR *folder);

static bool hides_kinds;

struct dirent64 *__wrap_readdir64(DIR *folder)
{
    struct dirent64 *entry = __real_readdir64(folder);

    if (entry && hides_kinds)
        entry->d_type = DT_UNKNOWN;
    return entry;
}

static void test_each_repository_is_seen_once(void **state)
{
    const struct sandbox *box = *state;
    struct cache *cache = the_cache(box);
    struct seen seen = {.cache = cache_folder(cache)};
    struct error e = {0};

    run(box, "cd cache; mkdir -p a/b/1.git/in.git 2.git/objects a/3.git/refs none.git/4.git "
             ".git/objects .hidden.git/refs "
             "no/repo.gi .git/5.git/refs elsewhere.get/refs; for f in a/b/1.git/HEAD "
             "a/b/1.git/in.git/HEAD none.git/4.git/HEAD;"
             "do echo >$f; done; echo >file.git; mkdir ../out; mkdir -p ../out/6.git/refs; ln -s "
             "../out link; ln -s ../out/6.git 7.git;"
             "mkdir 8.git; ln -s nowhere 8.git/refs");
    /* Also on a disk whose folders do not say what is what. */
    for (int round = 0; round < 2; round++) {
        static const char *const all[] = {"a/b/1.git\n", "2.git\n", "a/3.git\n", "none.git/4.git\n",
                                          "8.git\n"};
        size_t length = 0;

        seen.text[0] = '\0';
        hides_kinds = round == 1;
        assert_int_equal(cache_walk(cache, see, &seen, &e), 0);
        hides_kinds = false;
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            assert_non_null(strstr(seen.text, all[i]));
            length += strlen(all[i]);
        }
        assert_int_equal(strlen(seen.text), length);
    }
    /* Whoever has seen enough ends it. */
    for (int result = -EIO; result <= 1; result += EIO + 1) {
        seen.text[0] = '\0';
        seen.result = result;
        assert_int_equal(cache_walk(cache, see, &seen, &e), result);
        assert_ptr_equal(strchr(seen.text, '\n'), seen.text + strlen(seen.text) - 1);
    }
    run(box, "rm -r cache");
    assert_int_equal(cache_walk(cache, see, &seen, &e), -ENOENT);
    assert_int_equal(e.errnum, ENOENT);
    cache_close(cache);
}

/* What lies deeper than any URL's repository is not looked for: it has an end. */
static void test_how_deep_repositories_may_lie(void **state)
{
    const struct sandbox *box = *state;
    struct cache *cache = the_cache(box);
    struct seen seen = {.cache = cache_folder(cache)};
    struct error e = {0};

    run(box, "cd cache; p=$(printf 'a/%%.0s' $(seq 64)); mkdir -p $p/1.git/refs $p/a/2.git/refs");
    assert_int_equal(cache_walk(cache, see, &seen, &e), 0);
    assert_non_null(strstr(seen.text, "/1.git\n"));
    assert_null(strstr(seen.text, "/2.git"));
    cache_close(cache);
}

/* The room that it takes: not what its files say that they have. */
static void test_how_large_it_is(void **state)
{
    const struct sandbox *box = *state;
    struct cache *cache = the_cache(box);

    run(box, "cd cache; mkdir -p a/b; seq 30000 >a/b/file; seq 10 >a/small; truncate -s 9G a/hole; "
             "ln -s /usr usr");
    assert_true(
        cache_walk_size(cache) ==
        strtoull(output(box, "find cache -type f -printf '%%b\\n' -o -type d -printf '%%b\\n' | "
                             "awk '{ n += $1 * 512 } END { printf \"%%d\", n }'"),
                 NULL, 10));
    run(box, "rm -r cache");
    assert_true(cache_walk_size(cache) == 0);
    cache_close(cache);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_which_folder_may_be_one),
        TEST(test_a_cache_that_cannot_be_written_is_read_only),
        TEST(test_what_is_said_of_damage),
        TEST(test_each_repository_is_seen_once),
        TEST(test_how_deep_repositories_may_lie),
        TEST(test_how_large_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
