#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gitcache/base/oid.h"
#include "gitcache/base/refname.h"
#include "gitcache/base/source_list.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SLOWNESS 20 /* how many times as long things may take with a sanitizer */
#else
#define SLOWNESS 1
#endif

#define SHA           "0123456789abcdef0123456789abcdef01234567"
#define SHA_OTHER_END "0123456789abcdef0123456789abcdef01234568"

static void assert_text(const char *found, const char *expected)
{
    if (!expected)
        assert_null(found);
    else
        assert_string_equal(found, expected);
}

static void test_spellings(void **state)
{
    static const struct {
        const char *text, *url, *name;
        enum source_kind kind;
        const char *version, *commit;
    } cases[] = {
        {"https://h/o/repo", "https://h/o/repo", "repo", SOURCE_DEFAULT, NULL, NULL},
        {"https://h/o/repo.git/", "https://h/o/repo.git", "repo", SOURCE_DEFAULT, NULL, NULL},
        {"https://h/o/repo?tag=3.7.4-19", "https://h/o/repo", "repo", SOURCE_NAMED, "3.7.4-19",
         NULL},
        {"https://h/r?tag=a%2Fb%2bc&name=x", "https://h/r", "x", SOURCE_NAMED, "a/b+c", NULL},
        {"https://h/r?commit=" SHA, "https://h/r", "r", SOURCE_DEFAULT, NULL, SHA},
        {"https://h/r?commit=0123456789ABCDEF0123456789abcdef01234567", "https://h/r", "r",
         SOURCE_DEFAULT, NULL, SHA},
        {"ABCDEF1@https://h/r", "https://h/r", "r", SOURCE_COMMIT, "abcdef1", NULL},
        {SHA "@/srv/r", "/srv/r", "r", SOURCE_COMMIT, SHA, NULL},
        {"abcdef1@./repo", "/base/repo", "repo", SOURCE_COMMIT, "abcdef1", NULL},
        {"git@host:o/repo.git", "git@host:o/repo.git", "repo", SOURCE_DEFAULT, NULL, NULL},
        {"git@host:/?name=x", "git@host:/", "x", SOURCE_DEFAULT, NULL, NULL},
        {"git@host:o//", "git@host:o", "o", SOURCE_DEFAULT, NULL, NULL},
        {"git@host:repo?tag=1", "git@host:repo", "repo", SOURCE_NAMED, "1", NULL},
        {"ssh://git@h:22/o/repo", "ssh://git@h:22/o/repo", "repo", SOURCE_DEFAULT, NULL, NULL},
        {"https://h/x.git", "https://h/x.git", "x", SOURCE_DEFAULT, NULL, NULL},
        {"git://h/repo", "git://h/repo", "repo", SOURCE_DEFAULT, NULL, NULL},
        {"file:///srv/repo", "file:///srv/repo", "repo", SOURCE_DEFAULT, NULL, NULL},
        {"https://user:secret@h", "https://user:secret@h", "h", SOURCE_DEFAULT, NULL, NULL},
        {"https://h:8080/", "https://h:8080", "h", SOURCE_DEFAULT, NULL, NULL},
        {"/srv/repo/.git", "/srv/repo/.git", "repo", SOURCE_DEFAULT, NULL, NULL},
        {".", "/base", "base", SOURCE_DEFAULT, NULL, NULL},
        {"./a/b?tag=1", "/base/a/b", "b", SOURCE_NAMED, "1", NULL},
        {"../x", "/x", "x", SOURCE_DEFAULT, NULL, NULL},
        {"../../x", "/x", "x", SOURCE_DEFAULT, NULL, NULL},
        {"./a b", "/base/a b", "a b", SOURCE_DEFAULT, NULL, NULL},
        {"~/a", "/home/me/a", "a", SOURCE_DEFAULT, NULL, NULL},
        {"abcdef1@~/a/../b", "/home/me/a/../b", "b", SOURCE_COMMIT, "abcdef1", NULL},
        {"./a:b", "/base/a:b", "a:b", SOURCE_DEFAULT, NULL, NULL},
        {"/srv/a:b", "/srv/a:b", "a:b", SOURCE_DEFAULT, NULL, NULL},
    };

    (void)state;
    setenv("HOME", "/home/me", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct source source;
        struct error e = {0};

        if (source_parse(&source, cases[i].text, "/base", &e))
            fail_msg("%s: %s", cases[i].text, e.text);
        assert_text(source.text, cases[i].text);
        assert_text(source.url, cases[i].url);
        assert_text(source.name, cases[i].name);
        assert_int_equal(source.kind, cases[i].kind);
        assert_text(source.version, cases[i].version);
        assert_text(source.commit, cases[i].commit);
        source_release(&source);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "has no URL"},
        {"?tag=1", "has no URL"},
        {"abcdef1@", "has no URL"},
        {"https://h/r?tag=", "tag= is empty"},
        {"https://h/r?tag", "needs a value"},
        {"https://h/r?", "unknown query key ''"},
        {"https://h/r?tga=1", "unknown query key 'tga'"},
        {"https://h/r?tag=1&tag=2", "is given twice"},
        {"https://h/r?name=1&name=2", "is given twice"},
        {"https://h/r?commit=" SHA "&commit=" SHA, "is given twice"},
        {"https://h/r?tag=1%zz", "broken"},
        {"https://h/r?tag=1%00", "broken"},
        {"https://h/r?tag=a..b", "no tag can be called"},
        {"https://h/r?tag=.git", "no tag can be called"},
        {"https://h/r?tag=%0a", "no tag can be called"},
        {"https://h/r?commit=abcdef1", "40 hex digits"},
        {"https://h/r?commit=" SHA "0", "40 hex digits"},
        {"https://h/r?commit=0123456789abcdefg123456789abcdef01234567", "40 hex digits"},
        {"abcdef1@https://h/r?tag=1", "exclude each other"},
        {"abcdef1@https://h/r?commit=" SHA, "is not the commit"},
        {"abcdef1@https://h/r?name=a&name=b", "is given twice"},
        {SHA "@https://h/r?commit=" SHA_OTHER_END, "is not the commit"},
        {"abc@https://h/r", "7 to 40 hex digits"},
        {"abcdef@https://h/r", "7 to 40 hex digits"},
        {SHA "0@https://h/r", "7 to 40 hex digits"},
        {"abcdef1@host:path", "abcdef1 could be a commit or a user name here; write "
                              "abcdef1@ssh://HOST/PATH or ssh://abcdef1@HOST/PATH"},
        {"-x", "dash"},
        {"--upload-pack=x", "dash"},
        {"abcdef1@-x", "dash"},
        {"ssh://-oProxyCommand=x/r", "dash"},
        {"ext::sh -c x", "only http"},
        {"ftp://h/r", "only http"},
        {"file://host/r", "file:///PATH"},
        {"https://?name=x", "names no host"},
        {"https:///", "names no host"},
        {"abcdef1@ssh://?name=x", "names no host"},
        {"https:///r", "names no host"},
        {"http://:80/r", "names no host"},
        {"ssh://me@/r", "names no host"},
        {"foo://?name=x", "names no host"},
        {"file://?name=x", "file:///PATH"},
        {"https://h/a b", "no spaces"},
        {"git@h:a b", "no spaces"},
        /* A path has a mark at its front, so that nothing else is taken for one. */
        {"this is junk", "neither a URL nor a path"},
        {"repo", "neither a URL nor a path"},
        {"a/b", "neither a URL nor a path"},
        {"...", "neither a URL nor a path"},
        {".hidden/x", "neither a URL nor a path"},
        {"~me/x", "neither a URL nor a path"},
        {"abcdef1@repo", "neither a URL nor a path"},
        {"github.com/my/bash-bats?tag=1", "is https:// missing?"},
        {"abcdef1@github.com/my/bash-bats", "is https:// missing?"},
        {"https://h/r\x1b[2J", "control character"},
        {"/", "folder's name"},
        {"https://h/.hidden", "folder's name"},
        {"https://h/r?name=a%2Fb", "folder's name"},
        {"https://h/r?name=..", "folder's name"},
        {"https://h/r?name=.startpointfs", "folder's name"},
        {"https://h/r?name=a%0ab", "folder's name"},
        {"https://h/r?name=", "name= is empty"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct source source;
        struct error e = {0};

        if (source_parse(&source, cases[i].text, "/base", &e) != -EINVAL)
            fail_msg("accepted: %s", cases[i].text);
        if (!strstr(e.text, cases[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", cases[i].text, e.text, cases[i].says);
    }
}

/* As a user has none who is in no passwd(5): it must not become a folder of that name. */
static void test_no_home(void **state)
{
    static const char *const homes[] = {NULL, "", "me"};

    (void)state;
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        struct source source;
        struct error e = {0};

        if (homes[i])
            setenv("HOME", homes[i], 1);
        else
            unsetenv("HOME");
        assert_int_equal(source_parse(&source, "abcdef1@~/a", "/base", &e), -EINVAL);
        assert_string_equal(e.text, "~/a: HOME names no folder for ~/; write the whole path");
        assert_int_equal(source_parse(&source, "./~/a", "/base", &e), 0);
        assert_string_equal(source.url, "/base/~/a");
        source_release(&source);
    }
}

/* On a command line a path without a mark must be there. */
static void test_operands(void **state)
{
    static const struct {
        const char *text, *says;
        int errnum;
    } refused[] = {
        {"nosuch.list", "no such file or folder", ENOENT},
        {"abcdef1@nosuch", "no such file or folder", ENOENT},
        {"nosuch?tag=1", "no such file or folder", ENOENT},
        {"github.com/my/x?tag=1", "is https:// missing?", ENOENT},
        {"this is junk", "no such file or folder", ENOENT},
        {"nosuch?tga=1", "unknown query key", EINVAL},
    };
    static const char *const taken[] = {"lib?tag=1", "./lib",          "../usr/lib",
                                        "/usr",      "abcdef1@lib",    "https://h/x",
                                        "git@h:x",   "file:///nosuch", "abcdef1@./nosuch"};
    struct source source;

    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct error e = {0};
        if (source_parse_operand(&source, taken[i], "/usr", &e) < 0)
            fail_msg("%s: %s", taken[i], e.text);
        source_release(&source);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct error e = {0};
        assert_int_equal(source_parse_operand(&source, refused[i].text, "/usr", &e),
                         -refused[i].errnum);
        if (!strstr(e.text, refused[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", refused[i].text, e.text, refused[i].says);
    }
}

static void test_sentences_hide_credentials(void **state)
{
    struct source source;
    struct error e = {0};

    (void)state;
    assert_int_equal(source_parse(&source, "https://joe:secret@h/r?x=1", "/", &e), -EINVAL);
    assert_null(strstr(e.text, "secret"));
    assert_non_null(strstr(e.text, "https://h/r"));
}

static void test_ref_names(void **state)
{
    static const char *const valid[] = {"3.7.4-19", "a/b/c", "v1@x",     "@",
                                        "a.lock.b", "-x",    "\xff\xfe", "a{b"};
    static const char *const invalid[] = {
        "",     ".a",    "a/.b", "a..b", "a.", "a/",     "/a",      "a//b", "a b",
        "a~1",  "a^",    "a:b",  "a?b",  "a*", "a[b",    "a\\b",    "a@{b", "a@{",
        "a\nb", "a\x7f", ".git", "..",   ".",  "a.lock", "a.lock/b"};
    char longest[257];

    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        if (!refname_is_valid(valid[i], strlen(valid[i])))
            fail_msg("refused: %s", valid[i]);
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        if (refname_is_valid(invalid[i], strlen(invalid[i])))
            fail_msg("accepted: %s", invalid[i]);
    memset(longest, 'a', sizeof longest);
    assert_true(refname_is_valid(longest, 255));
    assert_false(refname_is_valid(longest, 256));
    assert_false(refname_is_valid("a\0b", 3));
}

struct place {
    char folder[64], file[96];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    strcpy(place->folder, "/tmp/test_source.XXXXXX");
    if (!mkdtemp(place->folder))
        return -1;
    snprintf(place->file, sizeof place->file, "%s/list", place->folder);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;

    unlink(place->file);
    rmdir(place->folder);
    free(place);
    return 0;
}

static void write_list(const struct place *place, const void *text, size_t length)
{
    FILE *stream = fopen(place->file, "w");

    assert_non_null(stream);
    assert_int_equal(fwrite(text, 1, length, stream), length);
    assert_int_equal(fclose(stream), 0);
}

static void test_list(void **state)
{
    static const char text[] = "\xef\xbb\xbf# our languages\r\n"
                               "\r\n"
                               "https://h/a?tag=1  # the first\r\n"
                               "   \t\n"
                               "  abcdef1@https://h/b#c\t# a tab is a blank\n"
                               "../sibling\n"
                               "https://h/last";
    struct place *place = *state;
    struct source_list list = {0};
    struct error e = {0};

    write_list(place, text, sizeof text - 1);
    assert_int_equal(source_list_add(&list, place->file, &e), 0);
    assert_int_equal(list.count, 4);
    assert_string_equal(list.items[0].text, "https://h/a?tag=1");
    assert_int_equal(list.items[0].line, 3);
    assert_string_equal(list.items[0].file, place->file);
    assert_string_equal(list.items[1].url, "https://h/b#c");
    assert_string_equal(list.items[2].url, "/tmp/sibling");
    assert_string_equal(list.items[3].name, "last");
    assert_int_equal(list.items[3].line, 7);
    assert_int_equal(source_list_add(&list, place->folder, &e), 0);
    assert_string_equal(list.items[4].url, place->folder);
    assert_null(list.items[4].file);
    assert_int_equal(source_list_check(&list, &e), 0);
    source_list_release(&list);
}

static void assert_list_is_refused(const struct place *place, const void *text, size_t length,
                                   const char *says)
{
    struct source_list list = {0};
    struct error e = {0};

    write_list(place, text, length);
    assert_int_equal(source_list_add(&list, "https://h/kept", &e), 0);
    assert_int_equal(source_list_add(&list, place->file, &e), -EINVAL);
    if (!strstr(e.text, says))
        fail_msg("says \"%s\", not \"%s\"", e.text, says);
    assert_int_equal(list.count, 1);
    source_list_release(&list);
}

static void test_list_refusals(void **state)
{
    static const char bad[] = "https://h/a\nhttps://h/b\n\nhttps://h/c?bogus=1\n";
    static const char binary[] = "https://h/a\nhttps\0://h/b\n";
    struct place *place = *state;
    struct source_list list = {0};
    struct error e = {0};

    assert_list_is_refused(place, bad, sizeof bad - 1, "/list:4: ");
    assert_list_is_refused(place, binary, sizeof binary - 1, "/list:2: not a list");
    assert_list_is_refused(place, "# nothing\n", 10, "has no sources");
    assert_list_is_refused(place, "", 0, "has no sources");
    /* It used to be taken for a repository of that name, which nobody can mean. */
    assert_int_equal(source_list_add(&list, "nosuch.txt", &e), -ENOENT);
    assert_int_equal(list.count, 0);
    source_list_release(&list);
}

static void test_name_claimed_twice(void **state)
{
    static const char text[] = "https://u:secret@h/a/repo\nhttps://h/other\nhttps://h/b/repo\n";
    struct place *place = *state;
    struct source_list list = {0};
    struct error e = {0};

    write_list(place, text, sizeof text - 1);
    assert_int_equal(source_list_add(&list, place->file, &e), 0);
    assert_int_equal(source_list_check(&list, &e), -EINVAL);
    assert_non_null(strstr(e.text, "/list:1"));
    assert_non_null(strstr(e.text, "/list:3"));
    assert_non_null(strstr(e.text, "name=ALIAS"));
    assert_null(strstr(e.text, "secret"));
    source_list_release(&list);
}

static void test_two_may_not_claim_one_name(void **state)
{
    struct source_list list = {0};
    struct error e = {0};

    (void)state;
    assert_int_equal(source_list_add(&list, "https://h/a/repo", &e), 0);
    assert_int_equal(source_list_add(&list, "https://h/b/repo", &e), 0);
    assert_int_equal(source_list_check(&list, &e), -EINVAL);
    assert_string_equal(e.text, "the folder repo is claimed by both https://h/a/repo and "
                                "https://h/b/repo; add name=ALIAS to one");
    source_list_release(&list);
}

/* Which lies in no folder: its paths are relative to where the program was started. */
static void test_list_from_a_pipe(void **state)
{
    struct place *place = *state;
    struct source_list list = {0};
    struct error e = {0};
    pid_t child;

    assert_int_equal(mkfifo(place->file, 0600), 0);
    assert_int_equal(chdir(place->folder), 0);
    child = fork();
    if (child == 0) {
        FILE *stream = fopen(place->file, "w");
        _exit(stream && fputs("\xef\xbb\xbf./here\n", stream) >= 0 && fclose(stream) == 0 ? 0 : 1);
    }
    assert_int_equal(source_list_add(&list, place->file, &e), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(strncmp(list.items[0].url, place->folder, strlen(place->folder)), 0);
    assert_string_equal(list.items[0].url + strlen(place->folder), "/here");
    source_list_release(&list);
}

static void test_list_that_cannot_be_read(void **state)
{
    struct place *place = *state;
    struct source_list list = {0};
    struct error e = {0};

    assert_int_equal(source_list_add_list(&list, place->folder, &e), -EISDIR);
    assert_int_equal(strncmp(e.text, "cannot read the list /", 22), 0);
    assert_int_equal(source_list_add_list(&list, place->file, &e), -ENOENT);
    assert_int_equal(strncmp(e.text, "cannot read the list /", 22), 0);
    assert_int_equal(list.count, 0);
    source_list_release(&list);
}

/* Reading and checking takes the same time for each line, however many there are: comparing each
 * with each would take minutes of processor time. */
static void test_lists_are_linear(void **state)
{
    struct place *place = *state;
    struct source_list list = {0};
    struct error e = {0};
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    for (int i = 0; i < 100000; i++)
        fprintf(stream, "https://example.org/some/repository-%d?tag=1.%d\n", i, i);
    assert_int_equal(fclose(stream), 0);
    write_list(place, text, size);
    free(text);
    clock_t begun = clock();
    assert_int_equal(source_list_add(&list, place->file, &e), 0);
    assert_int_equal(source_list_check(&list, &e), 0);
    assert_true(clock() - begun < SLOWNESS * CLOCKS_PER_SEC);
    assert_int_equal(list.count, 100000);
    source_list_release(&list);
}

static void test_one_url_may_stand_twice(void **state)
{
    struct source_list list = {0};
    struct error e = {0};

    (void)state;
    assert_int_equal(source_list_add(&list, "https://h/repo?tag=1", &e), 0);
    assert_int_equal(source_list_add(&list, "https://h/repo?tag=2", &e), 0);
    assert_int_equal(source_list_check(&list, &e), 0);
    source_list_release(&list);
}

/* What a set's file keeps is read as what it was. */
static void test_what_is_written_is_read_again(void **state)
{
    static const char *const texts[] = {
        "https://h/o/repo",
        "https://h/o/repo?tag=1.2",
        "https://h/o/repo?tag=a%26c%25&name=x",
        "https://h/o/repo?name=x%20y",
        "https://h/o/repo?tag=1&commit=" SHA,
        "https://h/o/repo?commit=" SHA,
        "https://h/o/repo?name=x&commit=" SHA,
        "abcdef1@https://h/o/repo",
        "abcdef1@https://h/o/repo?name=x",
        SHA "@https://h/o/repo?name=x&commit=" SHA,
        "/srv/a b/repo?tag=1&name=x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct source source, again;
        struct error e = {0};

        assert_int_equal(source_parse(&source, texts[i], "/base", &e), 0);
        char *line = source_format(&source);
        assert_string_equal(line, texts[i]);
        assert_int_equal(source_parse(&again, line, "/elsewhere", &e), 0);
        assert_string_equal(again.url, source.url);
        assert_string_equal(again.name, source.name);
        assert_int_equal(again.kind, source.kind);
        assert_text(again.version, source.version);
        assert_text(again.commit, source.commit);
        free(line);
        source_release(&source);
        source_release(&again);
    }
}

static void test_ids_are_compared_whole(void **state)
{
    static const char id[] = SHA;
    struct oid one, other;

    (void)state;
    assert_true(oid_parse(&one, id, OID_HEX));
    for (size_t i = 0; i < OID_HEX; i++) {
        char changed[sizeof id];
        memcpy(changed, id, sizeof id);
        changed[i] = changed[i] == '0' ? '1' : '0';
        assert_true(oid_parse(&other, changed, OID_HEX));
        assert_false(oid_equal(&one, &other));
        changed[i] = 'g';
        assert_false(oid_parse(&other, changed, OID_HEX));
        assert_false(oid_is_abbreviation(changed, OID_HEX));
    }
    for (size_t length = 0; length <= OID_HEX; length++)
        assert_int_equal(oid_is_abbreviation(id, length), length >= 7);
    assert_false(oid_parse(&other, id, OID_HEX - 1));
    assert_false(oid_is_zero(&one));
    assert_true(oid_is_zero(&(struct oid){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_are_compared_whole),
        cmocka_unit_test(test_what_is_written_is_read_again),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_home),
        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_sentences_hide_credentials),
        cmocka_unit_test(test_ref_names),
        cmocka_unit_test_setup_teardown(test_list, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_list_refusals, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_name_claimed_twice, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_lists_are_linear, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_list_from_a_pipe, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_list_that_cannot_be_read, make_place, remove_place),
        cmocka_unit_test(test_two_may_not_claim_one_name),
        cmocka_unit_test(test_one_url_may_stand_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
