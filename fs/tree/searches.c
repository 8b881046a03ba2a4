#include "fs/tree/searches.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/attempt.h"
#include "fs/tree/parked.h"
#include "fs/tree/publish.h"
#include "fs/tree/refresh.h"
#include "fs/tree/search_limits.h"
#include "fs/tree/unasked.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/hash.h"
#include "gitcache/fetch/commit_search.h"
#include "gitcache/fetch/list_refs.h"
#include "gitcache/fetch/pool.h"
#include "gitcache/fetch/repository_fetch.h"

#define SLOTS 16 /* searches that are asked for at once; more wait for one of these */

enum slot_state { SLOT_FREE, SLOT_QUEUED, SLOT_RUNNING, SLOT_DONE };

struct search_slot {
    char digits[OID_HEX_SIZE];
    struct work work;
    enum slot_state state;
    int status; /* DONE */
    int64_t done_at;
};

/* A repository's, in one piece of memory; guarded by its lock, and made by the first search. */
struct searches {
    struct search_slot slots[SLOTS];
    struct search_limits limits[SEARCH_WHOSE];
    bool is_queued; /* a job is queued or running */
};

/* ---- asking ---- */

/* The caller holds repo->lock, here and below. NULL: out of memory. */
static struct searches *searches_of(struct repo *repo)
{
    if (!repo->searches && (repo->searches = calloc(1, sizeof *repo->searches)))
        for (int i = 0; i < SEARCH_WHOSE; i++)
            search_limits_init(&repo->searches->limits[i], i);
    return repo->searches;
}

/* A list names that commit, or search=always treats it so. */
static enum search_whose whose(const struct mount *mount, const struct repo *repo,
                               const char *digits)
{
    bool named = mount->settings->search == SEARCH_ALWAYS;

    for (size_t i = 0; i < repo->source_count && !named; i++) {
        const struct repo_source *source = &repo->sources[i];
        named = (source->commit && strcasecmp(source->commit, digits) == 0) ||
                (source->kind == SOURCE_COMMIT && strcasecmp(source->version, digits) == 0);
    }
    return named ? SEARCH_NAMED : SEARCH_ANYBODYS;
}

void searches_listed(struct repo *repo)
{
    const struct listing *listing = repository_listing_get(repo->repository);
    uint64_t hash = HASH_BEGIN;

    for (size_t i = 0; listing && i < listing->count; i++) {
        hash = hash_string(hash, listing->refs[i].name);
        hash = hash_bytes(hash, &listing->refs[i].oid, sizeof listing->refs[i].oid);
    }
    repository_listing_put(repo->repository, listing);
    pthread_mutex_lock(&repo->lock);
    for (int i = 0; repo->searches && hash != repo->listing_hash && i < SEARCH_WHOSE; i++)
        search_limits_forget(&repo->searches->limits[i]);
    repo->listing_hash = hash;
    pthread_mutex_unlock(&repo->lock);
}

/* The slot for these digits: theirs, else a free one, else the one that was done first; NULL: all are in
 * use. */
static struct search_slot *slot_for(struct searches *searches, const char *digits)
{
    struct search_slot *best = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        struct search_slot *slot = &searches->slots[i];
        if (slot->state != SLOT_FREE && strcasecmp(slot->digits, digits) == 0)
            return slot;
        if (slot->state == SLOT_FREE || slot->state == SLOT_DONE)
            if (!best || (best->state == SLOT_DONE &&
                          (slot->state == SLOT_FREE || slot->done_at < best->done_at)))
                best = slot;
    }
    return best;
}

/* Searches have a queue of their own: no fetch from that host waits behind one. */
static int queue(struct mount *mount, struct repo *repo)
{
    char *name;
    int r = 0;

    if (repo->searches->is_queued)
        return 0;
    if (asprintf(&name, "searches of %s", repo->host) < 0)
        return -ENOMEM;
    r = pool_queue(mount->pool, name, repo, ASK_SEARCHES);
    repo->searches->is_queued = r == 0;
    free(name);
    return r;
}

static int start(struct mount *mount, struct repo *repo, struct search_slot *slot,
                 const char *digits)
{
    int r = queue(mount, repo);

    if (r < 0)
        return r;
    snprintf(slot->digits, sizeof slot->digits, "%s", digits);
    slot->state = SLOT_QUEUED;
    work_begin(&slot->work);
    return 0;
}

