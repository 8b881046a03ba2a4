#include "fs/tree/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/sets/sets.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/thread.h"
#include "gitcache/fetch/bring_back.h"
#include "gitcache/fetch/pool.h"
#include "gitcache/store/cache_walk.h"
#include "gitcache/store/gc_reserve.h"
#include "gitcache/store/gc_room.h"

#define PERIOD \
    60000 /* milliseconds between two looks at the cache, which others may fill as well */
#define SOON         5000 /* the same while it is too large */
#define FIRST        500  /* before the first one: who has waited for the mount reads first */
#define GRACE        10   /* seconds for which what was read stays, unless the disk is full */
#define LEAST        ((uint64_t)1 << 20) /* bytes: less is not worth the trouble */
#define VAIN_SECONDS 5                   /* after an attempt that freed nothing, the next one */

struct room {
    struct mount *mount;
    pthread_t thread;
    bool has_thread;
    _Atomic uint64_t size;  /* of the cache; 0: not known yet */
    pthread_mutex_t making; /* one at a time; guards the next two */
    int64_t failed_at;      /* clock_now() when nothing could be freed; 0: never */
    _Atomic unsigned made;  /* how often something was; read without the lock */
    pthread_mutex_t lock;   /* held for moments; guards what follows */
    pthread_cond_t changed;
    uint64_t fetched; /* bytes since the size was looked at */
    bool stopping;
};

struct room *room_new(struct mount *mount)
{
    struct room *room = calloc(1, sizeof *room);

    if (!room)
        return NULL;
    room->mount = mount;
    pthread_mutex_init(&room->making, NULL);
    pthread_mutex_init(&room->lock, NULL);
    thread_condition_init(&room->changed);
    return room;
}

static bool is_stopping(struct room *room)
{
    pthread_mutex_lock(&room->lock);
    bool stopping = room->stopping;
    pthread_mutex_unlock(&room->lock);
    return stopping;
}

static bool may_make(const struct room *room)
{
    return !room->mount->settings->offline && !cache_is_read_only(room->mount->cache);
}

/* ---- what stays ---- */

static void forget(struct repo_source *sources, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(sources[i].version);
        free(sources[i].commit);
    }
    free(sources);
}

/* False: out of memory. */
static bool copy(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return *out || !text;
}

/* A copy of what the lists say of a repository. NULL: out of memory. */
static struct repo_source *sources_of(struct repo *repo, size_t *count)
{
    pthread_mutex_lock(&repo->lock);
    struct repo_source *sources = calloc(repo->source_count + 1, sizeof *sources);
    bool copied = sources != NULL;
    *count = repo->source_count;
    for (size_t i = 0; copied && i < *count; i++) {
        sources[i].kind = repo->sources[i].kind;
        copied = copy(&sources[i].version, repo->sources[i].version) &&
                 copy(&sources[i].commit, repo->sources[i].commit);
    }
    pthread_mutex_unlock(&repo->lock);
    if (copied)
        return sources;
    if (sources)
        forget(sources, *count);
    return NULL;
}

static int keep_repo(struct gc *gc, struct repo *repo, struct error *e)
{
    size_t count;
    struct repo_source *sources = sources_of(repo, &count);
    int r = 0;

    if (!sources)
        return error_no_memory(e);
    for (size_t i = 0; i < count && r == 0; i++)
        r = gc_keep(gc, repository_url(repo->repository), sources[i].version,
                    sources[i].kind == SOURCE_COMMIT ? sources[i].version : sources[i].commit, e);
    forget(sources, count);
    return r;
}

/* What this mount's sources name, and every set. */
static int keep_named(struct mount *mount, struct gc *gc, struct error *e)
{
    struct repo *repo;
    int r = sets_keep(gc, mount->settings->sets, e);

    for (size_t i = 0; r == 0 && (repo = repos_at(&mount->repos, i)); i++)
        if (repo->in_use)
            r = keep_repo(gc, repo, e);
    return r;
}

/* ---- what goes ---- */

/* One attempt to make room. */
struct room_attempt {
    struct room *room;
    struct bring_back *bring_back;
    const struct room_spared *spared; /* or NULL */
};

static struct repo *repo_in(struct mount *mount, const char *folder)
{
    struct repo *repo;

    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++)
        if (strcmp(repository_folder(repo->repository), folder) == 0)
            return repo;
    return NULL;
}

static bool on_returns(void *data, const char *folder, const char *ref, const struct oid *target)
{
    struct room_attempt *attempt = data;
    struct repo *repo = repo_in(attempt->room->mount, folder);

    return bring_back_can(attempt->bring_back, folder,
                          repo ? repository_url(repo->repository) : NULL, ref, target);
}

static void on_removed(void *data, const char *repository, const char *name, int64_t last_read)
{
    struct room_attempt *attempt = data;

    log_info(attempt->room->mount->log,
             "%s: %s was removed from the cache to make room; it was last read %lld s ago, and is "
             "fetched again when needed",
             repository, name, (long long)(clock_wall() / 1000 - last_read));
}

static void on_skipped(void *data, const struct error *why)
{
    struct room_attempt *attempt = data;
    log_debug(attempt->room->mount->log, "%s", why->text);
}

static bool on_cancelled(void *data)
{
    struct room_attempt *attempt = data;
    return is_stopping(attempt->room) || pool_is_stopping(attempt->room->mount->pool);
}

static int keep_spared(const struct room_spared *spared, struct gc *gc, struct error *e)
{
    char hex[OID_HEX_SIZE];

    return spared ? gc_keep(gc, repository_url(spared->repo->repository), NULL,
                            oid_format(&spared->commit, hex), e)
                  : 0;
}

