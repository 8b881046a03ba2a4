/* test_making_room.c - what goes from a mount's cache when the disk is full, or it is larger than it may be, and what stays. */
#include <fcntl.h>
#include <sys/file.h>

#include "tests/unit/mounted.h"

#define TAGS 6 /* of 400 kB each: three of them are more than the least that is made room for */

static struct log *lines;
static const char *uncopied; /* for which there is no memory, once */

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    if (!uncopied || strcmp(text, uncopied) != 0)
        return __real_strdup(text);
    uncopied = NULL;
    errno = ENOMEM;
    return NULL;
}

/* As if nothing had been read or fetched for an hour: what was in this very moment is no candidate. */
static void age(void **state)
{
    run(*state, "find cache -type f -exec touch -d '1 hour ago' {} +");
}

/* All are in the cache; a list names the first. */
static void open_full(struct mounted *mounted, void **state)
{
    char path[100];

    run_once(
        *state,
        "git init -q repo; cd repo; git config uploadpack.allowAnySHA1InWant true;"
        "for i in $(seq %d); do head -c 400000 /dev/urandom >file; git add .; git commit -qm $i;"
        "git tag $i; done",
        TAGS);
    mounted_open(mounted, state, "./repo?tag=1");
    for (int i = 1; i <= TAGS; i++) {
        snprintf(path, sizeof path, "repo/%d/file", i);
        walk(mounted, path);
    }
    lines = mounted_log(mounted, LOG_LEVEL_DEBUG);
}

static void close_it(struct mounted *mounted)
{
    mounted_close(mounted);
    log_close(lines);
}

/* The tags that the cache has. */
static const char *cached(void **state)
{
    return output(*state, "git -C $(dirname $(find cache -name startpointfs-pins)) for-each-ref "
                          "--format='%%(refname:short)' refs/tags | tr -d '\\n'");
}

static void what_a_list_names_stays(void **state)
{
    struct mounted mounted;

    open_full(&mounted, state);
    assert_string_equal(cached(state), "123456");
    assert_true(room_make(&mounted.mount, 1ull << 40, NULL));
    assert_string_equal(cached(state), "1");
    assert_int_equal(mounted.mount.state->cache_removed, TAGS - 1);
    assert_in_range(mounted.mount.state->cache_freed, 5 * 400000, 5 * 410000);
    assert_int_equal(said(state, "was removed from the cache to make room"), TAGS - 1);
    assert_false(room_make(&mounted.mount, 1, NULL));
    assert_false(room_make(&mounted.mount, 1, NULL)); /* not tried again at once */
    assert_int_equal(said(state, "is full, and nothing can be removed"), 1);
    close_it(&mounted);
}

/* Else it would be unknown what a list names. */
static void without_memory_for_what_a_list_names_nothing_goes(void **state)
{
    struct mounted mounted;

    open_full(&mounted, state);
    uncopied = "1";
    assert_false(room_make(&mounted.mount, 1ull << 40, NULL));
    assert_null(uncopied);
    assert_string_equal(cached(state), "123456");
    assert_int_equal(said(state, "no room could be made in the cache: out of memory"), 1);
    close_it(&mounted);
}

static void little_is_not_worth_the_trouble(void **state)
{
    struct mounted mounted;

    open_full(&mounted, state);
    assert_true(room_make(&mounted.mount, 1, NULL));
    assert_int_equal(mounted.mount.state->cache_removed, 3);
    assert_true(room_make(&mounted.mount, 1200001, NULL));
    assert_int_equal(mounted.mount.state->cache_removed, 5);
    close_it(&mounted);
}

static void what_room_is_made_for_stays(void **state)
{
    struct mounted mounted;
    struct room_spared spared;

    open_full(&mounted, state);
    spared.repo = repos_at(&mounted.mount.repos, 0);
    const char *commit = output(*state, "git -C repo rev-parse 3");
    assert_true(oid_parse(&spared.commit, commit, strlen(commit)));
    assert_true(room_make(&mounted.mount, 1ull << 40, &spared));
    assert_string_equal(cached(state), "13");
    close_it(&mounted);
}

static void what_its_remote_cannot_bring_back_stays(void **state)
{
    struct mounted mounted;

    open_full(&mounted, state);
    run(*state, "git -C repo tag -d 2; git -C repo tag -f 4 1");
    assert_true(room_make(&mounted.mount, 1ull << 40, NULL));
    assert_non_null(strstr(cached(state), "2"));
    assert_int_equal(mounted.mount.state->cache_removed, 3);
    run(*state, "mv repo gone");
    assert_false(room_make(&mounted.mount, 1, NULL));
    close_it(&mounted);
}

static void offline_nothing_goes(void **state)
{
    struct mounted mounted;

    open_full(&mounted, state);
    mounted.settings.offline = true;
    assert_false(room_make(&mounted.mount, 1, NULL));
    assert_string_equal(cached(state), "123456");
    close_it(&mounted);
}

/* What was read a moment ago stays, as long as the disk is not full. */
static void a_cache_that_is_too_large(void **state)
{
    struct mounted mounted;

    open_full(&mounted, state);
    age(state);
    mounted.settings.cache_max = 1500000;
    assert_int_equal(room_size(&mounted.mount), 0);
    room_start(mounted.mount.room);
    while (room_size(&mounted.mount) == 0)
        sched_yield();
    assert_in_range(room_size(&mounted.mount), 1, 1500000);
    close_it(&mounted);
}

