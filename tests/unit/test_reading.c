/* test_reading.c - one reading of a folder or a file: what workers may have died of, how long it may take, and what a branch shows. */
#include "fs/shared/nodes_layout.h"
#include "fs/tree/reading.h"
#include "gitcache/base/clock.h"
#include "gitcache/store/repository_state.h"
#include "tests/unit/mounted.h"

static struct log *lines;

/* So often the disk is full when a file is read (linked with --wrap). */
static _Atomic uint32_t full_for;
static atomic_int times_full, full_errno;
static atomic_int rooms, rooms_left; /* that were asked for, and that can be made */

int __real_checkout_read(struct mount *mount, uint32_t index, const struct watch *watch,
                         struct content *out, struct error *e);
int __wrap_checkout_read(struct mount *mount, uint32_t index, const struct watch *watch,
                         struct content *out, struct error *e);
bool __wrap_room_make(struct mount *mount, uint64_t bytes, const struct room_spared *spared);

int __wrap_checkout_read(struct mount *mount, uint32_t index, const struct watch *watch,
                         struct content *out, struct error *e)
{
    if (index != full_for || times_full == 0)
        return __real_checkout_read(mount, index, watch, out, e);
    times_full--;
    return error_set(e, full_errno, "there is no room");
}

bool __wrap_room_make(struct mount *mount, uint64_t bytes, const struct room_spared *spared)
{
    (void)mount;
    (void)bytes;
    (void)spared;
    rooms++;
    return rooms_left > 0 && rooms_left-- > 0;
}

/* Converted in a way whose cost their size does not tell: none is read where its request is. */
static void open_it(struct mounted *mounted, void **state)
{
    run(*state, "git init -q repo; cd repo; echo '* text eol=crlf ident' >.gitattributes;"
                "for n in one two three; do echo $n >$n; done; seq 250000 >large;"
                "git add .; git commit -qm 1; git tag 1");
    mounted_open(mounted, state, "./repo?tag=1");
    lines = mounted_log(mounted, LOG_LEVEL_ERROR);
}

static void close_it(struct mounted *mounted)
{
    mounted_close(mounted);
    log_close(lines);
}

/* Asks for a file as a request does that is parked: it is seen to wait. */
static struct reading *begin(struct mounted *mounted, uint32_t file)
{
    struct ask ask = {0};
    struct blob *blob;

    assert_int_equal(readings_get_blob(&mounted->mount, file, &ask, &blob), -EAGAIN);
    atomic_fetch_add(&ask.work->waiting, 1);
    return (struct reading *)ask.work;
}

static void end(struct reading *reading)
{
    while (atomic_load(&reading->work.running))
        sched_yield();
    atomic_fetch_sub(&reading->work.waiting, 1);
}

static int read_all(struct mounted *mounted, uint32_t file)
{
    struct ask ask = {0};
    struct blob *blob;
    int r;

    while ((r = readings_get_blob(&mounted->mount, file, &ask, &blob)) == -EAGAIN)
        wait_for_work(mounted, &ask);
    if (r == 0)
        blobs_put(mounted->mount.blobs, blob);
    return r;
}

static uint64_t die_of(struct mounted *mounted, uint32_t file, int deaths)
{
    struct crash_record *crashes = &mounted->mount.state->crashes;
    uint64_t key = reading_crash_key(&mounted->mount, READING_FILE, file);

    for (int i = 0; i < deaths; i++) {
        crash_record_work(crashes, key);
        crash_record_recover(crashes, false);
    }
    return key;
}

static void what_workers_may_have_died_of_is_read_one_at_a_time(void **state)
{
    struct mounted mounted;

    open_it(&mounted, state);
    struct crash_record *crashes = &mounted.mount.state->crashes;
    uint32_t one = walk(&mounted, "repo/1/one"), two = walk(&mounted, "repo/1/two");
    uint64_t key = die_of(&mounted, one, 2);
    struct reading *other = begin(&mounted, two);
    pthread_mutex_t *trial = other->trial;
    end(other);
    settle(&mounted);
    pthread_mutex_lock(trial); /* another one is on trial */
    struct reading *waits = begin(&mounted, one);
    other = begin(&mounted, walk(&mounted, "repo/1/three"));
    end(other); /* which is not */
    usleep(50000);
    assert_true(atomic_load(&waits->work.running));
    /* Nobody dies of waiting for it. */
    crash_record_recover(crashes, false);
    assert_int_equal(crash_record_deaths(crashes, key), 2);
    pthread_mutex_unlock(trial);
    end(waits);
    settle(&mounted);
    assert_int_equal(crash_record_deaths(crashes, key), 0); /* and it was not this */
    assert_int_equal(pthread_mutex_trylock(trial), 0);
    pthread_mutex_unlock(trial);
    close_it(&mounted);
}

