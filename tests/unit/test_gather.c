/* test_gather.c - what becomes of each source of a list: fetched, there already, moved or failed; from local repositories. */
#include "sandbox.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "fs/sets/gather.h"
#include "fs/sets/operands.h"

static int make_repositories(void **state)
{
    if (sandbox_open(state) != 0)
        return -1;
    run_once(*state,
             "for name in one two; do git init -q $name; cd $name; git config "
             "uploadpack.allowAnySHA1InWant true;"
             "for tag in 1 2; do echo $name $tag >file; git add .; git commit -qm $tag; git tag "
             "$tag; done; cd ..; done");
    return 0;
}

struct way {
    struct gather_options options;
    bool offline;
    unsigned jobs; /* 0: as ever */
};

/* What became of these sources of the sandbox, whose names blanks part: + fetched, = was there, m has moved, or the errno;
 * and the first sentence of one that failed. */
static const char *gather(const struct sandbox *box, const char *sources, struct way way,
                          char sentence[1000])
{
    static char outcome[1000];
    char names[300], *rest = names;
    struct source_list list = {0};
    struct settings settings;
    struct gather gathering;
    struct error e = {0};
    size_t failed = 0;

    assert_int_equal(settings_init(&settings), 0);
    settings.offline = way.offline;
    if (way.jobs)
        settings.jobs = way.jobs;
    free(settings.cache);
    assert_true(asprintf(&settings.cache, "%s/cache", box->folder) > 0);
    snprintf(names, sizeof names, "%s", sources);
    for (char *name; (name = strsep(&rest, " "));)
        assert_int_equal(source_list_add_source(&list, name, box->folder, &e), 0);
    if (gather_run(&gathering, &settings, &list, &way.options, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(gathering.count, list.count);
    *outcome = *sentence = '\0';
    for (size_t i = 0; i < gathering.count; i++) {
        const struct gather_item *item = &gathering.items[i];

        assert_ptr_equal(item->source, &list.items[i]);
        if (item->status && !failed++)
            strcpy(sentence, item->error.text);
        strcat(outcome, item->status ? strerrorname_np(-item->status) : item->fetched ? "+" : "=");
        strcat(outcome, item->moved ? "m " : " ");
    }
    assert_int_equal(gathering.failed, failed);
    gather_release(&gathering);
    source_list_release(&list);
    settings_release(&settings);
    return outcome;
}

static void each_is_fetched_once(void **state)
{
    static const char sources[] = "./two?tag=1 ./one?tag=2 ./two ./one?tag=1 ./one?tag=9";
    char sentence[1000];

    assert_string_equal(gather(*state, sources, (struct way){0}, sentence), "+ + + + ENOENT ");
    assert_non_null(strstr(sentence, "one has no tag, branch or commit 9"));
    assert_string_equal(gather(*state, sources, (struct way){0}, sentence), "= = = = ENOENT ");
    run(*state, "mv two away");
    assert_string_equal(gather(*state, sources, (struct way){0}, sentence), "= = = = ENOENT ");
    assert_string_equal(gather(*state, "./one?tag=1 file:///nowhere/x", (struct way){0}, sentence),
                        "= EHOSTUNREACH ");
}

static void without_a_network_there_is_what_is_cached(void **state)
{
    const struct way offline = {.offline = true};
    char sentence[1000];

    assert_string_equal(gather(*state, "./one?tag=1", offline, sentence), "EHOSTUNREACH ");
    assert_string_equal(sentence, "one/1 is not in the cache, and --offline forbids asking");
    assert_string_equal(gather(*state, "./one?tag=1 ./two", (struct way){0}, sentence), "+ + ");
    assert_string_equal(gather(*state, "./one?tag=2 ./one?tag=1 ./two ./one", offline, sentence),
                        "EHOSTUNREACH = = EHOSTUNREACH ");
    assert_string_equal(sentence, "one/2 is not in the cache, and --offline forbids asking");
}

static void a_tag_that_has_moved_is_told_where_tags_are_asked_for(void **state)
{
    const struct way asks = {.options.listings = true};
    char sentence[1000];

    assert_string_equal(gather(*state, "./one?tag=1 ./one?tag=2", asks, sentence), "+ + ");
    run(*state, "cd one; git tag -f 1 2");
    assert_string_equal(gather(*state, "./one?tag=1 ./one?tag=2", (struct way){0}, sentence),
                        "= = ");
    assert_string_equal(gather(*state, "./one?tag=1 ./one?tag=2", asks, sentence), "=m = ");
}

static void a_branch_follows_where_the_newest_is_wanted(void **state)
{
    const struct way newest = {.options.newest = true},
                     offline = {.options.newest = true, .offline = true};
    char sentence[1000];

    assert_string_equal(gather(*state, "./one", newest, sentence), "+ ");
    run(*state, "cd one; echo 3 >file; git commit -qam 3; git rev-parse HEAD >../commit");
    for (int i = 0; i < 3; i++) {
        bool is_there = *output(*state, "grep -rlF $(cat commit) cache | head -1");
        assert_int_equal(is_there, i == 2);
        gather(*state, "./one", i == 0 ? offline : newest, sentence);
        if (i == 0)
            gather(*state, "./one", (struct way){0}, sentence);
    }
}

/* Also where nothing is fetched: gc keeps what is read. */
static void what_is_wanted_counts_as_read(void **state)
{
    char sentence[1000];

    gather(*state, "./one?tag=1 ./one?tag=2", (struct way){0}, sentence);
    for (int offline = 0; offline < 2; offline++) {
        run(*state, "find cache -path '*/refs/tags/*' -exec touch -d 2001-01-01 {} +");
        assert_string_equal(
            gather(*state, "./one?tag=1", (struct way){.offline = offline}, sentence), "= ");
        assert_string_equal(
            output(*state, "find cache -path '*/refs/tags/*' -newermt 2010-01-01 -printf '%%f '"),
            "1 ");
    }
}

static void without_a_cache_nothing_begins(void **state)
{
    const struct sandbox *box = *state;
    const struct gather_options options = {.newest = false};
    struct source_list list = {0};
    struct settings settings;
    struct gather gathering;
    struct error e = {0};

    run(box, "touch cache");
    assert_int_equal(settings_init(&settings), 0);
    free(settings.cache);
    assert_true(asprintf(&settings.cache, "%s/cache", box->folder) > 0);
    assert_int_equal(gather_run(&gathering, &settings, &list, &options, &e), -ENOTDIR);
    gather_release(&gathering);
    settings_release(&settings);
}

/* ---- what is told meanwhile ---- */

/* What gathering these says on stderr, sorted. */
static const char *told(const struct sandbox *box, const char *sources, struct way way)
{
    char sentence[1000], path[200];
    int kept = dup(STDERR_FILENO);

    snprintf(path, sizeof path, "%s/told", box->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    gather(box, sources, way, sentence);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(fd);
    return output(box, "sed 's/^[^ ]* //' told | sort | tr '\\n' ';'");
}

static void each_version_is_told(void **state)
{
    const struct way shown = {.options.progress = true}, quiet = {.options.progress = false};

    assert_string_equal(told(*state, "./one?tag=1", quiet), "");
    assert_string_equal(told(*state, "./two ./one?tag=1 ./one?tag=9", shown),
                        "one/1: already in the cache;one/9: failed;two/(default branch): fetched;");
}

static void one_after_the_other_they_come_in_the_lists_order(void **state)
{
    const struct way one_job = {.options.progress = true, .jobs = 1};

    run(*state, "cp -a one a; cp -a one z");
    told(*state, "./two ./a?tag=2 ./z ./one ./a?tag=1", one_job);
    assert_string_equal(output(*state, "sed 's/^[^ ]* //; s/:.*//' told | tr '\\n' ' '"),
                        "two/(default branch) a/2 a/1 z/(default branch) one/(default branch) ");
}

/* ---- what ends it ---- */

/* From now on git, which a local remote is asked with, sends its parent that signal, and then says nothing. */
static void interrupt_when_asked(const struct sandbox *box, const char *signal)
{
    char path[5000];

    run(box,
        "mkdir -p bin; printf '#!/bin/sh\nkill -%s $PPID\nexec sleep 1000\n' >bin/git; chmod +x "
        "bin/git",
        signal);
    snprintf(path, sizeof path, "%s/bin:%s", box->folder, getenv("PATH"));
    setenv("PATH", path, 1);
}

static void stay(int signal)
{
    (void)signal;
}

/* What was not fetched by then says so. And the signals are the caller's again. */
static void a_signal_ends_it(void **state)
{
    static const char *const names[] = {"INT", "TERM"};
    static const int signals[] = {SIGINT, SIGTERM};
    const struct gather_options options = {.newest = false};
    const struct sandbox *box = *state;
    char *before = strdup(getenv("PATH")), cache[200];

    for (int i = 0; i < 2; i++) {
        struct source_list list = {0};
        struct settings settings;
        struct gather gathering;
        struct error e = {0};
        struct sigaction action = {.sa_handler = stay}, now;
        sigaction(signals[i], &action, NULL);
        assert_int_equal(settings_init(&settings), 0);
        snprintf(cache, sizeof cache, "%s/cache", box->folder);
        assert_int_equal(settings_folder(&settings.cache, cache), 0);
        settings.jobs = 1;
        assert_int_equal(source_list_add_source(&list, "./one?tag=1", box->folder, &e), 0);
        assert_int_equal(source_list_add_source(&list, "./two?tag=1", box->folder, &e), 0);
        interrupt_when_asked(box, names[i]);
        assert_int_equal(gather_run(&gathering, &settings, &list, &options, &e), -EINTR);
        setenv("PATH", before, 1);
        assert_string_equal(e.text, "interrupted");
        assert_int_equal(gathering.failed, 2);
        for (int item = 0; item < 2; item++)
            assert_int_equal(gathering.items[item].status, -ECANCELED);
        assert_string_equal(gathering.items[1].error.text, "two/1: interrupted");
        sigaction(signals[i], NULL, &now);
        assert_ptr_equal(now.sa_handler, stay);
        signal(signals[i], SIG_DFL);
        gather_release(&gathering);
        source_list_release(&list);
        settings_release(&settings);
    }
    free(before);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*begin)(void *), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*begin)(void *), void *data);

static bool has_no_threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*begin)(void *), void *data)
{
    return has_no_threads ? EAGAIN : __real_pthread_create(thread, attributes, begin, data);
}

