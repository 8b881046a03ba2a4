/* The refs of a repository on disk: files below refs/, and packed-refs. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "gitcache/store/refs.h"
#include "tests/unit/sandbox.h"

#define ONES   "1111111111111111111111111111111111111111"
#define TWOS   "2222222222222222222222222222222222222222"
#define THREES "3333333333333333333333333333333333333333"

/* The first digit of what the ref names, or a negative errno; each failure has its sentence, but that it is not there. */
static int read_ref(const struct sandbox *box, const char *ref)
{
    struct error e = {0};
    struct oid target;
    char hex[OID_HEX_SIZE];
    int r = refs_read(box->folder, ref, &target, &e);

    if (r < 0 && r != -ENOENT) {
        assert_int_equal(e.errnum, -r);
        assert_string_not_equal(e.text, "");
    }
    return r < 0 ? r : oid_format(&target, hex)[0];
}

static void test_what_the_file_of_a_ref_may_hold(void **state)
{
    static const struct {
        const char *text;
        int result;
    } rows[] = {
        {"'" ONES "\\n'", '1'},
        {"'" ONES "'", '1'},
        {"'" ONES " \\n\\n  \\n'", '1'},
        {"'" ONES "x'", -EIO},
        {"'" ONES "\\n\\0'", -EIO},
        {"'" ONES "%4056s'", '1'}, /* 4096 bytes */
        {"'" ONES "%4057s'", -EIO},
        {"%.39s " ONES, -EIO},
        {"%.39sx " ONES, -EIO},
        {"''", -EIO},
        {"'\\n'", -EIO},
        {"'ref: refs/heads/x\\n'", -ENOENT},
        {"'ref:'", -ENOENT},
        {"'ref'", -EIO},
    };
    const struct sandbox *box = *state;

    run(box, "mkdir -p refs/tags");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(box, "printf %s >refs/tags/x", rows[i].text);
        assert_int_equal(read_ref(box, "refs/tags/x"), rows[i].result);
    }
}

/* What stands in the place of the file of x; packed-refs has it, too. */
static void test_which_of_the_two_counts(void **state)
{
    static const struct {
        const char *script;
        int result;
    } rows[] = {
        {":", '2'},
        {"mkdir x", '2'},
        {"mkdir x; echo " THREES " >x/y", '2'},
        {"cd ..; rmdir tags; echo >tags", '2'},
        {"echo 'ref: refs/heads/x' >x", '2'},
        {"echo " ONES " >x", '1'},
        {"echo nonsense >x", -EIO},
        {"ln -s nowhere x", -EIO},
        {"mkfifo x", -EIO},
    };
    const struct sandbox *box = *state;

    run(box, "echo '" TWOS " refs/tags/x' >packed-refs");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(box, "rm -rf refs; mkdir -p refs/tags; cd refs/tags; %s", rows[i].script);
        assert_int_equal(read_ref(box, "refs/tags/x"), rows[i].result);
    }
}

static void test_what_packed_refs_may_hold(void **state)
{
    static const struct {
        const char *text;
        int x;
    } rows[] = {
        {"# pack-refs with: peeled fully-peeled sorted \\n" ONES " refs/tags/w\\n^" THREES
         "\\n" TWOS " refs/tags/x\\n" ONES " refs/tags/xx\\n",
         '2'},
        {ONES " refs/tags/w\\n" TWOS " refs/tags/x", '2'}, /* the last line has no end */
        {"\\n\\n" TWOS " refs/tags/x\\n", '2'},
        {TWOS " refs/tags/x\\n" ONES " refs/tags/x\\n", '2'}, /* the first */
        {TWOS "  refs/tags/x\\n", -ENOENT},
        {TWOS "\\trefs/tags/x\\n", -ENOENT},
        {"2" TWOS " refs/tags/x\\n", -ENOENT},
        {"x" ONES " refs/tags/x\\n", -ENOENT},
        {TWOS "\\n" TWOS " \\n", -ENOENT},
        {"", -ENOENT},
    };
    const struct sandbox *box = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(box, "printf '%s' >packed-refs", rows[i].text);
        assert_int_equal(read_ref(box, "refs/tags/x"), rows[i].x);
        assert_int_equal(read_ref(box, "refs/tags/y"), -ENOENT);
        assert_int_equal(read_ref(box, ""), -ENOENT);
    }
}

