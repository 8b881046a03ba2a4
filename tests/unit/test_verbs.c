/* test_verbs.c - what verbs that need no mount print, and how they end: each in a process of its own. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fs/cli/arguments.h"
#include "fs/exit.h"
#include "gitcache/base/oid.h"
#include "tests/unit/sandbox.h"

#define MANIFEST                                                                               \
    "{\"display_name\": \"C, assert\", \"image_name\": \"me/gcc:%s\", \"visible_filenames\": " \
    "[\"cyber-dojo.sh\"], \"filename_extension\": \".c\"}"

#define SHORT 7 /* digits of a commit */

static char printed[20000], said[20000];

static void read_text(const struct sandbox *box, const char *name, char *text, size_t size)
{
    char path[100];
    int fd;
    ssize_t n;

    snprintf(path, sizeof path, "%s/%s", box->folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    n = read(fd, text, size - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
}

static int open_text(const char *name)
{
    return open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
}

/* In the sandbox's folder. The words are separated by blanks. */
static void be_program(int (*verb)(struct arguments *arguments), const struct sandbox *box,
                       char *words)
{
    static const struct verb any = {.name = "verb", .operands = "", .accepts = -1u, .most = 99};
    char cache[100], sets[100], *argv[20];
    struct arguments arguments;
    struct error error;
    bool help = false;
    int argc = 0;

    snprintf(cache, sizeof cache, "%s/cache", box->folder);
    snprintf(sets, sizeof sets, "%s/sets", box->folder);
    setenv("TZ", "XXX-5", 1); /* times are UTC, wherever the caller is */
    setenv("STARTPOINTFS_CACHE", cache, 1);
    setenv("STARTPOINTFS_SETS", sets, 1);
    for (char *word; (word = strsep(&words, " "));)
        if (*word)
            argv[argc++] = word;
    if (chdir(box->folder) < 0 || dup2(open_text("printed"), 1) < 0 ||
        dup2(open_text("said"), 2) < 0)
        _exit(100);
    if (arguments_parse(&arguments, &any, argc, argv, &help, &error) < 0)
        _exit(101);
    int code = verb(&arguments);
    arguments_release(&arguments);
    fflush(stdout);
    _exit(code);
}

/* The exit status; what it printed is in `printed`, and what it said of itself in `said`. */
__attribute__((format(printf, 3, 4))) static int
call(void **state, int (*verb)(struct arguments *arguments), const char *format, ...)
{
    const struct sandbox *box = *state;
    char words[500];
    va_list args;
    int status;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    pid_t child = fork();
    if (child == 0)
        be_program(verb, box, words);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    read_text(box, "printed", printed, sizeof printed);
    read_text(box, "said", said, sizeof said);
    return WEXITSTATUS(status);
}

/* The commit of a revision; good until the next call. */
static const char *commit_of(void **state, const char *revision)
{
    return output(*state, "git -C c-assert rev-parse '%s^{commit}'", revision);
}

static void commit(void **state, const char *tag)
{
    run(*state,
        "cd c-assert; printf '" MANIFEST "' >manifest.json; : >cyber-dojo.sh; git add .;"
        "git commit -qm %s; git tag %s",
        tag, tag, tag);
}

/* A start-point with tags 1.9, 1.10 and 2.0-rc, all of the same branch. It is made once, and copied for each test. */
static void *first;

static int make_start_point(void **state)
{
    (void)state;
    if (sandbox_open(&first) < 0)
        return -1;
    run(first, "git init -q c-assert");
    commit(&first, "1.9");
    commit(&first, "1.10");
    commit(&first, "2.0-rc");
    return 0;
}

static int remove_start_point(void **state)
{
    (void)state;
    return sandbox_close(&first);
}

static int copy_start_point(void **state)
{
    if (sandbox_open(state) < 0)
        return -1;
    run(*state, "cp -a %s/c-assert .", ((const struct sandbox *)first)->folder);
    return 0;
}

static void expect_said(const char *sentence)
{
    if (strcmp(said, sentence) != 0)
        fail_msg("it says %s, not %s", said, sentence);
}

static void versions_are_listed_the_newest_last(void **state)
{
    char expected[500] = "", one[200];
    static const char *const tags[] = {"1.9", "1.10", "2.0-rc"};

    for (size_t i = 0; i < 3; i++)
        sprintf(expected + strlen(expected), "%s\t%s\n", tags[i], commit_of(state, tags[i]));
    assert_int_equal(call(state, verb_versions, "c-assert --offline"), 3);
    expect_said("startpointfs: c-assert has never been listed, and --offline forbids asking\n");
    assert_int_equal(call(state, verb_versions, "c-assert"), 0);
    assert_string_equal(printed, expected);
    assert_string_equal(said, "");
    snprintf(one, sizeof one, "1.10\t%s\n", commit_of(state, "1.10"));
    assert_int_equal(call(state, verb_versions, "c-assert?tag=1.10 --offline"), 0);
    assert_string_equal(printed, one);
    snprintf(one, sizeof one, "main\t%s\n", commit_of(state, "main"));
    assert_int_equal(call(state, verb_versions, "c-assert?tag=main"), 0);
    assert_string_equal(printed, one);
    snprintf(one, sizeof one, "[\n  {\n    \"name\": \"1.9\",\n    \"commit\": \"%s\"\n  }\n]\n",
             commit_of(state, "1.9"));
    assert_int_equal(call(state, verb_versions, "c-assert?tag=1.9 --json"), 0);
    assert_string_equal(printed, one);
}

static void versions_are_ordered_as_git_is_told_to(void **state)
{
    run(*state, "git config --global versionsort.suffix -b; "
                "git config --global --add versionsort.suffix -a; cd c-assert; git tag 2.0;"
                "git tag 2.0-a; git tag 2.0-b; git tag -d 1.9 1.10 2.0-rc; git tag deep/er");
    assert_int_equal(call(state, verb_versions, "c-assert"), 0);
    run(*state, "cut -f 1 printed >names");
    read_text(*state, "names", printed, sizeof printed);
    assert_string_equal(printed, "2.0-b\n2.0-a\n2.0\ndeep/er\n");
}

static void versions_that_are_none_are_said(void **state)
{
    const struct sandbox *box = *state;
    char sentence[300];

    assert_int_equal(call(state, verb_versions, "c-assert?tag=3"), 2);
    assert_string_equal(printed, "");
    snprintf(sentence, sizeof sentence, "startpointfs: %s/c-assert has no tag or branch 3\n",
             box->folder);
    expect_said(sentence);
    assert_int_equal(call(state, verb_versions, "c-assert?tag=3 --json"), 2);
    assert_string_equal(printed, "[]\n");
    assert_int_equal(call(state, verb_versions, "nowhere"), 2);
    expect_said("startpointfs: nowhere: no such file or folder, and not a URL\n");
    assert_int_equal(call(state, verb_versions, "sub/../nowhere.git?x=1"), 2);
    run(*state, "mkdir plain");
    assert_int_equal(call(state, verb_versions, "plain"), 3);
    assert_non_null(strstr(said, "plain is not a git repository"));
    run(*state, "touch file");
    assert_int_equal(call(state, verb_versions, "c-assert --cache file/x"), 1);
    assert_non_null(strstr(said, "Not a directory"));
}

static void fetch_counts_what_it_did(void **state)
{
    assert_int_equal(call(state, verb_fetch, "c-assert?tag=1.9 c-assert?tag=1.10"), 0);
    assert_string_equal(printed, "2 versions: 2 fetched, 0 already in the cache, 0 failed\n");
    assert_non_null(strstr(said, "] c-assert/1.9: fetched\n"));
    assert_int_equal(call(state, verb_fetch, "c-assert?tag=1.9 --offline"), 0);
    assert_string_equal(printed, "1 version: 0 fetched, 1 already in the cache, 0 failed\n");
    assert_int_equal(call(state, verb_fetch, "c-assert?tag=1.9 --quiet"), 0);
    assert_string_equal(printed, "");
    assert_string_equal(said, "");
    assert_int_equal(call(state, verb_fetch, "c-assert?tag=1.9 c-assert?tag=3"), 3);
    assert_string_equal(printed, "2 versions: 0 fetched, 1 already in the cache, 1 failed\n");
    const char *sentence = strstr(said, "startpointfs: c-assert?tag=3: ");
    assert_non_null(sentence);
    assert_non_null(strstr(sentence, " has no tag, branch or commit 3"));
    assert_int_equal(call(state, verb_fetch, "nowhere"), 2);
    run(*state, "touch file");
    assert_int_equal(call(state, verb_fetch, "c-assert?tag=1.9 --cache file/x"), 1);
}

static void a_set_is_made_seen_and_removed(void **state)
{
    const struct sandbox *box = *state;
    char expected[2000];

    assert_int_equal(call(state, verb_ls, "%s", ""), 0);
    snprintf(expected, sizeof expected, "no sets in %s/sets: 'startpointfs create' makes one\n",
             box->folder);
    expect_said(expected);
    assert_int_equal(call(state, verb_ls, "--quiet"), 0);
    expect_said("");
    assert_int_equal(call(state, verb_create, "a/pp --languages c-assert?tag=1.9"), 0);
    snprintf(expected, sizeof expected,
             "0\t%.*s\tc-assert?tag=1.9\n"
             "Created the set 'a/pp': 1 start-point (languages), all checked.\n"
             "Mount it: startpointfs mount MOUNTPOINT\n"
             "It is then at MOUNTPOINT/.startpointfs/sets/a/pp/.\n"
             "Running mounts without a SOURCE show it already.\n",
             SHORT, commit_of(state, "1.9"));
    assert_string_equal(printed, expected);
    assert_int_equal(call(state, verb_create, "a/pp --languages c-assert?tag=1.9"), 4);
    expect_said("startpointfs: the set 'a/pp' already exists; --force replaces it\n");
    assert_int_equal(call(state, verb_create, "--force --quiet a/pp --languages c-assert?tag=1.10"),
                     0);
    assert_string_equal(printed, "");
    assert_int_equal(call(state, verb_ls, "%s", ""), 0);
    assert_ptr_equal(
        strstr(printed, "NAME  TYPE       SOURCES  MADE\na/pp  languages        1  20"), printed);
    assert_int_equal(call(state, verb_inspect, "a/pp --offline"), 0);
    snprintf(expected, sizeof expected,
             "{\n  \"C, assert\": {\n    \"url\": \"%s/c-assert\",\n    \"sha\": \"%s\",\n"
             "    \"image_name\": \"me/gcc:1.10\"\n  }\n}\n",
             box->folder, commit_of(state, "1.10"));
    assert_string_equal(printed, expected);
    assert_int_equal(call(state, verb_images, "a/pp"), 0);
    assert_string_equal(printed, "me/gcc:1.10\n");
    assert_int_equal(call(state, verb_rm, "a/pp"), 0);
    assert_string_equal(printed, "Removed the set 'a/pp'. Its versions stay in the cache until "
                                 "'startpointfs gc'.\n");
    assert_int_equal(call(state, verb_rm, "a/pp"), 1);
    assert_int_equal(call(state, verb_inspect, "a/pp"), 1);
    assert_int_equal(call(state, verb_images, "a/pp"), 1);
    assert_string_equal(printed, "");
}

#define SET(name, type, source, sha)                                            \
    "  {\n    \"name\": \"" name "\",\n    \"type\": \"" type "\",\n"           \
    "    \"made_at\": \"2020-09-13T12:26:40Z\",\n    \"sources\": [\n      {\n" \
    "        \"source\": \"" source "\",\n        \"sha\": \"" sha "\"\n      }\n    ]\n  }"

/* As rows and as JSON; one that is damaged hides no other. */
static void sets_are_listed(void **state)
{
    char expected[2000], sha[OID_HEX_SIZE];

    strcpy(sha, commit_of(state, "1.9"));
    assert_int_equal(call(state, verb_create, "longer-name --custom --quiet %.9s@./c-assert", sha),
                     0);
    assert_int_equal(call(state, verb_create, "b --languages --quiet c-assert?tag=1.9"), 0);
    run(*state, "sed -i 's/^# made: .*/# made: 1600000000/' sets/*");
    assert_int_equal(call(state, verb_ls, "%s", ""), 0);
    assert_string_equal(printed, "NAME         TYPE       SOURCES  MADE\n"
                                 "b            languages        1  2020-09-13 12:26 UTC\n"
                                 "longer-name  custom           1  2020-09-13 12:26 UTC\n");
    assert_int_equal(call(state, verb_ls, "--json"), 0);
    snprintf(expected, sizeof expected, SET("b", "languages", "c-assert?tag=1.9", "%s"), sha);
    assert_ptr_equal(strstr(printed, expected), printed + 2);
    snprintf(expected, sizeof expected,
             SET("longer-name", "custom", "%.9s@./c-assert", "%s") "\n]\n", sha, sha);
    assert_non_null(strstr(printed, expected));
    /* Written by somebody, in another encoding, at a time that no calendar has. */
    run(*state, "cp sets/b kept; sed -i 's/^# given: .*/# given: \xe9t\xe9/; "
                "s/^# made: .*/# made: 9000000000000000000/' sets/b");
    assert_int_equal(call(state, verb_ls, "--json"), 0);
    assert_non_null(strstr(printed, "\"source\": \"?t?\",\n"));
    assert_non_null(strstr(printed, "\"made_at\": \"?\",\n"));
    assert_int_equal(call(state, verb_ls, "%s", ""), 0);
    assert_non_null(strstr(printed, "\nb            languages        1  ?\n"));
    run(*state, "echo junk >sets/b");
    assert_int_equal(call(state, verb_ls, "%s", ""), 1);
    assert_null(strstr(printed, "\nb "));
    assert_non_null(strstr(printed, "\nlonger-name  custom"));
    assert_true(strlen(said) > 0);
}

static void what_is_no_name_of_a_set_is_refused(void **state)
{
    assert_int_equal(call(state, verb_create, "a+b --languages c-assert?tag=1.9"), 4);
    assert_ptr_equal(strstr(said, "startpointfs: set name 'a+b' "), said);
    assert_int_equal(call(state, verb_create, "a --quiet --languages c-assert?tag=1.9"), 0);
    assert_int_equal(call(state, verb_create, "a/b --languages c-assert?tag=1.9"), 4);
    expect_said("startpointfs: the sets 'a' and 'a/b' cannot both exist: a set is a folder, and "
                "none may lie inside another; choose another name\n");
    assert_int_equal(call(state, verb_create, "x c-assert?tag=1.9"), 4);
    assert_int_equal(call(state, verb_create, "x --languages nowhere"), 2);
}

static void what_has_faults_is_not_recorded(void **state)
{
    run(*state, "cd c-assert; echo '{}' >manifest.json; git commit -qam bad; git tag bad");
    assert_int_equal(call(state, verb_check, "--languages c-assert?tag=bad"), 21);
    assert_string_equal(printed, "");
    assert_non_null(strstr(said, "the required key \"image_name\" is missing [21]\n"));
    assert_int_equal(call(state, verb_create, "x --languages c-assert?tag=bad"), 21);
    assert_non_null(strstr(said, "startpointfs: the set 'x' was not created: see above\n"));
    assert_int_equal(call(state, verb_create, "x --languages c-assert?tag=3"), 3);
    assert_int_equal(call(state, verb_ls, "--json"), 0);
    assert_string_equal(printed, "[]\n");
    /* An image whose tag is another: a warning, unless that is an error. */
    run(*state, "cd c-assert; git tag other 1.9");
    assert_int_equal(call(state, verb_check, "--languages c-assert?tag=other"), 0);
    assert_string_equal(printed, "1 start-point (languages) checked: no errors\n");
    assert_non_null(strstr(said, "[34]\n"));
    assert_int_equal(call(state, verb_check, "--languages --quiet c-assert?tag=other"), 0);
    assert_string_equal(printed, "");
    assert_int_equal(call(state, verb_check, "--languages --strict c-assert?tag=other"), 34);
    assert_int_equal(call(state, verb_create, "x --languages --strict c-assert?tag=other"), 34);
    assert_int_equal(call(state, verb_check, "--languages --json c-assert?tag=1.9"), 0);
    assert_string_equal(printed, "[]\n");
    assert_int_equal(call(state, verb_check, "c-assert?tag=1.9"), 4);
}

/* A checkout is checked as it was committed, or as it lies there. */
static void a_checkout_s_head_is_checked(void **state)
{
    char expected[300];

    assert_int_equal(call(state, verb_check, "--languages ./c-assert"), 0);
    snprintf(expected, sizeof expected,
             "./c-assert: note: HEAD (%.*s) was checked; the folder is identical\n", SHORT,
             commit_of(state, "HEAD"));
    assert_non_null(strstr(said, expected));
    run(*state, "echo '{}' >c-assert/manifest.json");
    assert_int_equal(call(state, verb_check, "--languages ./c-assert"), 0);
    snprintf(expected, sizeof expected,
             "./c-assert: note: HEAD (%.*s) was checked, without 1 uncommitted change "
             "(manifest.json); --worktree checks the files as they are\n",
             SHORT, commit_of(state, "HEAD"));
    assert_non_null(strstr(said, expected));
    run(*state, "touch c-assert/new");
    assert_int_equal(call(state, verb_check, "--languages ./c-assert"), 0);
    assert_non_null(strstr(said, "without 2 uncommitted changes ("));
    assert_int_equal(call(state, verb_check, "--languages --quiet ./c-assert"), 0);
    assert_null(strstr(said, "note:"));
    assert_int_equal(call(state, verb_check, "--languages --worktree ./c-assert"), 21);
    assert_null(strstr(said, "note:"));
    /* Another branch than the default one. */
    run(*state, "cd c-assert; git checkout -qb work; git commit -qam worse");
    assert_int_equal(call(state, verb_check, "--languages ./c-assert"), 21);
    assert_int_equal(call(state, verb_check, "--languages ./c-assert?tag=main"), 0);
}

static void update_moves_branches_alone(void **state)
{
    char old[OID_HEX_SIZE], expected[500];

    assert_int_equal(call(state, verb_create, "pp --languages --quiet c-assert?tag=main"), 0);
    assert_int_equal(call(state, verb_update, "pp"), 0);
    assert_string_equal(printed, "Nothing changed in the set 'pp'.\n");
    strcpy(old, commit_of(state, "main"));
    commit(state, "3");
    snprintf(expected, sizeof expected, "0\t%.*s -> %.*s\tc-assert?tag=main\n", SHORT, old, SHORT,
             commit_of(state, "main"));
    assert_int_equal(call(state, verb_update, "pp --dry-run"), 0);
    assert_ptr_equal(strstr(printed, expected), printed);
    assert_string_equal(printed + strlen(expected),
                        "1 of 1 sources of the set 'pp' would change; nothing was recorded.\n");
    assert_int_equal(call(state, verb_update, "pp"), 0);
    assert_ptr_equal(strstr(printed, expected), printed);
    assert_string_equal(printed + strlen(expected),
                        "Updated the set 'pp': 1 of 1 sources changed, all checked.\n");
    assert_int_equal(call(state, verb_images, "pp"), 0);
    assert_string_equal(printed, "me/gcc:3\n");
    commit(state, "4");
    assert_int_equal(call(state, verb_update, "pp --quiet"), 0);
    assert_string_equal(printed, "");
    assert_int_equal(call(state, verb_images, "pp"), 0);
    assert_string_equal(printed, "me/gcc:4\n");
    run(*state, "cd c-assert; echo '{}' >manifest.json; git commit -qam bad");
    assert_int_equal(call(state, verb_update, "pp"), 21);
    assert_non_null(strstr(said, "startpointfs: the set 'pp' stays as it was: see above\n"));
    assert_int_equal(call(state, verb_images, "pp"), 0);
    assert_string_equal(printed, "me/gcc:4\n");
    assert_int_equal(call(state, verb_update, "nosuch"), 1);
}

static void update_keeps_tags_that_have_moved(void **state)
{
    char old[OID_HEX_SIZE], expected[500];

    strcpy(old, commit_of(state, "1.9"));
    assert_int_equal(call(state, verb_create, "pp --languages --quiet c-assert?tag=1.9"), 0);
    run(*state, "cd c-assert; git tag -f 1.9 1.10");
    assert_int_equal(call(state, verb_update, "pp"), 0);
    assert_string_equal(printed, "Nothing changed in the set 'pp'.\n");
    snprintf(expected, sizeof expected,
             "c-assert?tag=1.9: warning: the tag 1.9 has moved at the remote, to %.*s; the set "
             "keeps %.*s\n",
             SHORT, commit_of(state, "1.9"), SHORT, old);
    assert_non_null(strstr(said, expected));
    assert_int_equal(call(state, verb_update, "pp --quiet"), 0);
    assert_null(strstr(said, "has moved"));
    /* Also where the first one was never seen. */
    assert_int_equal(call(state, verb_update, "pp --cache other"), 0);
    assert_string_equal(printed, "Nothing changed in the set 'pp'.\n");
}

static void gc_says_what_it_removes(void **state)
{
    assert_int_equal(call(state, verb_gc, "--days 0"), 1);
    assert_non_null(strstr(said, "startpointfs: there is no cache "));
    assert_int_equal(call(state, verb_fetch, "--quiet c-assert?tag=1.9 c-assert?tag=1.10"), 0);
    assert_int_equal(call(state, verb_create, "pp --languages --quiet c-assert?tag=1.9"), 0);
    assert_int_equal(call(state, verb_gc, "%s", ""), 0);
    assert_non_null(strstr(printed, "0 versions removed, 0.0 kB freed; 2 stay.\n"));
    run(*state, "touch -d '2020-09-13 23:30 UTC' $(find cache -path '*/tags/1.10')");
    assert_int_equal(call(state, verb_gc, "--days 0 --dry-run"), 0);
    assert_non_null(strstr(printed, "/c-assert.git\t1.10\tlast read 2020-09-13\n"));
    assert_non_null(strstr(printed, "\n1 version would be removed, about "));
    assert_non_null(strstr(printed, " freed; 1 stay. Nothing was done.\n"));
    assert_int_equal(call(state, verb_gc, "--days 0"), 0);
    assert_non_null(strstr(printed, "\n1 version removed, "));
    assert_non_null(strstr(printed, " freed; 1 stay.\n"));
    assert_int_equal(call(state, verb_fetch, "--quiet c-assert?tag=1.10"), 0);
    assert_int_equal(call(state, verb_gc, "--days 0 --quiet"), 0);
    assert_string_equal(printed, "");
    assert_int_equal(call(state, verb_fetch, "--offline --quiet c-assert?tag=1.10"), 3);
    assert_int_equal(call(state, verb_fetch, "--offline --quiet c-assert?tag=1.9"), 0);
}

static void gc_makes_a_cache_as_small_as_it_may(void **state)
{
    assert_int_equal(call(state, verb_fetch, "--quiet c-assert?tag=1.9"), 0);
    assert_int_equal(call(state, verb_gc, "--max-size 1G"), 0);
    const char *size = strstr(printed, "0 versions removed, 0.0 kB freed; the cache takes up ");
    double kilobytes = 0;
    assert_non_null(size);
    assert_int_equal(sscanf(strstr(size, "up "), "up %lf kB.\n", &kilobytes), 1);
    assert_true(kilobytes > 1 && kilobytes < 1000);
    assert_string_equal(said, "");
    /* What a set names stays. */
    assert_int_equal(call(state, verb_create, "pp --languages --quiet c-assert?tag=1.9"), 0);
    assert_int_equal(call(state, verb_gc, "--max-size 1"), 0);
    assert_ptr_equal(strstr(printed, "0 versions removed, "), printed);
    assert_non_null(strstr(said, "startpointfs: the cache is still larger than --max-size: "));
    assert_int_equal(call(state, verb_rm, "pp"), 0);
    assert_int_equal(call(state, verb_gc, "--max-size 1 --offline"), 0);
    assert_non_null(strstr(said, "startpointfs: the cache is still larger than --max-size: "));
    assert_non_null(strstr(said, " (offline, nothing could)\n"));
    assert_int_equal(call(state, verb_gc, "--max-size 1 --dry-run"), 0);
    assert_non_null(strstr(printed, "1 version would be removed, about "));
    assert_non_null(strstr(printed, " freed; the cache would take "));
    assert_non_null(strstr(printed, ". Nothing was done.\n"));
    assert_int_equal(call(state, verb_gc, "--max-size 1 --quiet"), 0);
    assert_string_equal(printed, "");
    assert_int_equal(call(state, verb_fetch, "--offline --quiet c-assert?tag=1.9"), 3);
}

/* By age or by size, or in one of two passes. */
static void gc_fails_where_it_leaves_one_as_it_is(void **state)
{
    static const char *const words[] = {"--days 0", "--max-size 1", "--days 0 --max-size 1G",
                                        "--days 9 --max-size 1"};

    assert_int_equal(call(state, verb_fetch, "--quiet c-assert?tag=1.9"), 0);
    run(*state, "for pack in $(find cache -name '*.pack'); do chmod u+w $pack;"
                "truncate -s 20 $pack; done");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_int_equal(call(state, verb_gc, "%s", words[i]), 1);
        assert_non_null(strstr(said, "left as it is"));
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, copy_start_point, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(versions_are_listed_the_newest_last), TEST(versions_are_ordered_as_git_is_told_to),
        TEST(versions_that_are_none_are_said),     TEST(fetch_counts_what_it_did),
        TEST(a_set_is_made_seen_and_removed),      TEST(sets_are_listed),
        TEST(what_is_no_name_of_a_set_is_refused), TEST(what_has_faults_is_not_recorded),
        TEST(a_checkout_s_head_is_checked),        TEST(update_moves_branches_alone),
        TEST(update_keeps_tags_that_have_moved),   TEST(gc_says_what_it_removes),
        TEST(gc_makes_a_cache_as_small_as_it_may), TEST(gc_fails_where_it_leaves_one_as_it_is),
    };
    return cmocka_run_group_tests(tests, make_start_point, remove_start_point);
}