static int run_gc(struct room_attempt *attempt, uint64_t bytes, unsigned grace,
                  struct gc_report *report, struct error *e)
{
    struct mount *mount = attempt->room->mount;
    const struct gc_options options = {
        .removed = on_removed, .skipped = on_skipped, .returns = on_returns, .data = attempt};
    struct gc *gc = NULL;
    int r = gc_room_begin(&gc, mount->cache, grace, false, e);

    if (r == 0)
        r = keep_named(mount, gc, e);
    if (r == 0)
        r = keep_spared(attempt->spared, gc, e);
    if (r == 0)
        r = gc_room_make(gc, bytes, &options, report, e);
    gc_end(gc);
    return r;
}

/* What was removed takes room until nobody has it open. */
static void close_packs(struct mount *mount)
{
    struct repo *repo;

    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++)
        repository_close_packs(repo->repository);
}

/* The caller holds `making`. Returns how many bytes went. */
static uint64_t make(struct room *room, uint64_t bytes, unsigned grace,
                     const struct room_spared *spared)
{
    struct mount *mount = room->mount;
    struct room_attempt attempt = {.room = room, .spared = spared};
    const struct watch watch = {.cancelled = on_cancelled, .data = &attempt};
    struct gc_report report = {.removed = 0};
    struct error error = {0};
    int r = bring_back_new(&attempt.bring_back, cache_folder(mount->cache),
                           &mount->settings->remote, &watch, &error);

    if (r == 0)
        r = run_gc(&attempt, bytes < LEAST ? LEAST : bytes, grace, &report, &error);
    bring_back_free(attempt.bring_back);
    if (r < 0)
        log_error(mount->log, "no room could be made in the cache: %s", error.text);
    if (report.bytes > 0) {
        close_packs(mount);
        atomic_fetch_add(&room->made, 1);
    }
    atomic_fetch_add(&mount->state->cache_removed, report.removed);
    atomic_fetch_add(&mount->state->cache_freed, report.bytes);
    return report.bytes;
}

bool room_make(struct mount *mount, uint64_t bytes, const struct room_spared *spared)
{
    struct room *room = mount->room;
    unsigned before = atomic_load(&room->made);
    uint64_t tenth = atomic_load(&room->size) / 10;

    if (!may_make(room))
        return false;
    pthread_mutex_lock(&room->making);
    bool done = atomic_load(&room->made) != before;
    if (!done && (!room->failed_at || clock_now() - room->failed_at > VAIN_SECONDS * 1000)) {
        done = make(room, bytes < tenth ? tenth : bytes, 0, spared) > 0;
        room->failed_at = done ? 0 : clock_now();
        if (!done)
            log_warning(mount->log,
                        "the disk of the cache %s is full, and nothing can be removed: what is "
                        "there is named by a source, is in use, or could not be fetched again",
                        cache_folder(mount->cache));
    }
    pthread_mutex_unlock(&room->making);
    return done;
}

/* ---- the thread ---- */

static void look(struct room *room)
{
    uint64_t limit = room->mount->settings->cache_max, size = cache_walk_size(room->mount->cache);

    if (limit > 0 && size > limit && may_make(room)) {
        pthread_mutex_lock(&room->making);
        make(room, size - limit / 10 * 9, GRACE, NULL);
        pthread_mutex_unlock(&room->making);
        size = cache_walk_size(room->mount->cache);
    }
    atomic_store(&room->size, size);
}

/* The caller holds the lock. */
static bool is_passed(const struct room *room)
{
    uint64_t limit = room->mount->settings->cache_max;
    return limit > 0 && atomic_load(&room->size) + room->fetched > limit;
}

static void wait_for_change(struct room *room, bool is_first)
{
    int r = 0;

    pthread_mutex_lock(&room->lock);
    bool was_passed = is_passed(room);
    int64_t until = clock_now() + (is_first ? FIRST : was_passed ? SOON : PERIOD);
    while (r == 0 && !room->stopping && is_passed(room) == was_passed)
        r = thread_wait_until(&room->changed, &room->lock, until);
    room->fetched = 0;
    pthread_mutex_unlock(&room->lock);
}

static void *run(void *arg)
{
    struct room *room = arg;

    if (may_make(room))
        gc_reserve_make(room->mount->cache);
    wait_for_change(room, true);
    while (!is_stopping(room)) {
        look(room);
        wait_for_change(room, false);
    }
    return NULL;
}

void room_start(struct room *room)
{
    room->has_thread = pthread_create(&room->thread, NULL, run, room) == 0;
    if (!room->has_thread)
        log_error(room->mount->log, "the cache's size is not watched: no thread can do it");
}

bool room_stop(struct room *room, int patience)
{
    if (!room)
        return true;
    pthread_mutex_lock(&room->lock);
    room->stopping = true;
    pthread_cond_signal(&room->changed);
    pthread_mutex_unlock(&room->lock);
    return !room->has_thread || thread_join(room->thread, patience) == 0;
}

void room_free(struct room *room)
{
    if (!room)
        return;
    pthread_mutex_destroy(&room->making);
    pthread_mutex_destroy(&room->lock);
    pthread_cond_destroy(&room->changed);
    free(room);
}

void room_fetched(struct mount *mount, uint64_t bytes)
{
    struct room *room = mount->room;

    pthread_mutex_lock(&room->lock);
    room->fetched += bytes;
    pthread_cond_signal(&room->changed);
    pthread_mutex_unlock(&room->lock);
}

uint64_t room_size(const struct mount *mount)
{
    return atomic_load(&mount->room->size);
}
