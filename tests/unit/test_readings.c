#include <git2.h>

#include "fs/tree/cheap_file.h"
#include "fs/tree/reading.h"
#include "fs/tree/repos.h"
#include "gitcache/base/clock.h"
#include "gitcache/store/repository_state.h"
#include "tests/unit/mounted.h"

/* What each look at a thread's time adds to it (linked with --wrap). */
static _Atomic int64_t added, added_so_far;
int64_t __real_reading_processor_time(void);
int64_t __wrap_reading_processor_time(void);

int64_t __wrap_reading_processor_time(void)
{
    return __real_reading_processor_time() + (added_so_far += added);
}

/* One whose files are converted in a way whose cost their size does not tell: none is read where its request is. */
static void make_converted(const struct sandbox *box)
{
    run_once(box, "git init -q repo; cd repo; echo '* text eol=crlf ident' >.gitattributes;"
                  "echo x >file; ln -s file link; git add .; git commit -qm 1; git tag 1");
}

/* As a request does: it waits as often as it is told to (a reading that nobody is seen to wait for
 * ends early). */
static int get_blob(struct mounted *mounted, uint32_t file, struct ask *ask, struct blob **blob)
{
    int r;

    while ((r = readings_get_blob(&mounted->mount, file, ask, blob)) == -EAGAIN)
        wait_for_work(mounted, ask);
    return r;
}

static void test_one_reading_for_all_who_wait(void **state)
{
    struct mounted mounted;
    struct ask ask[3] = {{0}};
    struct blob *blob;

    make_converted(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file");
    struct repo *repo = repos_of_node(&mounted.mount.repos, file);
    /* On a busy machine it would be over before all three have asked. */
    pthread_rwlock_wrlock(&repo->repository->odb_lock);
    for (int i = 0; i < 3; i++)
        assert_int_equal(readings_get_blob(&mounted.mount, file, &ask[i], &blob), -EAGAIN);
    pthread_rwlock_unlock(&repo->repository->odb_lock);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get_blob(&mounted, file, &ask[i], &blob), 0);
        assert_int_equal(blobs_content(blob)->size, 3);
        assert_memory_equal(blobs_content(blob)->data, "x\r\n", 3);
        blobs_put(mounted.mount.blobs, blob);
    }
    mounted_close(&mounted);
}

static void test_what_is_cheap_is_read_at_once(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    struct blob *blob;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file"), deep = walk(&mounted, "repo/1/folder/file");
    assert_int_equal(readings_get_blob(&mounted.mount, file, &ask, &blob), 0);
    blobs_put(mounted.mount.blobs, blob);
    /* Once a file of it took long, none is. */
    atomic_store(&repos_at(&mounted.mount.repos, 0)->is_costly, true);
    assert_int_equal(readings_get_blob(&mounted.mount, file, &ask, &blob), 0); /* it is there */
    blobs_put(mounted.mount.blobs, blob);
    assert_int_equal(readings_get_blob(&mounted.mount, deep, &ask, &blob), -EAGAIN);
    assert_int_equal(get_blob(&mounted, deep, &ask, &blob), 0);
    blobs_put(mounted.mount.blobs, blob);
    mounted_close(&mounted);
}

#define LARGE 700 /* files: more than a small folder's tree has room for */

static void make_folders(const struct sandbox *box)
{
    run_once(box,
             "git init -q repo; cd repo; mkdir small other large; touch small/a other/a;"
             "for n in $(seq %d); do : >large/$n; done; mkdir -p converted/below; touch "
             "converted/below/a;"
             "echo '* text' >converted/.gitattributes; git add .; git commit -qm 1; git tag 1",
             LARGE);
}

/* Whether a request that opens a folder gets its answer at once. */
static bool opens_at_once(struct mounted *mounted, uint32_t folder)
{
    struct ask ask = {0};
    int r;

    assert_false(node_has_children(node_get(mounted->mount.nodes, folder)));
    r = readings_open_tree(&mounted->mount, folder, &ask);
    if (r == -EAGAIN)
        wait_for_work(mounted, &ask);
    else
        assert_int_equal(r, 0);
    assert_true(node_has_children(node_get(mounted->mount.nodes, folder)));
    return r == 0;
}

