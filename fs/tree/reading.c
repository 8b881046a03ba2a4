#include "fs/tree/reading.h"

#include <errno.h>
#include <time.h>

#include "fs/shared/children.h"
#include "fs/tree/reclaim.h"
#include "fs/tree/room.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/thread.h"
#include "gitcache/base/watch.h"

#define ABANDONED       300 /* milliseconds without anybody who waits, after which it ends */
#define MOMENT          50  /* milliseconds after which it goes on with a lower priority */
#define TURN            50  /* milliseconds of a processor's time */
#define COSTLY          1000 /* milliseconds: what a repository asks for after something slow is slow, too */
#define FIRST_OPERATION 0x10000u /* crash_record: beyond what the kernel asks for */

int64_t reading_processor_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void lower_priority(struct reading *reading)
{
    thread_lower_priority(); /* which ends after this reading */
    reading->is_slow = true;
    if (reading->repo)
        atomic_store(&reading->repo->slow_at, clock_now());
}

int64_t reading_budget(const struct mount *mount)
{
    return mount->settings->timeout * INT64_C(1000);
}

static int64_t spent_by(const struct reading *reading)
{
    return reading_processor_time() - reading->started_at;
}

static bool is_over(void *data)
{
    struct reading *reading = data;
    int64_t now = clock_now(), spent = spent_by(reading);

    if (reading->in_background || atomic_load(&reading->work.waiting) > 0)
        reading->wanted_at = now;
    reading->is_beyond_budget = spent > reading_budget(reading->mount);
    return reading->is_beyond_budget || now - reading->wanted_at > ABANDONED ||
           pool_is_stopping(reading->pool);
}

static void end_turn(struct reading *reading)
{
    if (reading->has_turn)
        turns_give_back(reading->turns);
    reading->has_turn = false;
}

/* Of what is slow, others' readings get their share of the processors, too. */
static bool take_turn(struct reading *reading)
{
    int64_t spent = spent_by(reading);

    if (reading->has_turn &&
        (spent - reading->turn_began < TURN || !turns_are_wanted(reading->turns)))
        return true;
    end_turn(reading);
    reading->has_turn = turns_take(reading->turns, is_over, reading);
    reading->turn_began = spent;
    return reading->has_turn;
}

/* Asked every few milliseconds. */
static bool on_cancelled(void *data)
{
    struct reading *reading = data;

    if (is_over(reading))
        return true;
    if (!reading->is_slow && spent_by(reading) > MOMENT)
        lower_priority(reading);
    return reading->is_slow && !take_turn(reading);
}

/* Which version it is. Whatever keeps it from being known is for those who will ask for it. */
static int find_version(struct reading *reading, struct error *e)
{
    const struct repo_version *of = reading->of;
    int r = versions_find(of->repo->repository, of->name, of->commit, &reading->version, NULL);

    return r < 0 ? error_set(e, ECANCELED, "it cannot be opened ahead") : 0;
}

static int read_version(struct reading *reading, const struct watch *watch, struct error *e)
{
    struct repo_version *of = reading->of;
    int r = reading->is_ahead ? find_version(reading, e) : 0;

    if (r == 0)
        r = checkout_publish(reading->mount, of->repo, reading->node, &reading->version, false,
                             watch, e);
    if (r < 0)
        return r;
    pthread_mutex_lock(&of->repo->lock);
    if (of->state != VERSION_READY) {
        of->version = reading->version;
        of->state = VERSION_READY;
    }
    pthread_mutex_unlock(&of->repo->lock);
    return 0;
}

/* A branch: until it shows what it is by now, whatever was shown meanwhile. */
static int switch_version(struct reading *reading, const struct watch *watch, struct error *e)
{
    struct repo_version *of = reading->of;
    struct version shown = reading->version;
    bool is_new;

    do {
        int r = checkout_publish(reading->mount, of->repo, reading->node, &shown, true, watch, e);
        if (r < 0)
            return r;
        pthread_mutex_lock(&of->repo->lock);
        is_new = of->state == VERSION_READY && !oid_equal(&of->version.commit, &shown.commit);
        if (is_new)
            shown = of->version;
        pthread_mutex_unlock(&of->repo->lock);
    } while (is_new);
    return 0;
}

static bool make_room(struct reading *reading)
{
    struct mount *mount = reading->mount;
    const struct node *node = node_get(mount->nodes, reading->node);
    const struct room_spared spared = {
        .repo = repos_of_node(&mount->repos, reading->node),
        .commit = node_get(mount->nodes, node->checkout)->oid,
    };

    return spared.repo && room_make(mount, 2 * node->size, &spared);
}

static bool is_full_disk(int r)
{
    return r == -ENOSPC || r == -EDQUOT;
}

static int read_file(struct reading *reading, const struct watch *watch, struct content *content,
                     struct error *e)
{
    struct mount *mount = reading->mount;
    int r = checkout_read(mount, reading->node, watch, content, e);

    /* Large files that are kept for the next reader may be what fills the disk. */
    if (is_full_disk(r) && blobs_drop_files(mount->blobs))
        r = checkout_read(mount, reading->node, watch, content, e);
    if (is_full_disk(r) && make_room(reading))
        r = checkout_read(mount, reading->node, watch, content, e);
    return r;
}

static int read_it(struct reading *reading, struct content *content, struct error *e)
{
    const struct watch watch = {.cancelled = on_cancelled, .data = reading};

    reading->started_at = reading_processor_time();
    if (reading->repo && clock_now() - atomic_load(&reading->repo->slow_at) < COSTLY)
        lower_priority(reading);
    if (on_cancelled(reading))
        return error_set(e, ECANCELED, "nobody is waiting for it any more");
    switch (reading->kind) {
    case READING_VERSION:
        return reading->in_background ? switch_version(reading, &watch, e)
                                      : read_version(reading, &watch, e);
    case READING_TREE:
        return checkout_open_tree(reading->mount, reading->node, &watch, e);
    case READING_FILE:
        return read_file(reading, &watch, content, e);
    case READING_RECLAIM:
        reclaim_now(reading->mount);
        return 0;
    }
    return -EIO;
}

uint64_t reading_crash_key(const struct mount *mount, enum reading_kind kind, uint32_t node)
{
    return crash_record_key_of_request(FIRST_OPERATION + kind, node_id(mount->nodes, node), "");
}

/* With what crash_record.h is about. Nobody dies of keeping what was read, which may take longer
 * than reading it. */
int reading_run(struct reading *reading, struct blob **out, struct error *e)
{
    struct crash_record *crashes = &reading->mount->state->crashes;
    uint64_t id = node_id(reading->mount->nodes, reading->node);
    uint64_t key = reading_crash_key(reading->mount, reading->kind, reading->node);
    enum crash_verdict verdict = crash_record_judge(crashes, key);
    struct content content = {.fd = -1};

    if (verdict == CRASH_GIVEN_UP)
        return error_set(e, EIO, "inode %llu: %d workers died reading it: not tried again for %d s",
                         (unsigned long long)id, CRASH_DEATHS, CRASH_PAUSE / 1000);
    if (verdict == CRASH_TRIAL)
        pthread_mutex_lock(reading->trial);
    crash_record_work(crashes, key);
    int r = read_it(reading, &content, e);
    end_turn(reading);
    crash_record_end(crashes, key);
    if (verdict == CRASH_TRIAL)
        pthread_mutex_unlock(reading->trial);
    if (r < 0 || (!content.data && content.fd < 0))
        return r;
    return blobs_add(reading->mount->blobs, id, &content, out) < 0 ? error_no_memory(e) : 0;
}