/* It is made anew elsewhere. */
static void test_what_is_no_packed_refs_is_an_empty_one(void **state)
{
    static const char *const scripts[] = {"mkdir packed-refs", "mkfifo packed-refs",
                                          "ln -s packed-refs packed-refs",
                                          "truncate -s 257M packed-refs"};
    const struct sandbox *box = *state;

    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        run(box, "rm -rf packed-refs; %s", scripts[i]);
        assert_int_equal(read_ref(box, "refs/tags/x"), -ENOENT);
    }
}

/* Only where it is not there may the remote be asked for it. */
static void test_what_cannot_be_read_is_not_missing(void **state)
{
    const struct sandbox *box = *state;
    struct rlimit old, none = {0};

    run(box,
        "mkdir -p refs/tags; echo " ONES " >refs/tags/x; echo '" TWOS " refs/tags/y' >packed-refs");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int x = read_ref(box, "refs/tags/x"), y = read_ref(box, "refs/tags/y");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(x, -EMFILE);
    assert_int_equal(y, -EMFILE);
}

struct seen {
    char text[1000];
    const char *stop; /* at this one */
};

static int see(void *data, const char *ref, const struct oid *target)
{
    struct seen *seen = data;
    char hex[OID_HEX_SIZE];
    size_t length = strlen(seen->text);

    snprintf(seen->text + length, sizeof seen->text - length, "%s=%c\n", ref,
             target ? oid_format(target, hex)[0] : '?');
    return seen->stop && strcmp(ref, seen->stop) == 0 ? 7 : 0;
}

/* All refs, sorted. */
static const char *all_refs(const struct sandbox *box)
{
    struct seen seen = {.stop = NULL};
    struct error e = {0};

    assert_int_equal(refs_each(box->folder, see, &seen, &e), 0);
    return output(box, "printf '%%s' '%s' | sort | xargs", seen.text);
}

/* Beside them may lie what git was writing when it was killed. */
static void test_which_files_are_refs(void **state)
{
    const struct sandbox *box = *state;

    assert_string_equal(all_refs(box), "");
    run(box,
        "mkdir -p refs/tags/deep refs/heads/empty refs/.hidden; cd refs; for i in tags/deep/a.lock "
        "tags/x.lock tags/.x tags/lock tags/.lock tags/x.locks .hidden/x top; do echo " ONES " >$i;"
        "done; ln -s tags linked; echo nonsense >tags/bad; echo ref: refs/tags/lock >tags/symbolic;"
        "ln -s lock tags/linked; mkfifo tags/fifo");
    assert_string_equal(all_refs(box),
                        "refs/linked=? refs/tags/bad=? refs/tags/fifo=? refs/tags/linked=? "
                        "refs/tags/lock=1 refs/tags/x.locks=1 refs/top=1");
}

/* A ref's own file counts, also if it is damaged. */
static void test_each_ref_is_visited_once(void **state)
{
    const struct sandbox *box = *state;

    run(box,
        "mkdir -p refs/tags/folder; echo " ONES " >refs/tags/both; echo nonsense >refs/tags/bad;"
        "echo ref: refs/tags/both >refs/tags/symbolic; : >packed-refs;"
        "for i in both bad packed symbolic folder; do echo " TWOS " refs/tags/$i >>packed-refs;"
        "echo ^" THREES " >>packed-refs; done");
    assert_string_equal(all_refs(box), "refs/tags/bad=? refs/tags/both=1 refs/tags/folder=2 "
                                       "refs/tags/packed=2 refs/tags/symbolic=2");
}