static int ask_locked(struct mount *mount, struct repo *repo, const char *digits, struct ask *ask)
{
    struct searches *searches = searches_of(repo);
    int r = 0;

    if (!searches)
        return -ENOMEM;
    if (search_limits_is_missed(&searches->limits[whose(mount, repo, digits)], digits))
        return -ENOENT;
    struct search_slot *slot = slot_for(searches, digits);
    bool mine = slot && slot->state != SLOT_FREE && strcasecmp(slot->digits, digits) == 0;
    if (mine && slot->state == SLOT_DONE && ask->version)
        return slot->status < 0 ? slot->status : -EIO; /* found, and not there all the same */
    /* Its slot was taken by another since. A found one would be in the cache, and after a failure the
     * repository backs off: it is missing, or was not looked for. */
    if (!mine && ask->version)
        return -ENOENT;
    if (!slot) {
        ask->work = &searches->slots[0].work;
        return -EAGAIN;
    }
    if (!mine || slot->state == SLOT_DONE)
        r = start(mount, repo, slot, digits);
    ask->version = true;
    ask->work = &slot->work;
    return r < 0 ? r : -EAGAIN;
}

int searches_ask(struct mount *mount, struct repo *repo, const char *digits, struct ask *ask)
{
    int r = mount->settings->offline ? -EHOSTUNREACH : repo_backoff(repo);

    if (r == 0)
        r = unasked_refuse(mount, ask);
    if (r < 0)
        return r;
    pthread_mutex_lock(&repo->lock);
    r = ask_locked(mount, repo, digits, ask);
    pthread_mutex_unlock(&repo->lock);
    return r;
}

int searches_add_version(struct mount *mount, struct repo_version *version)
{
    struct repo *repo = version->repo;

    pthread_mutex_lock(&repo->lock);
    int r = searches_of(repo) ? queue(mount, repo) : -ENOMEM;
    version->searching = r == 0;
    pthread_mutex_unlock(&repo->lock);
    return r;
}

/* ---- searching ---- */

/* One thing to look for: for a list's version, or for a slot. */
struct search_task {
    struct mount *mount;
    struct repo *repo;
    struct remote *remote;
    struct repo_version *version; /* NULL: a slot's */
    struct search_slot *slot;
    const char *digits;
    enum search_whose whose; /* its limits */
    unsigned packs;
    struct attempt attempt;
    struct version_request request; /* what became of it */
};

static bool may_search(struct search_task *task)
{
    struct repo *repo = task->repo;

    pthread_mutex_lock(&repo->lock);
    bool may = search_limits_take(&repo->searches->limits[task->whose]);
    pthread_mutex_unlock(&repo->lock);
    return may;
}

static bool is_missed(struct search_task *task)
{
    struct repo *repo = task->repo;

    pthread_mutex_lock(&repo->lock);
    bool missed = search_limits_is_missed(&repo->searches->limits[task->whose], task->digits);
    pthread_mutex_unlock(&repo->lock);
    return missed;
}

/* A list's version that was looked for in vain, at a remote that still lists what it did then. (A slot's was
 * looked up where it was asked for, after a listing.) */
static bool is_missing_still(struct search_task *task)
{
    struct error error = {0};

    if (!task->version || !is_missed(task))
        return false;
    if (list_refs(task->repo->repository, task->remote, &task->attempt.watch, &error) == 0)
        searches_listed(task->repo);
    return is_missed(task);
}

static int fetch(struct search_task *task, const char *name, enum unlisted unlisted)
{
    struct version_request *request = &task->request;
    struct error error = {0};

    *request = (struct version_request){.name = name, .unlisted = unlisted};
    return repository_fetch(task->repo->repository, task->remote, request, 1, &task->attempt.watch,
                            &task->packs, &error);
}

static void fail(struct search_task *task, int r, const struct error *error)
{
    task->request.status = r;
    task->request.error = *error;
}