/* And of nothing else that it does with it. */
static void a_worker_dies_of_what_it_reads(void **state)
{
    struct mounted mounted;

    open_it(&mounted, state);
    struct crash_record *crashes = &mounted.mount.state->crashes;
    uint32_t one = walk(&mounted, "repo/1/one");
    uint64_t key = reading_crash_key(&mounted.mount, READING_FILE, one);
    struct repo *repo = repos_of_node(&mounted.mount.repos, one);
    pthread_rwlock_wrlock(&repo->repository->odb_lock);
    struct reading *reading = begin(&mounted, one);
    alarm(60);
    while (crash_record_deaths(crashes, key) == 0) /* until it has begun */
        crash_record_recover(crashes, false);
    alarm(0);
    pthread_rwlock_unlock(&repo->repository->odb_lock);
    end(reading);
    settle(&mounted);
    crash_record_recover(crashes, false);
    assert_int_equal(crash_record_deaths(crashes, key), 0);
    close_it(&mounted);
}

static void what_three_workers_died_of_is_not_read(void **state)
{
    struct mounted mounted;

    open_it(&mounted, state);
    uint32_t one = walk(&mounted, "repo/1/one");
    die_of(&mounted, one, 3);
    assert_int_equal(read_all(&mounted, one), -EIO);
    assert_int_equal(
        said(state, "repo: inode [0-9]*: 3 workers died reading it: not tried again for 60 s"), 1);
    assert_int_equal(read_all(&mounted, walk(&mounted, "repo/1/two")), 0);
    close_it(&mounted);
}

/* Of processor time. It would take as long again: so it is not tried again. */
static void what_takes_too_long_is_given_up(void **state)
{
    struct mounted mounted;

    open_it(&mounted, state);
    uint32_t large = walk(&mounted, "repo/1/large");
    mounted.settings.timeout = 7;
    assert_int_equal(reading_budget(&mounted.mount), 7000);
    mounted.settings.timeout = 0;
    assert_int_equal(read_all(&mounted, large), -EFBIG);
    assert_int_equal(said(state, "repo: reading .large. took more than timeout=0 s of processor"),
                     1);
    mounted.settings.timeout = 30;
    assert_int_equal(read_all(&mounted, large), -EFBIG);
    assert_int_equal(said(state, "took more than"), 1);
    assert_int_equal(read_all(&mounted, walk(&mounted, "repo/1/two")), 0);
    close_it(&mounted);
}

static void take_commit(void **state, struct version *version, struct repo *repo, const char *name)
{
    (void)state;
    assert_int_equal(versions_find(repo->repository, name, NULL, version, NULL), 0);
}

/* While it is read, and waits for others, the branch moves on. */
static void a_branch_shows_what_it_is_by_now(void **state)
{
    struct mounted mounted;
    struct version before;
    uint32_t file;

    open_it(&mounted, state);
    mounted_close(&mounted);
    log_close(lines);
    mounted_open(&mounted, state, "./repo?tag=main");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    uint32_t branch = walk(&mounted, "repo/main");
    assert_int_equal(look_up(&mounted, branch, "one", &file), 0);
    struct repo_version *of = namespace_version(&mounted.mount, branch);
    take_commit(state, &before, of->repo, "main");
    run(*state, "cd repo; echo new >new; git add .; git commit -qm 2");
    ask_newest_later(&mounted.mount, of);
    settle(&mounted);
    assert_int_equal(look_up(&mounted, branch, "new", &file), 0);
    readings_switch_later(&mounted.mount, branch, of, &before);
    settle(&mounted);
    assert_int_equal(look_up(&mounted, branch, "new", &file), 0);
    mounted_close(&mounted);
}

static bool never(void *data)
{
    (void)data;
    return false;
}

/* Though nobody waits for it. */
static void a_branch_is_switched_however_long_it_takes(void **state)
{
    struct mounted mounted;
    uint32_t file;

    open_it(&mounted, state);
    mounted_close(&mounted);
    log_close(lines);
    mounted_open(&mounted, state, "./repo?tag=main");
    assert_int_equal(open_folder(&mounted, walk(&mounted, "repo")), 0);
    uint32_t branch = walk(&mounted, "repo/main");
    struct reading *first = begin(&mounted, walk(&mounted, "repo/main/one"));
    struct turns *turns = first->turns;
    end(first);
    settle(&mounted);
    for (unsigned i = 0; i < turns->most; i++)
        assert_true(turns_take(turns, never, NULL));
    struct repo *repo = repos_at(&mounted.mount.repos, 0);
    atomic_store(&repo->slow_at, clock_now() + 3600000); /* what is read of it takes turns */
    run(*state, "cd repo; echo new >new; git add .; git commit -qm 2");
    ask_newest_later(&mounted.mount, namespace_version(&mounted.mount, branch));
    pool_drain(mounted.mount.pool);
    int64_t until = clock_now() + 500; /* longer than anybody's who is not waited for */
    while (!turns_are_wanted(turns) || clock_now() < until)
        usleep(1000);
    for (unsigned i = 0; i < turns->most; i++)
        turns_give_back(turns);
    settle(&mounted);
    assert_int_equal(look_up(&mounted, branch, "new", &file), 0);
    mounted_close(&mounted);
}