static void test_small_folders_are_read_at_once(void **state)
{
    struct mounted mounted;

    make_folders(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t small = walk(&mounted, "repo/1/small");
    assert_true(opens_at_once(&mounted, small));
    assert_string_equal(listed(&mounted, small), "a");
    crash_record_recover(&mounted.mount.state->crashes, false); /* nobody died of it */
    assert_int_equal(crash_record_deaths(&mounted.mount.state->crashes,
                                         reading_crash_key(&mounted.mount, READING_TREE, small)),
                     0);
    assert_false(opens_at_once(&mounted, walk(&mounted, "repo/1/large")));
    assert_false(opens_at_once(&mounted, walk(&mounted, "repo/1/converted")));
    assert_false(opens_at_once(&mounted, walk(&mounted, "repo/1/converted/below")));
    /* Those took a look, no more: others still are. */
    assert_true(opens_at_once(&mounted, walk(&mounted, "repo/1/other")));
    mounted_close(&mounted);
}

static ssize_t kept_by_libgit2(void)
{
    ssize_t kept, most;

    assert_int_equal(git_libgit2_opts(GIT_OPT_GET_CACHED_MEMORY, &kept, &most), 0);
    return kept;
}

static void test_a_tree_is_not_kept_once_it_is_read(void **state)
{
    struct mounted mounted;

    make_folders(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t small = walk(&mounted, "repo/1/small"), large = walk(&mounted, "repo/1/large");
    ssize_t before = kept_by_libgit2();
    assert_true(opens_at_once(&mounted, small));
    assert_false(opens_at_once(&mounted, large));
    assert_int_equal(kept_by_libgit2(), before);
    mounted_close(&mounted);
}

static void test_what_took_long_is_not_read_at_once(void **state)
{
    struct mounted mounted;

    make_folders(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    atomic_store(&repos_at(&mounted.mount.repos, 0)->is_costly, true);
    assert_false(opens_at_once(&mounted, walk(&mounted, "repo/1/small")));
    mounted_close(&mounted);
}

static void test_four_of_all_are_read_at_once(void **state)
{
    struct mounted mounted;

    make_folders(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    atomic_store(&mounted.mount.read_here, 4);
    assert_false(opens_at_once(&mounted, walk(&mounted, "repo/1/small")));
    assert_int_equal(atomic_load(&mounted.mount.read_here), 4);
    atomic_store(&mounted.mount.read_here, 3);
    assert_true(opens_at_once(&mounted, walk(&mounted, "repo/1/other")));
    mounted_close(&mounted);
}

static void test_two_of_a_repository_are_read_at_once(void **state)
{
    struct mounted mounted;

    make_folders(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    atomic_store(&repo->read_here, 2);
    assert_false(opens_at_once(&mounted, walk(&mounted, "repo/1/small")));
    assert_int_equal(atomic_load(&repo->read_here), 2);
    atomic_store(&repo->read_here, 1);
    assert_true(opens_at_once(&mounted, walk(&mounted, "repo/1/other")));
    mounted_close(&mounted);
}

static void test_what_a_worker_has_died_of_is_not_read_at_once(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};

    make_folders(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t folder = walk(&mounted, "repo/1/small");
    crash_record_condemn(&mounted.mount.state->crashes,
                         reading_crash_key(&mounted.mount, READING_TREE, folder));
    assert_int_equal(readings_open_tree(&mounted.mount, folder, &ask), -EAGAIN);
    wait_for_work(&mounted, &ask);
    assert_int_equal(readings_open_tree(&mounted.mount, folder, &ask), -EIO);
    mounted_close(&mounted);
}

static bool never(void *data)
{
    (void)data;
    return false;
}

static void make_two(const struct sandbox *box)
{
    run_once(box, "git init -q repo; cd repo; echo '* text eol=crlf ident' >.gitattributes;"
                  "echo x >one; echo y >two; git add .; git commit -qm 1; git tag 1");
}

/* Reads a file; then all turns are taken, and what is read of its repository waits for one, as for a while
 * after something that took long. */
static struct turns *take_all_turns(struct mounted *mounted, uint32_t file)
{
    struct ask ask = {0};
    struct blob *blob;

    assert_int_equal(readings_get_blob(&mounted->mount, file, &ask, &blob), -EAGAIN);
    struct turns *turns = ((struct reading *)ask.work)->turns;
    assert_int_equal(get_blob(mounted, file, &ask, &blob), 0);
    blobs_put(mounted->mount.blobs, blob);
    for (unsigned i = 0; i < turns->most; i++)
        assert_true(turns_take(turns, never, NULL));
    atomic_store(&repos_at(&mounted->mount.repos, 0)->slow_at, clock_now() + 3600000);
    return turns;
}

static void give_all_back(struct turns *turns)
{
    for (unsigned i = 0; i < turns->most; i++)
        turns_give_back(turns);
}

static void test_what_is_slow_waits_for_its_turn(void **state)
{
    struct mounted mounted;
    struct ask slow = {0};
    struct blob *blob;

    make_two(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t two = walk(&mounted, "repo/1/two");
    struct turns *turns = take_all_turns(&mounted, walk(&mounted, "repo/1/one"));
    assert_int_equal(readings_get_blob(&mounted.mount, two, &slow, &blob), -EAGAIN);
    atomic_fetch_add(&slow.work->waiting, 1); /* as of a request that is parked */
    int64_t until = clock_now() + 500;        /* nobody else's reading would last so long */
    while (!turns_are_wanted(turns) || clock_now() < until) {
        assert_true(atomic_load(&slow.work->running));
        usleep(1000);
    }
    give_all_back(turns);
    settle(&mounted);
    atomic_fetch_sub(&slow.work->waiting, 1);
    assert_int_equal(turns->taken, 0);
    assert_int_equal(get_blob(&mounted, two, &slow, &blob), 0);
    assert_memory_equal(blobs_content(blob)->data, "y\r\n", 3);
    blobs_put(mounted.mount.blobs, blob);
    mounted_close(&mounted);
}

static void test_what_nobody_waits_for_ends(void **state)
{
    struct mounted mounted;
    struct ask left = {0};
    struct blob *blob;

    make_two(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t two = walk(&mounted, "repo/1/two");
    struct turns *turns = take_all_turns(&mounted, walk(&mounted, "repo/1/one"));
    assert_int_equal(readings_get_blob(&mounted.mount, two, &left, &blob), -EAGAIN);
    alarm(60);
    settle(&mounted); /* though it has had no turn */
    alarm(0);
    give_all_back(turns);
    mounted_close(&mounted);
}

/* So many nodes that nobody can reach. */
static void waste(struct mounted *mounted, uint32_t count)
{
    const struct repo *repo = repos_at(&mounted->mount.repos, 0);
    struct node_spec *specs = calloc(count, sizeof *specs);
    uint32_t first;

    assert_non_null(specs);
    for (uint32_t i = 0; i < count; i++)
        specs[i] = (struct node_spec){.kind = NODE_CHECKOUT, .name = "", .account = repo->node};
    assert_int_equal(nodes_append(mounted->mount.nodes, specs, count, &first), 0);
    free(specs);
}

/* A sweep waits until everybody has left the node table: a request that waited for one would wait for itself. */
static void test_a_request_never_sweeps(void **state)
{
    struct mounted mounted;

    make_folders(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    const struct nodes *nodes = mounted.mount.nodes;
    uint32_t small = walk(&mounted, "repo/1/small"), other = walk(&mounted, "repo/1/other");

    waste(&mounted, 5000); /* a sweep is due */
    assert_false(opens_at_once(&mounted, small));
    assert_true(nodes_charged(nodes, repo->node) < 5000);
    waste(&mounted, nodes_share(nodes) - nodes_charged(nodes, repo->node));
    atomic_store(&repo->charged, nodes_share(nodes)); /* none is due, but there is no room */
    assert_false(opens_at_once(&mounted, other));
    mounted_close(&mounted);
}

/* A version that is opened is not a request: what nobody can reach makes room for it. */
static void test_a_version_finds_the_room_that_others_have_left(void **state)
{
    struct mounted mounted;
    uint32_t file;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    const struct nodes *nodes = mounted.mount.nodes;
    walk(&mounted, "repo/1/file");
    uint32_t second = walk(&mounted, "repo/2");
    waste(&mounted, nodes_share(nodes) - nodes_charged(nodes, repo->node));
    atomic_store(&repo->charged, nodes_share(nodes)); /* no sweep is due */
    assert_int_equal(look_up(&mounted, second, "file", &file), 0);
    mounted_close(&mounted);
}

static void test_a_failure_is_answered_again_until_it_is_forgotten(void **state)
{
    struct mounted mounted;
    struct ask ask = {0}, other = {0};
    struct blob *blob;

    make_converted(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file");
    mounted.settings.max_file = 0;
    assert_int_equal(readings_get_blob(&mounted.mount, file, &ask, &blob), -EAGAIN);
    assert_int_equal(get_blob(&mounted, file, &ask, &blob), -EFBIG);
    assert_int_equal(get_blob(&mounted, file, &other, &blob), -EFBIG);
    mounted.settings.max_file = 100;
    readings_forget_failure(&mounted.mount, file);
    assert_int_equal(readings_get_blob(&mounted.mount, file, &other, &blob), -EAGAIN);
    assert_int_equal(get_blob(&mounted, file, &other, &blob), 0);
    blobs_put(mounted.mount.blobs, blob);
    mounted_close(&mounted);
}

/* Whether gc is told that it is read, when one of its folders is opened. */
static bool is_told(void **state, struct mounted *mounted, const char *folder)
{
    run(*state, "touch -d '1 hour ago' $(find cache -path '*/refs/tags/1')");
    assert_int_equal(open_folder(mounted, walk(mounted, folder)), 0);
    return atoi(output(*state, "find cache -path '*/refs/tags/1' -mmin -30 | wc -l"));
}

static void test_gc_is_told_every_ten_seconds_what_is_read(void **state)
{
    bool first, second, later;
    int64_t period;

    make_repository(*state);
    run(*state, "cd repo; mkdir other third; touch other/file third/file; git add .;"
                "git commit -qm 3; git tag -f 1");
    do {
        struct mounted mounted;
        uint32_t file;
        run(*state, "rm -rf cache");
        period = clock_now() / 10000;
        mounted_open(&mounted, state, "./repo?tag=1");
        assert_int_equal(look_up(&mounted, walk(&mounted, "repo/1"), "file", &file), 0);
        first = is_told(state, &mounted, "repo/1/folder"); /* opening the version has told it */
        memset(mounted.mount.read_marks, 0, sizeof mounted.mount.read_marks); /* time passes */
        later = is_told(state, &mounted, "repo/1/other");
        second = is_told(state, &mounted, "repo/1/third");
        mounted_close(&mounted);
    } while (clock_now() / 10000 != period);
    assert_true(!first && later && !second);
}

static void use_processor(int64_t milliseconds)
{
    int64_t until = reading_processor_time() + milliseconds;

    while (reading_processor_time() < until)
        ;
}

/* What the thread has done before is nobody's cost. */
static void test_only_the_reading_s_time_counts(void **state)
{
    struct mounted mounted;
    struct blob *blob;

    make_converted(*state);
    run(*state, "cd repo; mkdir small; touch small/a; echo '* -text -eol -ident' >.gitattributes; "
                "git add .; git commit -qm 2; git tag 2");
    mounted_open(&mounted, state, "./repo?tag=2");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    uint32_t file = walk(&mounted, "repo/2/file"), small = walk(&mounted, "repo/2/small");
    uint32_t converted = walk(&mounted, "repo/1/file");
    use_processor(50);
    assert_int_equal(readings_get_blob(&mounted.mount, file, &(struct ask){0}, &blob), 0);
    blobs_put(mounted.mount.blobs, blob);
    opens_at_once(&mounted, small);
    assert_int_equal(cheap_file_try(&mounted.mount, repo, converted, &blob), 0);
    blobs_put(mounted.mount.blobs, blob);
    assert_false(repo->is_costly);
    assert_false(repo->converts_slowly);
    mounted_close(&mounted);
}

/* None of that repository is read where its request is from then on, nor converted ahead. */
static void test_what_took_long_is_remembered(void **state)
{
    struct mounted mounted;
    struct blob *blob;

    make_converted(*state);
    run(*state,
        "cd repo; mkdir small; touch small/a; echo '* -text -eol -ident' >.gitattributes;"
        "rm file; touch file; git add .; git commit -qm 2; git tag 2; git rm -q .gitattributes;"
        "git commit -qm 3; git tag 3");
    mounted_open(&mounted, state, "./repo?tag=3");
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    uint32_t file = walk(&mounted, "repo/3/file"), small = walk(&mounted, "repo/3/small");
    uint32_t converted = walk(&mounted, "repo/1/file");
    added = 30;
    assert_int_equal(readings_get_blob(&mounted.mount, file, &(struct ask){0}, &blob), 0);
    blobs_put(mounted.mount.blobs, blob);
    assert_true(repo->is_costly);
    repo->is_costly = false;
    opens_at_once(&mounted, small);
    assert_true(repo->is_costly);
    repo->is_costly = false;
    if (cheap_file_try(&mounted.mount, repo, converted, &blob) == 0)
        blobs_put(mounted.mount.blobs, blob);
    assert_true(repo->converts_slowly);
    added = 0;
    mounted_close(&mounted);
}

static void test_what_is_cheap_and_fails_is_said(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    struct blob *blob;
    char path[100];

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file");
    snprintf(path, sizeof path, "%s/said", mounted.box->folder);
    assert_int_equal(log_open(&mounted.mount.log, LOG_LEVEL_ERROR, path, 1), 0);
    struct log *log = mounted.mount.log;
    mounted.settings.max_file = 0;
    assert_int_equal(readings_get_blob(&mounted.mount, file, &ask, &blob), -EFBIG);
    assert_null(ask.work);
    assert_string_equal(output(*state, "grep -c 'max_file' said"), "1");
    assert_int_equal(atomic_load(&mounted.mount.read_here), 0);
    mounted_close(&mounted);
    log_close(log);
}

/* A failure is one node's, for a second; another one that pushes it out is none of it. */
static void test_a_failure_is_one_node_s_for_a_second(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    struct blob *blob;

    make_two(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t one = walk(&mounted, "repo/1/one"), two = walk(&mounted, "repo/1/two");
    mounted.settings.max_file = 0;
    assert_int_equal(get_blob(&mounted, one, &ask, &blob), -EFBIG);
    mounted.settings.max_file = 100;
    readings_forget_failure(&mounted.mount, one + 1024); /* of the same slot */
    int64_t began = clock_now();
    int r = readings_get_blob(&mounted.mount, one, &(struct ask){0}, &blob);
    assert_true(r == -EFBIG || clock_now() - began > 500);
    assert_int_equal(get_blob(&mounted, two, &(struct ask){0}, &blob), 0);
    blobs_put(mounted.mount.blobs, blob);
    while ((r = get_blob(&mounted, one, &(struct ask){0}, &blob)) == -EFBIG)
        usleep(10000);
    assert_true(clock_now() - began >= 500);
    assert_int_equal(r, 0);
    blobs_put(mounted.mount.blobs, blob);
    mounted_close(&mounted);
}

/* One that is read again and again, and is never there when its reader comes. */
static void test_nobody_waits_for_ever(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    struct blob *blob;
    int times = 0, r;

    make_converted(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file");
    while ((r = readings_get_blob(&mounted.mount, file, &ask, &blob)) == -EAGAIN &&
           times++ < 1000) {
        wait_for_work(&mounted, &ask);
        blobs_drop(mounted.mount.blobs, node_id(mounted.mount.nodes, file));
    }
    assert_int_equal(r, -EIO);
    assert_int_equal(times, 100);
    mounted_close(&mounted);
}

static void note_node(void *data, uint32_t node)
{
    uint32_t *noted = data;
    noted[++*noted] = node;
}

static void test_what_is_being_read_is_known(void **state)
{
    struct mounted mounted;
    struct blob *blob;
    uint32_t noted[10] = {0};

    make_two(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t one = walk(&mounted, "repo/1/one"), two = walk(&mounted, "repo/1/two");
    struct repo *repo = repos_of_node(&mounted.mount.repos, one);
    pthread_rwlock_wrlock(&repo->repository->odb_lock);
    assert_int_equal(readings_join(&mounted.mount, two, &(struct ask){0}), 0);
    assert_int_equal(readings_get_blob(&mounted.mount, one, &(struct ask){0}, &blob), -EAGAIN);
    assert_int_equal(readings_get_blob(&mounted.mount, two, &(struct ask){0}, &blob), -EAGAIN);
    struct ask ask = {0};
    assert_int_equal(readings_join(&mounted.mount, two, &ask), -EAGAIN);
    assert_int_equal(((struct reading *)ask.work)->node, two);
    assert_int_equal(ask.readings, 1);
    readings_each(&mounted.mount, note_node, noted);
    pthread_rwlock_unlock(&repo->repository->odb_lock);
    assert_int_equal(noted[0], 2);
    assert_int_equal(noted[1] + noted[2], one + two);
    settle(&mounted);
    noted[0] = 0;
    readings_each(&mounted.mount, note_node, noted);
    assert_int_equal(noted[0], 0);
    mounted_close(&mounted);
}

/* Their nodes lie in one bucket: each is found, also when those before it have ended. */
static void test_readings_of_one_bucket(void **state)
{
    struct mounted mounted;
    struct blob *blob;
    struct ask asks[3] = {{0}};
    uint32_t files[3];

    run(*state,
        "git init -q repo; cd repo; echo '* text eol=crlf ident' >.gitattributes;"
        "for n in $(seq 1000 1600); do echo $n >$n; done; git add .; git commit -qm 1; git tag 1");
    mounted_open(&mounted, state, "./repo?tag=1");
    files[0] = walk(&mounted, "repo/1/1000");
    files[1] = files[0] + 256;
    files[2] = files[0] + 512;
    struct repo *repo = repos_of_node(&mounted.mount.repos, files[0]);
    for (int round = 0; round < 2; round++) {
        pthread_rwlock_wrlock(&repo->repository->odb_lock);
        for (int i = 0; i < 3; i++) {
            blobs_drop(mounted.mount.blobs, node_id(mounted.mount.nodes, files[i]));
            asks[i] = (struct ask){0};
            assert_int_equal(readings_get_blob(&mounted.mount, files[i], &asks[i], &blob), -EAGAIN);
        }
        for (int i = 0; i < 3; i++) {
            struct ask same = {0};
            assert_int_equal(readings_get_blob(&mounted.mount, files[i], &same, &blob), -EAGAIN);
            assert_ptr_equal(same.work, asks[i].work);
            assert_int_equal(((struct reading *)same.work)->node, files[i]);
        }
        pthread_rwlock_unlock(&repo->repository->odb_lock);
        settle(&mounted);
    }
    mounted_close(&mounted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_took_long_is_remembered, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_readings_of_one_bucket, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_only_the_reading_s_time_counts, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_cheap_and_fails_is_said, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_failure_is_one_node_s_for_a_second, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_nobody_waits_for_ever, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_being_read_is_known, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_version_finds_the_room_that_others_have_left,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_gc_is_told_every_ten_seconds_what_is_read,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_one_reading_for_all_who_wait, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_cheap_is_read_at_once, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_small_folders_are_read_at_once, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_tree_is_not_kept_once_it_is_read, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_took_long_is_not_read_at_once, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_four_of_all_are_read_at_once, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_two_of_a_repository_are_read_at_once, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_a_worker_has_died_of_is_not_read_at_once,
                                        sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_nobody_waits_for_ends, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_slow_waits_for_its_turn, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_request_never_sweeps, sandbox_open, sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_failure_is_answered_again_until_it_is_forgotten,
                                        sandbox_open, sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