/* In the history, and then by the id that was found. */
static void look_in_history(struct search_task *task)
{
    struct commit_search_bounds bounds = {task->whose == SEARCH_ANYBODYS,
                                          search_limits_bytes(task->whose)};
    char hex[OID_HEX_SIZE];
    struct error error = {0};
    struct oid commit;

    if (is_missing_still(task)) {
        error_set(&error, ENOENT,
                  "%s was not found in the history of %s; the search is repeated when the listing "
                  "changes",
                  task->digits, task->repo->shown);
        fail(task, -ENOENT, &error);
        return;
    }
    if (!may_search(task)) {
        error_set(&error, EAGAIN,
                  "%s: too many lookups of commits that it neither lists nor gives; %s is not "
                  "searched for now",
                  task->repo->shown, task->digits);
        fail(task, -EAGAIN, &error);
        return;
    }
    int r = commit_search(task->repo->repository, task->remote, task->digits, &bounds,
                          &task->attempt.watch, &task->packs, &commit, &error);
    if (r < 0)
        fail(task, r, &error);
    else if (fetch(task, oid_format(&commit, hex), UNLISTED_LEAVE) < 0 &&
             task->request.needs_search && task->whose == SEARCH_NAMED)
        fetch(task, hex, UNLISTED_WITH_HISTORY);
    if (task->version)
        searches_listed(task->repo); /* what a miss is remembered for */
}

static void look(struct search_task *task)
{
    struct error error = {0};
    int r = attempt_begin(&task->attempt, &error);

    if (r == 0 && !task->remote)
        r = error_no_memory(&error);
    if (r < 0) {
        fail(task, r, &error);
        return;
    }
    if (fetch(task, task->digits, UNLISTED_LEAVE) < 0 && task->request.needs_search)
        look_in_history(task);
    attempt_end(&task->attempt);
}

/* What a search that found nothing means to who looked the name up. */
static int status_of(const struct search_task *task)
{
    switch (task->request.status) {
    case -EOPNOTSUPP:
    case -EFBIG:
    case -EAGAIN:
        return -ENOENT;
    }
    return task->request.status;
}

static void report(const struct search_task *task)
{
    struct mount *mount = task->mount;
    const char *name = task->repo->name;
    int r = task->request.status;

    atomic_fetch_add(&mount->state->fetches, task->packs);
    atomic_fetch_add(&mount->state->bytes_fetched, task->attempt.bytes);
    if (pool_is_stopping(mount->pool))
        return;
    if (r == 0)
        log_info(mount->log, "fetched %s/%s, %llu bytes", name, task->digits,
                 (unsigned long long)task->attempt.bytes);
    else if (r == -EFBIG && task->whose == SEARCH_NAMED)
        log_warning(mount->log, "%s/%s is no longer searched for in the history: %s", name,
                    task->digits, task->request.error.text);
    else if (r == -EOPNOTSUPP || r == -EFBIG)
        log_info(mount->log,
                 "%s/%s is not searched for in the history: %s; name it in a list, or mount with "
                 "search=always",
                 name, task->digits, task->request.error.text);
    else if (r == -EAGAIN)
        log_debug(mount->log, "%s/%s: %s", name, task->digits, task->request.error.text);
    else if (status_of(task) == -ENOENT)
        log_info(mount->log, "%s/%s: %s", name, task->digits, task->request.error.text);
    else if (repo_failed(task->repo, &task->request.error))
        log_warning(mount->log, "%s: %s", name, task->request.error.text);
}

/* The caller holds repo->lock. What was not looked for now may be another time. */
static void remember(struct search_task *task)
{
    if (status_of(task) == -ENOENT && task->request.status != -EAGAIN)
        search_limits_remember(&task->repo->searches->limits[task->whose], task->digits);
}

static void end_slot(struct search_task *task)
{
    struct repo *repo = task->repo;

    pthread_mutex_lock(&repo->lock);
    remember(task);
    task->slot->status = status_of(task);
    task->slot->done_at = clock_now();
    task->slot->state = SLOT_DONE;
    atomic_store(&task->slot->work.running, false);
    pthread_mutex_unlock(&repo->lock);
    parked_wake(task->mount->parked, &task->slot->work);
}