static void without_threads_nothing_is_fetched(void **state)
{
    const struct gather_options options = {.newest = false};
    const struct sandbox *box = *state;
    struct source_list list = {0};
    struct settings settings;
    struct gather gathering;
    struct error e = {0};
    char cache[200];

    assert_int_equal(settings_init(&settings), 0);
    snprintf(cache, sizeof cache, "%s/cache", box->folder);
    assert_int_equal(settings_folder(&settings.cache, cache), 0);
    assert_int_equal(source_list_add_source(&list, "./one?tag=1", box->folder, &e), 0);
    has_no_threads = true;
    assert_int_equal(gather_run(&gathering, &settings, &list, &options, &e), -EAGAIN);
    has_no_threads = false;
    assert_non_null(strstr(e.text, "cannot start a thread: "));
    gather_release(&gathering);
    source_list_release(&list);
    settings_release(&settings);
}

/* ---- what is looked at before anything is asked for ---- */

static int check(const struct sandbox *box, const char *source, struct error *e)
{
    struct source_list list = {0};
    struct settings settings;
    char cache[200];

    assert_int_equal(settings_init(&settings), 0);
    snprintf(cache, sizeof cache, "%s/cache", box->folder);
    assert_int_equal(settings_folder(&settings.cache, cache), 0);
    assert_int_equal(source_list_add_source(&list, source, box->folder, e), 0);
    int r = operands_check(&settings, &list, e);
    source_list_release(&list);
    settings_release(&settings);
    return r;
}

