#include "fs/tree/refresh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/checkout.h"
#include "fs/tree/lists.h"
#include "fs/tree/namespace.h"
#include "fs/tree/parked.h"
#include "gitcache/base/clock.h"
#include "gitcache/fetch/list_refs.h"
#include "gitcache/fetch/pool.h"
#include "gitcache/fetch/repository_fetch.h"

#define BATCH_MAX 256

static void run_list(void *data, void *subject, struct remote *remote);
static void run_fetch(void *data, void *subject, struct remote *remote);

static int may_ask(struct mount *mount, struct repo *repo)
{
    if (mount->settings->offline)
        return -EHOSTUNREACH;
    return repo_backoff(repo, NULL);
}

int refresh_listing(struct mount *mount, struct repo *repo)
{
    int r = may_ask(mount, repo);

    if (r < 0)
        return r;
    pthread_mutex_lock(&repo->lock);
    if (!atomic_load(&repo->listing.running)) {
        atomic_store(&repo->listing.progress_at, 0);
        atomic_store(&repo->listing.running, true);
        r = pool_queue(mount->pool, repo->host, run_list, repo);
        if (r < 0)
            atomic_store(&repo->listing.running, false);
    }
    pthread_mutex_unlock(&repo->lock);
    return r;
}

/* Puts a version into its repository's next batch. The caller holds repo->lock. */
static int enqueue(struct mount *mount, struct wanted *wanted)
{
    struct repo *repo = wanted->repo;
    int r = 0;

    if (atomic_load(&wanted->work.running))
        return 0;
    if (!repo->fetch_queued && !repo->fetch_running) {
        r = pool_queue(mount->pool, repo->host, run_fetch, repo);
        if (r < 0)
            return r;
        repo->fetch_queued = true;
    }
    wanted->queued = true;
    if (wanted->state != WANTED_READY)
        wanted->state = WANTED_FETCHING;
    atomic_store(&wanted->work.bytes, 0);
    atomic_store(&wanted->work.progress_at, 0);
    atomic_store(&wanted->work.running, true);
    return 0;
}

int refresh_version(struct mount *mount, struct wanted *wanted)
{
    int r = may_ask(mount, wanted->repo);

    if (r < 0)
        return r;
    pthread_mutex_lock(&wanted->repo->lock);
    r = enqueue(mount, wanted);
    pthread_mutex_unlock(&wanted->repo->lock);
    return r;
}

int refresh_newest(struct mount *mount, struct wanted *wanted)
{
    pthread_mutex_lock(&wanted->repo->lock);
    wanted->newest = true;
    pthread_mutex_unlock(&wanted->repo->lock);
    return refresh_version(mount, wanted);
}

int refresh_damaged(struct mount *mount, struct wanted *wanted)
{
    pthread_mutex_lock(&wanted->repo->lock);
    wanted->again = true;
    pthread_mutex_unlock(&wanted->repo->lock);
    return refresh_version(mount, wanted);
}

/* What a transfer's progress and cancellation are about: one batch of versions, or a listing. */
struct transfer {
    struct mount *mount;
    struct work *works[BATCH_MAX];
    uint64_t keys[BATCH_MAX]; /* see crash_record.h */
    size_t count;
    uint64_t bytes;
    bool receiving, on_trial;
};

/* Takes part in what crash_record.h is about. False: it is given up, with e set. */
static bool begin_transfer(struct transfer *transfer, struct error *e)
{
    struct crash_record *crashes = &transfer->mount->state->crashes;
    enum crash_verdict verdict =
        transfer->count ? crash_record_judge(crashes, transfer->keys[0]) : CRASH_SAFE;

    if (verdict == CRASH_GIVEN_UP) {
        error_set(e, EIO, "%d workers died of what the remote sends: not tried again for %d s",
                  CRASH_DEATHS, CRASH_PAUSE / 1000);
        return false;
    }
    transfer->on_trial = verdict == CRASH_TRIAL;
    if (transfer->on_trial)
        pthread_mutex_lock(&transfer->mount->fetch_trial);
    return true;
}

static void end_transfer(struct transfer *transfer)
{
    for (size_t i = 0; i < transfer->count; i++)
        crash_record_end(&transfer->mount->state->crashes, transfer->keys[i]);
    if (transfer->on_trial)
        pthread_mutex_unlock(&transfer->mount->fetch_trial);
}

static void on_progress(void *data, uint64_t bytes, const char *line)
{
    struct transfer *transfer = data;
    int64_t now = clock_now();

    (void)line;
    transfer->bytes = bytes;
    for (size_t i = 0; bytes > 0 && !transfer->receiving && i < transfer->count; i++)
        crash_record_work(&transfer->mount->state->crashes, transfer->keys[i]);
    transfer->receiving = bytes > 0;
    for (size_t i = 0; i < transfer->count; i++) {
        atomic_store(&transfer->works[i]->progress_at, now);
        atomic_store(&transfer->works[i]->bytes, bytes);
    }
}