static void test_a_visit_can_end(void **state)
{
    const struct sandbox *box = *state;
    static const char *const stops[] = {"refs/tags/a", "refs/tags/b"};
    struct error e = {0};

    run(box, "mkdir -p refs/tags; echo " ONES " >refs/tags/a;"
             "for i in b c; do echo " TWOS " refs/tags/$i >>packed-refs; done");
    for (size_t i = 0; i < 2; i++) {
        struct seen seen = {.stop = stops[i]};

        assert_int_equal(refs_each(box->folder, see, &seen, &e), 7);
        assert_string_equal(seen.text, i ? "refs/tags/a=1\nrefs/tags/b=2\n" : "refs/tags/a=1\n");
    }
}

static int see_and_remove(void *data, const char *ref, const struct oid *target)
{
    const struct sandbox *box = data;

    (void)target;
    run(box, "cp %s last; rm refs/tags/*; echo >>visits", ref);
    return 0;
}

/* As another process that removes refs: what is not there any more is no failure. */
static void test_refs_that_go_while_they_are_read(void **state)
{
    struct sandbox *box = *state;
    struct error e = {0};

    run(box, "mkdir -p refs/tags; for i in a b c; do echo " ONES " >refs/tags/$i; done");
    assert_int_equal(refs_each(box->folder, see_and_remove, box, &e), 0);
    run(box, "test $(wc -l <visits) = 1");
}

/* Deeper ones are nobody's: no walk goes on for ever. */
static void test_how_deep_refs_may_lie(void **state)
{
    const struct sandbox *box = *state;
    struct seen seen = {.stop = NULL};
    struct error e = {0};

    run(box, "p=refs; for i in $(seq 64); do p=$p/d; done; mkdir -p $p/d; echo " ONES " >$p/x;"
             "echo " ONES " >$p/d/y");
    assert_int_equal(refs_each(box->folder, see, &seen, &e), 0);
    assert_non_null(strstr(seen.text, "/d/x=1\n"));
    assert_null(strstr(seen.text, "/y="));
}

static void test_a_folder_that_cannot_be_read_is_an_error(void **state)
{
    const struct sandbox *box = *state;
    struct seen seen = {.stop = NULL};
    struct error e = {0};

    run(box, "ln -s refs refs");
    assert_int_equal(refs_each(box->folder, see, &seen, &e), -ELOOP);
    assert_non_null(strstr(e.text, "refs"));
    run(box, "rm refs; echo >refs");
    assert_int_equal(refs_each(box->folder, see, &seen, &e), 0);
}

static int write_ref(const struct sandbox *box, const char *ref, const char *hex, struct error *e)
{
    struct oid target;

    assert_true(oid_parse(&target, hex, OID_HEX));
    return refs_write(box->folder, ref, &target, e);
}

/* Whatever stands in the way, but other refs. */
static void test_a_ref_is_written(void **state)
{
    static const char *const ways[] = {
        ":",
        "mkdir -p refs/tags; echo " TWOS " >refs/tags/x",
        "echo >refs",
        "mkdir refs; echo >refs/tags",
        "mkdir refs; ln -s nowhere refs/tags",
        "mkdir -p refs/tags/x/y/z refs/tags/x/w",
        "mkdir -p refs/tags; echo >refs/tags/x.lock",
        "mkdir -p refs/tags/x.lock/y",
        "mkdir -p refs/tags; ln -s nowhere refs/tags/x",
    };
    const struct sandbox *box = *state;
    struct error e = {0};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        run(box, "rm -rf refs; %s", ways[i]);
        assert_int_equal(write_ref(box, "refs/tags/x", ONES, &e), 0);
        run(box, "echo " ONES
                 " | cmp - refs/tags/x; test $(find refs | wc -l) = 3; test ! -L refs/tags/x");
    }
}