static void what_is_no_path_and_no_url_is_said(void **state)
{
    struct error e = {0};
    char sentence[1000];

    assert_int_equal(check(*state, "./one", &e), 0);
    assert_int_equal(check(*state, "https://example.com/none", &e), 0);
    assert_int_equal(check(*state, "./none?tag=1", &e), 0); /* whoever says so means a repository */
    assert_int_equal(check(*state, "./none", &e), -ENOENT);
    assert_non_null(strstr(e.text, "none: no such file or folder, and not a URL"));
    gather(*state, "./one", (struct way){0}, sentence);
    run(*state, "mv one away; mv two gone");
    assert_int_equal(check(*state, "./one", &e), 0); /* the cache has it */
    assert_int_equal(check(*state, "./two", &e), -ENOENT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_repositories, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_is_fetched_once),
        TEST(without_a_network_there_is_what_is_cached),
        TEST(a_tag_that_has_moved_is_told_where_tags_are_asked_for),
        TEST(a_branch_follows_where_the_newest_is_wanted),
        TEST(what_is_wanted_counts_as_read),
        TEST(without_a_cache_nothing_begins),
        TEST(each_version_is_told),
        TEST(one_after_the_other_they_come_in_the_lists_order),
        TEST(a_signal_ends_it),
        TEST(without_threads_nothing_is_fetched),
        TEST(what_is_no_path_and_no_url_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