static void on_checked(void *data)
{
    struct transfer *transfer = data;

    for (size_t i = 0; i < transfer->count; i++)
        crash_record_pause(&transfer->mount->state->crashes, transfer->keys[i]);
    transfer->receiving = false;
}

static bool on_cancelled(void *data)
{
    struct transfer *transfer = data;
    return pool_is_stopping(transfer->mount->pool);
}

static void log_failure(struct mount *mount, bool news, const char *what, const struct error *error)
{
    if (pool_is_stopping(mount->pool))
        return;
    if (news)
        log_warning(mount->log, "%s: %s", what, error->text);
    else
        log_debug(mount->log, "%s: %s", what, error->text);
}

static int report_moved(void *data, const char *tag, const struct oid *pinned,
                        const struct oid *now)
{
    struct repo *repo = ((void **)data)[0];
    struct mount *mount = ((void **)data)[1];
    char was[OID_HEX_SIZE], is[OID_HEX_SIZE];

    log_warning(mount->log,
                "%s/%s: the tag has moved at %s from %s to %s; the first commit is still served",
                repo->name, tag, repo->shown, oid_format(pinned, was), oid_format(now, is));
    return 0;
}

static void ask_for_listing(struct mount *mount, struct repo *repo, struct remote *remote)
{
    struct transfer transfer = {.mount = mount,
                                .works = {&repo->listing},
                                .keys = {crash_record_key(repository_url(repo->repository), "")},
                                .count = 1};
    struct watch watch = {.progress = on_progress, .cancelled = on_cancelled, .data = &transfer};
    struct error error = {0};
    int r;

    on_progress(&transfer, 0, NULL);
    pthread_mutex_lock(&repo->lock);
    repo->asked_at = clock_now();
    pthread_mutex_unlock(&repo->lock);
    if (!begin_transfer(&transfer, &error)) {
        r = -EIO;
    } else {
        r = remote ? list_refs(repo->repository, remote, &watch, &error)
                   : error_set(&error, ENOMEM, "out of memory");
        end_transfer(&transfer);
    }
    if (r < 0) {
        log_failure(mount, repo_failed(repo, &error), repo->name, &error);
        return;
    }
    atomic_fetch_add(&mount->state->listings, 1);
    if (repo_succeeded(repo))
        log_info(mount->log, "%s: %s answers again", repo->name, repo->shown);
    versions_moved(repo->repository, report_moved, (void *[]){repo, mount}, NULL);
}

/* After a listing: branches that people look at, and that have moved, are fetched anew. */
static void follow_branches(struct mount *mount, struct repo *repo)
{
    const struct listing *listing = repository_listing_get(repo->repository);
    struct wanted *moved[BATCH_MAX];
    size_t count = 0;

    if (!listing)
        return;
    pthread_mutex_lock(&repo->lock);
    for (struct wanted *w = repo->wanted; w && count < BATCH_MAX; w = w->next) {
        const struct ref *ref;
        if (w->state != WANTED_READY || w->version.kind != VERSION_BRANCH)
            continue;
        ref = w->name ? listing_find_version(listing, w->name) : listing_default(listing);
        if (ref && !oid_equal(&ref->peeled, &w->version.commit))
            moved[count++] = w;
    }
    pthread_mutex_unlock(&repo->lock);
    repository_listing_put(repo->repository, listing);
    for (size_t i = 0; i < count; i++)
        refresh_newest(mount, moved[i]);
}

static void run_list(void *data, void *subject, struct remote *remote)
{
    struct mount *mount = data;
    struct repo *repo = subject;

    ask_for_listing(mount, repo, remote);
    namespace_publish(mount, repo);
    lists_publish(mount);
    follow_branches(mount, repo);
    atomic_store(&repo->listing.running, false);
    parked_wake(mount->parked, &repo->listing);
}

static uint64_t key_of(const struct wanted *wanted)
{
    return crash_record_key(repository_url(wanted->repo->repository), wanted->name);
}

/* Takes all versions that are queued now; returns how many. One that workers may have died of is
 * taken alone. */
static size_t take_batch(struct mount *mount, struct repo *repo, struct wanted *batch[BATCH_MAX],
                         struct version_request requests[BATCH_MAX])
{
    size_t count = 0;
    bool alone = false;

    pthread_mutex_lock(&repo->lock);
    repo->fetch_queued = false;
    repo->fetch_running = true;
    for (struct wanted *w = repo->wanted; w && count < BATCH_MAX && !alone; w = w->next) {
        if (!w->queued)
            continue;
        alone = crash_record_judge(&mount->state->crashes, key_of(w)) != CRASH_SAFE;
        if (alone && count > 0)
            break;
        w->queued = false;
        requests[count] = (struct version_request){
            .name = w->name, .commit = w->commit, .newest = w->newest, .again = w->again};
        batch[count++] = w;
    }
    pthread_mutex_unlock(&repo->lock);
    return count;
}

/* Shows a version's new commit in the folders that show it already. */
static void switch_branch(struct mount *mount, struct wanted *wanted)
{
    struct error error;

    for (size_t i = 0; i < wanted->node_count; i++)
        if (checkout_publish(mount, wanted->repo, wanted->nodes[i], &wanted->version, &error) < 0)
            log_error(mount->log, "%s: %s", wanted->repo->name, error.text);
}