static void test_a_ref_that_cannot_be_written(void **state)
{
    const struct sandbox *box = *state;
    struct oid target = {0};
    struct error e = {0};
    char file[100];

    run(box, "mkdir -p refs/tags/x/empty; echo " TWOS " >refs/tags/x/y; echo >file");
    assert_int_equal(write_ref(box, "refs/tags/x", ONES, &e), -EEXIST);
    assert_non_null(strstr(e.text, "refs/tags/x"));
    assert_int_equal(read_ref(box, "refs/tags/x/y"), '2');
    snprintf(file, sizeof file, "%s/file", box->folder);
    assert_int_equal(refs_write(file, "refs/tags/x", &target, &e), -ENOTDIR);
}

/* From both, and no other: all other lines stay as they are. */
static void test_a_ref_is_removed(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {TWOS " refs/tags/x\\n", ""},
        {TWOS " refs/tags/x", ""},
        {TWOS " refs/tags/x\\n^" ONES "\\n", ""},
        {"# head\\n" ONES " refs/tags/w\\n^" ONES "\\n" TWOS " refs/tags/x\\n^" THREES "\\n" THREES
         " refs/tags/xx\\n^" ONES "\\nodd\\n",
         "# head\\n" ONES " refs/tags/w\\n^" ONES "\\n" THREES " refs/tags/xx\\n^" ONES
         "\\nodd\\n"},
        {ONES " refs/tags/\\n" ONES " refs/tags/xx\\n" ONES " efs/tags/x\\n" ONES " refs/tags/y",
         ONES " refs/tags/\\n" ONES " refs/tags/xx\\n" ONES " efs/tags/x\\n" ONES " refs/tags/y"},
        {ONES "\\n" ONES " \\n", ONES "\\n" ONES " \\n"},
    };
    const struct sandbox *box = *state;
    struct error e = {0};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(box,
            "mkdir -p refs/tags; echo " ONES " >refs/tags/x; echo " ONES " >refs/tags/y;"
            "printf '%s' >packed-refs; printf '%s' >left; stat -c %%i packed-refs >inode",
            rows[i][0], rows[i][1]);
        assert_int_equal(refs_remove(box->folder, "refs/tags/x", &e), 0);
        assert_int_equal(read_ref(box, "refs/tags/x"), -ENOENT);
        assert_int_equal(read_ref(box, "refs/tags/y"), '1');
        run(box,
            "cmp packed-refs left; test ! -e packed-refs.lock;"
            "test '%s' != '%s' || stat -c %%i packed-refs | cmp - inode",
            rows[i][0], rows[i][1]);
    }
}

static void test_a_ref_that_is_not_there_is_removed(void **state)
{
    static const char *const scripts[] = {":", "mkdir -p refs/tags/x",
                                          "truncate -s 257M packed-refs",
                                          "rm packed-refs; mkdir -p refs; echo >refs/tags"};
    const struct sandbox *box = *state;
    struct error e = {0};

    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        run(box, "rm -rf refs; %s", scripts[i]);
        assert_int_equal(refs_remove(box->folder, "refs/tags/x", &e), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_the_file_of_a_ref_may_hold),
        TEST(test_which_of_the_two_counts),
        TEST(test_what_packed_refs_may_hold),
        TEST(test_what_is_no_packed_refs_is_an_empty_one),
        TEST(test_what_cannot_be_read_is_not_missing),
        TEST(test_which_files_are_refs),
        TEST(test_each_ref_is_visited_once),
        TEST(test_a_visit_can_end),
        TEST(test_refs_that_go_while_they_are_read),
        TEST(test_how_deep_refs_may_lie),
        TEST(test_a_folder_that_cannot_be_read_is_an_error),
        TEST(test_a_ref_is_written),
        TEST(test_a_ref_that_cannot_be_written),
        TEST(test_a_ref_is_removed),
        TEST(test_a_ref_that_is_not_there_is_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