/* What the list's name means, now that its commit is there. */
static void end_version(struct search_task *task)
{
    struct repo_version *version = task->version;
    struct version_request *request = &task->request;

    pthread_mutex_lock(&task->repo->lock);
    remember(task);
    pthread_mutex_unlock(&task->repo->lock);
    if (request->status != status_of(task)) { /* beyond a limit */
        request->status = status_of(task);
        request->error.errnum = -request->status;
    }
    if (request->status == 0)
        request->status = versions_find(task->repo->repository, version->name, version->commit,
                                        &request->version, &request->error);
    refresh_finish(task->mount, version, request);
    publish_repo(task->mount, task->repo);
    parked_wake(task->mount->parked, &version->work);
}

/* The next thing to look for: what lists name goes first. False: nothing. */
static bool take(struct search_task *task)
{
    struct repo *repo = task->repo;
    struct searches *searches = repo->searches;

    for (struct repo_version *v = repo->versions; v && !task->version; v = v->next)
        if (v->searching)
            task->version = v;
    if (task->version) {
        task->version->searching = false;
        task->digits = task->version->commit ? task->version->commit : task->version->name;
        task->whose = SEARCH_NAMED;
        return true;
    }
    for (size_t i = 0; i < SLOTS && !task->slot; i++)
        if (searches->slots[i].state == SLOT_QUEUED)
            task->slot = &searches->slots[i];
    if (!task->slot)
        return false;
    task->slot->state = SLOT_RUNNING;
    task->digits = task->slot->digits;
    task->whose = whose(task->mount, repo, task->digits);
    return true;
}

static bool has_more(struct repo *repo)
{
    bool more = false;

    for (const struct repo_version *v = repo->versions; v && !more; v = v->next)
        more = v->searching;
    for (size_t i = 0; i < SLOTS && !more; i++)
        more = repo->searches->slots[i].state == SLOT_QUEUED;
    return more;
}

/* Those that nobody can look for: their requests end with this errno. The caller does not hold the lock. */
static void fail_queued(struct mount *mount, struct repo *repo, int r)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct search_slot *slot = &repo->searches->slots[i];
        pthread_mutex_lock(&repo->lock);
        bool is_queued = slot->state == SLOT_QUEUED;
        if (is_queued) {
            slot->state = SLOT_DONE;
            slot->status = r;
            atomic_store(&slot->work.running, false);
        }
        pthread_mutex_unlock(&repo->lock);
        if (is_queued)
            parked_wake(mount->parked, &slot->work);
    }
}

/* Likewise those that lists name; else nobody would ask for them again. */
static void fail_searching(struct mount *mount, struct repo *repo, int r)
{
    struct version_request request = {.status = r};

    error_set(&request.error, -r, "cannot be searched for: %s", strerror(-r));
    pthread_mutex_lock(&repo->lock);
    struct repo_version *newest = repo->versions;
    pthread_mutex_unlock(&repo->lock);
    for (struct repo_version *v = newest; v; v = v->next) {
        pthread_mutex_lock(&repo->lock);
        bool is_searching = v->searching;
        v->searching = false;
        pthread_mutex_unlock(&repo->lock);
        if (!is_searching)
            continue;
        log_error(mount->log, "%s/%s: %s", repo->name, repo_version_label(v), request.error.text);
        refresh_finish(mount, v, &request);
        parked_wake(mount->parked, &v->work);
    }
}

void searches_run(struct mount *mount, struct repo *repo, struct remote *remote)
{
    struct search_task *task = calloc(1, sizeof *task);
    int r = 0;

    pthread_mutex_lock(&repo->lock);
    bool some = false;
    if (task) {
        *task = (struct search_task){.mount = mount, .repo = repo, .remote = remote};
        some = take(task);
    }
    pthread_mutex_unlock(&repo->lock);
    if (some) {
        attempt_init(&task->attempt, mount);
        attempt_add(&task->attempt, task->version ? &task->version->work : &task->slot->work, repo,
                    task->digits);
        look(task);
        report(task);
        if (task->version)
            end_version(task);
        else
            end_slot(task);
    }
    pthread_mutex_lock(&repo->lock);
    repo->searches->is_queued = false;
    if (has_more(repo))
        r = task ? queue(mount, repo) : -ENOMEM;
    pthread_mutex_unlock(&repo->lock);
    if (r < 0) {
        fail_queued(mount, repo, r);
        fail_searching(mount, repo, r);
    }
    free(task);
}