static void finish(struct mount *mount, struct wanted *wanted,
                   const struct version_request *request)
{
    struct repo *repo = wanted->repo;

    pthread_mutex_lock(&repo->lock);
    wanted->newest = wanted->again = false;
    if (request->status == 0) {
        wanted->version = request->version;
        wanted->state = WANTED_READY;
    } else if (wanted->state != WANTED_READY) {
        wanted->error = request->error;
        wanted->state = WANTED_FAILED;
        wanted->retry_at = clock_now() + 1000;
    }
    pthread_mutex_unlock(&repo->lock);
    if (request->status == 0 && request->version.kind == VERSION_BRANCH)
        switch_branch(mount, wanted);
    atomic_store(&wanted->work.running, false);
}

static void report(struct mount *mount, struct repo *repo, const struct version_request *requests,
                   size_t count, unsigned packs, uint64_t bytes, int64_t started)
{
    const struct error *failure = NULL;
    int64_t milliseconds = clock_now() - started;
    double seconds = (double)milliseconds / 1000;

    state_count_fetch(mount->state, milliseconds);
    atomic_fetch_add(&mount->state->fetches, packs);
    atomic_fetch_add(&mount->state->bytes_fetched, bytes);
    for (size_t i = 0; i < count; i++) {
        const char *name = requests[i].name ? requests[i].name : "(default branch)";
        if (requests[i].status == 0) {
            log_info(mount->log, "fetched %s/%s in %.3f s, %llu bytes", repo->name, name, seconds,
                     (unsigned long long)bytes);
            continue;
        }
        atomic_fetch_add(&mount->state->fetches_failed, 1);
        if (requests[i].status == -ENOENT) {
            log_info(mount->log, "%s/%s: %s", repo->name, name, requests[i].error.text);
        } else {
            failure = &requests[i].error;
        }
    }
    if (failure)
        log_failure(mount, repo_failed(repo, failure), repo->name, failure);
    else if (repo_succeeded(repo))
        log_info(mount->log, "%s: %s answers again", repo->name, repo->shown);
}

static void fetch_batch(struct mount *mount, struct repo *repo, struct remote *remote,
                        struct wanted **batch, struct version_request *requests, size_t count)
{
    struct transfer transfer = {.mount = mount, .count = count};
    struct watch watch = {.progress = on_progress,
                          .cancelled = on_cancelled,
                          .checked = on_checked,
                          .data = &transfer};
    struct error error = {0};
    int64_t started = clock_now();
    unsigned packs = 0;

    for (size_t i = 0; i < count; i++) {
        transfer.works[i] = &batch[i]->work;
        transfer.keys[i] = key_of(batch[i]);
    }
    on_progress(&transfer, 0, NULL);
    if (!begin_transfer(&transfer, &error)) {
        requests[0].status = -EIO;
        requests[0].error = error;
        log_error(mount->log, "%s/%s: %s", repo->name, batch[0]->name ? batch[0]->name : "",
                  error.text);
        return;
    }
    int r =
        remote ? repository_fetch(repo->repository, remote, requests, count, &watch, &packs, &error)
               : error_set(&error, ENOMEM, "out of memory");
    if (r == -EIO) /* a damaged answer gets one more try; what has arrived is not asked for again */
        r = repository_fetch(repo->repository, remote, requests, count, &watch, &packs, &error);
    if (!remote)
        for (size_t i = 0; i < count; i++) {
            requests[i].status = r;
            requests[i].error = error;
        }
    end_transfer(&transfer);
    report(mount, repo, requests, count, packs, transfer.bytes, started);
}

/* True if more has been queued meanwhile. */
static bool end_batch(struct mount *mount, struct repo *repo)
{
    bool more = false;

    pthread_mutex_lock(&repo->lock);
    repo->fetch_running = false;
    for (struct wanted *w = repo->wanted; w; w = w->next)
        more = more || w->queued;
    if (more && !repo->fetch_queued)
        repo->fetch_queued = pool_queue(mount->pool, repo->host, run_fetch, repo) == 0;
    pthread_mutex_unlock(&repo->lock);
    return more;
}

static void run_fetch(void *data, void *subject, struct remote *remote)
{
    struct mount *mount = data;
    struct repo *repo = subject;
    struct wanted **batch = calloc(BATCH_MAX, sizeof *batch);
    struct version_request *requests = calloc(BATCH_MAX, sizeof *requests);
    size_t count = 0;

    if (batch && requests) {
        count = take_batch(mount, repo, batch, requests);
        fetch_batch(mount, repo, remote, batch, requests, count);
    }
    for (size_t i = 0; i < count; i++)
        finish(mount, batch[i], &requests[i]);
    namespace_publish(mount, repo);
    for (size_t i = 0; i < count; i++)
        parked_wake(mount->parked, &batch[i]->work);
    end_batch(mount, repo);
    free(batch);
    free(requests);
}