/* Somebody else fetches into one: it is left as it is, and room is made of others. */
static void a_repository_that_is_in_use_is_left_as_it_is(void **state)
{
    struct mounted mounted;

    open_full(&mounted, state);
    int lock =
        open(output(*state,
                    "echo $PWD/$(dirname $(find cache -name startpointfs-pins))/startpointfs-lock"),
             O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_false(room_make(&mounted.mount, 1, NULL));
    assert_true(said(state, "debug.*: left as it is: ") > 0);
    assert_string_equal(cached(state), "123456");
    close(lock);
    close_it(&mounted);
}

/* What has come since is not waited for. */
static void what_was_fetched_makes_it_look_again(void **state)
{
    struct mounted mounted;

    open_full(&mounted, state);
    age(state);
    mounted.settings.cache_max = 100000000;
    room_start(mounted.mount.room);
    alarm(30); /* by itself it would look a minute later */
    while (room_size(&mounted.mount) == 0)
        sched_yield();
    uint64_t before = room_size(&mounted.mount);
    run(*state,
        "head -c 1000000 /dev/zero >$(dirname $(find cache -name startpointfs-pins))/objects/more");
    room_fetched(&mounted.mount, 1000); /* less than there may be */
    usleep(100000);
    assert_int_equal(room_size(&mounted.mount), before);
    room_fetched(&mounted.mount, 100000000);
    while (room_size(&mounted.mount) == before)
        sched_yield();
    alarm(0);
    assert_in_range(room_size(&mounted.mount), before + 900000, before + 1100000);
    assert_string_equal(cached(state), "123456"); /* it was not so much */
    close_it(&mounted);
}

/* Also a set that this mount does not show. */
static void what_a_set_names_stays(void **state)
{
    struct mounted mounted;
    char commit[50];

    open_full(&mounted, state);
    assert_int_equal(
        settings_folder(&mounted.settings.sets, output(*state, "mkdir sets; echo $PWD/sets")), 0);
    snprintf(commit, sizeof commit, "%s", output(*state, "git -C repo rev-parse 4"));
    run(*state,
        "printf '# startpointfs set\\n# type: languages\\n# made: 1763845200\\n# given: here\\n"
        "'$PWD'/repo?tag=3&commit='$(git -C repo rev-parse 3)'\\n# given: "
        "there\\n%s@'$PWD'/repo\\n' >sets/pp",
        commit);
    assert_true(room_make(&mounted.mount, 1ull << 40, NULL));
    assert_string_equal(cached(state), "134");
    close_it(&mounted);
}

/* Of which it knows only where it lies. */
static void what_another_mount_has_cached_goes(void **state)
{
    struct mounted mounted;

    open_full(&mounted, state);
    close_it(&mounted);
    run(*state, "git init -q other; cd other; touch file; git add .; git commit -qm 1; git tag 1");
    mounted_open(&mounted, state, "./other?tag=1");
    assert_true(room_make(&mounted.mount, 1ull << 40, NULL));
    assert_string_equal(cached(state), "");
    assert_int_equal(mounted.mount.state->cache_removed, TAGS);
    mounted_close(&mounted);
}

static void without_a_limit_nothing_goes(void **state)
{
    struct mounted mounted;

    open_full(&mounted, state);
    age(state);
    mounted.settings.cache_max = 0;
    room_start(mounted.mount.room);
    while (room_size(&mounted.mount) == 0)
        sched_yield();
    assert_string_equal(cached(state), "123456");
    assert_true(room_size(&mounted.mount) > TAGS * 400000);
    close_it(&mounted);
}

/* Files of this process, or parts of its memory, that have no name any more and end so. */
static int held_though_removed(const struct mounted *mounted, const char *end)
{
    return atoi(output(mounted->box,
                       "(ls -l /proc/%d/fd; cat /proc/%d/maps) | grep -c '%s (deleted)'; true",
                       (int)getpid(), (int)getpid(), end));
}

/* What is open takes room as before: of all repositories. */
static void what_was_removed_is_not_kept_open(void **state)
{
    struct mounted mounted;
    uint32_t file;

    open_full(&mounted, state);
    close_it(&mounted);
    run(*state,
        "git clone -q repo second; printf '%%s\\n' './repo?tag=1' './second?tag=1' >some.list");
    mounted_open(&mounted, state, "./some.list");
    for (int i = 1; i <= TAGS; i++) {
        char path[40];
        struct ask ask = {0};
        struct blob *blob;
        snprintf(path, sizeof path, "%s/%d/file", i % 2 ? "second" : "repo", i);
        file = walk(&mounted, path);
        while (readings_get_blob(&mounted.mount, file, &ask, &blob) == -EAGAIN)
            wait_for_work(&mounted, &ask);
        blobs_put_read(mounted.mount.blobs, blob);
    }
    age(state);
    assert_true(room_make(&mounted.mount, 1ull << 40, NULL));
    assert_int_equal(mounted.mount.state->cache_removed, TAGS - 1 + 2);
    assert_int_equal(held_though_removed(&mounted, "[.]pack"), 0);
    mounted_close(&mounted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(what_a_list_names_stays),
        TEST(without_memory_for_what_a_list_names_nothing_goes),
        TEST(little_is_not_worth_the_trouble),
        TEST(what_room_is_made_for_stays),
        TEST(what_its_remote_cannot_bring_back_stays),
        TEST(offline_nothing_goes),
        TEST(a_cache_that_is_too_large),
        TEST(a_repository_that_is_in_use_is_left_as_it_is),
        TEST(what_was_removed_is_not_kept_open),
        TEST(what_a_set_names_stays),
        TEST(what_another_mount_has_cached_goes),
        TEST(without_a_limit_nothing_goes),
        TEST(what_was_fetched_makes_it_look_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