/* Room is made of large files that are kept, then of what can be fetched again. A quota that is used up is a full disk. */
static void a_full_disk_is_made_room_on(void **state)
{
    static const struct {
        int errnum, full, files, rooms, asked, r;
    } rows[] = {
        {ENOSPC, 1, 1, 0, 0, 0},       {EDQUOT, 1, 1, 0, 0, 0}, {ENOSPC, 1, 0, 1, 1, 0},
        {EDQUOT, 1, 0, 1, 1, 0},       {ENOSPC, 2, 1, 1, 1, 0}, {ENOSPC, 1, 0, 0, 1, -ENOSPC},
        {EDQUOT, 2, 0, 1, 1, -EDQUOT}, {EIO, 1, 1, 1, 0, -EIO},
    };
    struct mounted mounted;

    open_it(&mounted, state);
    struct blobs *blobs = mounted.mount.blobs;
    uint32_t file = walk(&mounted, "repo/1/one");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct content content = {.size = 1, .fd = dup(0)};
        struct blob *blob;
        if (rows[i].files) {
            assert_int_equal(blobs_add(blobs, 1, &content, &blob), 0);
            blobs_put(blobs, blob);
        } else {
            close(content.fd);
        }
        full_for = file;
        full_errno = rows[i].errnum;
        times_full = rows[i].full;
        rooms_left = rows[i].rooms;
        rooms = 0;
        int r = read_all(&mounted, file);
        if (r != rows[i].r || rooms != rows[i].asked)
            fail_msg("case %zu: %d, %d rooms", i, r, (int)rooms);
        times_full = 0;
        blobs_drop(blobs, node_id(mounted.mount.nodes, file));
        blobs_drop_files(blobs);
        readings_forget_failure(&mounted.mount, file);
    }
    close_it(&mounted);
}

/* Of a file whose place in the node table is another's by now, and of one that would be kept in the same place. */
static void a_failure_is_no_other_node_s(void **state)
{
    struct mounted mounted;

    open_it(&mounted, state);
    full_for = walk(&mounted, "repo/1/one");
    full_errno = EIO;
    times_full = 1;
    rooms_left = 0;
    assert_int_equal(read_all(&mounted, full_for), -EIO);
    assert_int_equal(read_all(&mounted, full_for), -EIO); /* answered again */
    atomic_fetch_add(&mounted.mount.nodes->generations[full_for], 1);
    assert_int_equal(read_all(&mounted, full_for), 0);
    close_it(&mounted);
}

/* Nor is it over its budget, or has a turn. */
static void a_reading_is_not_slow_for_the_one_before(void **state)
{
    struct mounted mounted;

    open_it(&mounted, state);
    struct reading *first = begin(&mounted, walk(&mounted, "repo/1/one"));
    end(first);
    settle(&mounted);
    uint32_t two = walk(&mounted, "repo/1/two");
    struct reading *second = first;
    second->is_slow = true;
    /* On a busy machine one may be slow by itself; not each. */
    for (int tries = 0; second->is_slow && tries < 50; tries++) {
        second->is_slow = second->is_beyond_budget = second->has_turn = true;
        atomic_store(&second->repo->slow_at, clock_now() - 3600000);
        second = begin(&mounted, two);
        assert_ptr_equal(second, first); /* the same memory */
        end(second);
        settle(&mounted);
        blobs_drop(mounted.mount.blobs, node_id(mounted.mount.nodes, two));
    }
    assert_false(second->is_slow || second->is_beyond_budget || second->has_turn);
    close_it(&mounted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(what_workers_may_have_died_of_is_read_one_at_a_time),
        TEST(a_worker_dies_of_what_it_reads),
        TEST(what_three_workers_died_of_is_not_read),
        TEST(what_takes_too_long_is_given_up),
        TEST(a_full_disk_is_made_room_on),
        TEST(a_failure_is_no_other_node_s),
        TEST(a_reading_is_not_slow_for_the_one_before),
        TEST(a_branch_shows_what_it_is_by_now),
        TEST(a_branch_is_switched_however_long_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
