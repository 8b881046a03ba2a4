#include "fs/tree/reclaim.h"

#include <stdlib.h>
#include <time.h>

#include "fs/shared/sweep.h"
#include "fs/tree/readings.h"
#include "gitcache/base/clock.h"

#define PART        10   /* of the time, at most, one in so many is spent on sweeping */
#define PATIENCE    50   /* milliseconds for the kernel to forget what it is told to */
#define DUE         4096 /* nodes more than after the last sweep, and half as many again */
#define IDS_AT_ONCE 256

static void pause_for(int64_t milliseconds)
{
    const struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static void drop_gone_names(struct mount *mount)
{
    struct repo *repo;

    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++)
        if (!repo->left_out && version_nodes_drop_gone(mount, repo) < 0)
            log_debug(mount->log, "%s: its nodes could not be searched", repo->name);
}

/* ---- what only the kernel's memory keeps ---- */

struct unwanted {
    const struct mount_observer *observer;
    uint64_t ids[IDS_AT_ONCE];
    size_t count;
    bool some;
};

static void tell(struct unwanted *unwanted)
{
    if (unwanted->count > 0)
        unwanted->observer->unwanted(unwanted->observer->data, unwanted->ids, unwanted->count);
    unwanted->count = 0;
}

static void add_unwanted(void *data, uint64_t id)
{
    struct unwanted *unwanted = data;

    if (unwanted->count == IDS_AT_ONCE)
        tell(unwanted);
    unwanted->ids[unwanted->count++] = id;
    unwanted->some = true;
}

/* What nobody uses there it forgets, if it knows how to (Linux 6.18). */
static void tell_kernel(struct mount *mount, struct sweep *sweep)
{
    struct unwanted *unwanted = calloc(1, sizeof *unwanted);

    if (unwanted && mount->observer.unwanted) {
        unwanted->observer = &mount->observer;
        nodes_sweep_each_held(sweep, add_unwanted, unwanted);
        tell(unwanted);
        if (unwanted->some)
            pause_for(PATIENCE);
    }
    free(unwanted);
}

/* ---- sweeping ---- */

static void pin(void *sweep, uint32_t node)
{
    nodes_sweep_pin(sweep, node);
}

static bool is_dead(void *sweep, uint32_t node)
{
    return nodes_sweep_is_dead(sweep, node);
}

static void forget_dead(struct mount *mount, struct sweep *sweep)
{
    struct repo *repo;

    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++)
        repo_forget_nodes(repo, is_dead, sweep);
}

static void note_charges(struct mount *mount)
{
    struct repo *repo;

    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++) {
        uint32_t charged = nodes_charged(mount->nodes, repo->node);
        atomic_store(&repo->charged, charged);
        if (charged < nodes_share(mount->nodes) / 8 * 7)
            atomic_store(&repo->has_no_room, false);
    }
}

static uint32_t sweep_table(struct mount *mount)
{
    struct sweep *sweep;

    drop_gone_names(mount);
    sweep = nodes_sweep_new(mount->nodes);
    if (!sweep)
        return 0;
    readings_each(mount, pin, sweep);
    tell_kernel(mount, sweep);
    nodes_sweep_look(sweep);
    forget_dead(mount, sweep);
    nodes_sweep_wait(sweep);
    readings_each(mount, pin, sweep);
    uint32_t freed = nodes_sweep_finish(sweep);
    nodes_sweep_free(sweep);
    note_charges(mount);
    log_debug(mount->log, "the node table: %u places can be reused, %u are in use", freed,
              nodes_taken(mount->nodes));
    return freed;
}

uint32_t reclaim_now(struct mount *mount)
{
    pthread_mutex_lock(&mount->reclaim);
    int64_t next = mount->reclaimed_at + mount->reclaim_took * PART, began = clock_now();
    if (mount->reclaimed_at && next > began)
        pause_for(next - began);
    began = clock_now();
    uint32_t freed = sweep_table(mount);
    mount->reclaimed_at = clock_now();
    mount->reclaim_took = mount->reclaimed_at - began;
    pthread_mutex_unlock(&mount->reclaim);
    return freed;
}

bool reclaim_is_due(const struct mount *mount, const struct repo *repo)
{
    uint32_t before = atomic_load(&repo->charged);

    return nodes_charged(mount->nodes, repo->node) > before + before / 2 + DUE;
}

void reclaim_if_due(struct mount *mount, struct repo *repo)
{
    if (reclaim_is_due(mount, repo))
        reclaim_now(mount);
}
