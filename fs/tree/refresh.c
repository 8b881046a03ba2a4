#include "fs/tree/refresh.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/sweep.h"
#include "fs/tree/ask.h"
#include "fs/tree/attempt.h"
#include "fs/tree/lists.h"
#include "fs/tree/missing.h"
#include "fs/tree/parked.h"
#include "fs/tree/publish.h"
#include "fs/tree/readahead.h"
#include "fs/tree/readings.h"
#include "fs/tree/room.h"
#include "fs/tree/searches.h"
#include "fs/tree/sizes.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/hash.h"
#include "gitcache/fetch/list_refs.h"
#include "gitcache/fetch/pool.h"
#include "gitcache/fetch/repository_fetch.h"

#define ROOM_MOST_TIMES 8 /* of the bytes that have come before the disk was full */
#define MANY_REFS       10000
#define MOVES_MOST      1000
#define FAILURE_KEPT    1000 /* milliseconds for which a version's failure is answered again */

static void log_failure(struct mount *mount, bool news, const char *what, const struct error *error)
{
    if (pool_is_stopping(mount->pool))
        return;
    if (news)
        log_warning(mount->log, "%s: %s", what, error->text);
    else
        log_debug(mount->log, "%s: %s", what, error->text);
}

static void log_success(struct mount *mount, struct repo *repo)
{
    if (repo_succeeded(repo))
        log_info(mount->log, "%s: %s answers again", repo->name, repo->shown);
}

/* ---- a listing ---- */

/* Whether the log has told of it; it has from now on. Listings of a repository come one after the other. */
static bool was_told(struct repo *repo, const char *tag, const struct oid *now)
{
    uint64_t move = hash_bytes(hash_string(HASH_BEGIN, tag), now, sizeof *now);

    for (size_t i = 0; i < repo->moved_count; i++)
        if (repo->moved_told[i] == move)
            return true;
    if (repo->moved_count == MOVES_MOST) /* a remote that moves its tags on and on */
        repo->moved_count = 0;
    uint64_t *told = realloc(repo->moved_told, (repo->moved_count + 1) * sizeof *told);
    if (told) {
        repo->moved_told = told;
        told[repo->moved_count++] = move;
    }
    return false;
}

static int report_moved(void *data, const char *tag, const struct oid *pinned,
                        const struct oid *now)
{
    struct repo *repo = ((void **)data)[0];
    struct mount *mount = ((void **)data)[1];
    char was[OID_HEX_SIZE], is[OID_HEX_SIZE];

    if (was_told(repo, tag, now))
        return 0;
    log_warning(mount->log,
                "%s/%s: the tag has moved at %s from %s to %s; the first commit is still served",
                repo->name, tag, repo->shown, oid_format(pinned, was), oid_format(now, is));
    return 0;
}

static int get_listing(struct mount *mount, struct repo *repo, struct remote *remote,
                       struct error *e)
{
    struct attempt attempt;
    int r;

    attempt_init(&attempt, mount);
    attempt_add(&attempt, &repo->listing, repo, "");
    r = attempt_begin(&attempt, e);
    if (r < 0)
        return r;
    r = remote ? list_refs(repo->repository, remote, &attempt.watch, e) : error_no_memory(e);
    attempt_end(&attempt);
    return r;
}

/* After a listing: branches that people look at, and that have moved, are fetched anew. */
static void follow_branches(struct mount *mount, struct repo *repo)
{
    const struct listing *listing = repository_listing_get(repo->repository);
    struct repo_version *moved[ATTEMPT_MAX];
    size_t count = 0;

    if (!listing)
        return;
    pthread_mutex_lock(&repo->lock);
    for (struct repo_version *v = repo->versions; v && count < ATTEMPT_MAX; v = v->next) {
        const struct ref *ref;
        if (v->state != VERSION_READY || v->version.kind != VERSION_BRANCH)
            continue;
        ref = v->name ? listing_find_version(listing, v->name) : listing_default(listing);
        if (ref && !oid_equal(&ref->peeled, &v->version.commit))
            moved[count++] = v;
    }
    pthread_mutex_unlock(&repo->lock);
    repository_listing_put(repo->repository, listing);
    for (size_t i = 0; i < count; i++)
        ask_newest_later(mount, moved[i]);
}

/* After a listing of very many refs: what the one before took goes back to the system, not only to malloc,
 * which keeps it in pieces. */
static void give_back_memory(struct repo *repo)
{
#ifdef __GLIBC__
    const struct listing *listing = repository_listing_get(repo->repository);

    if (listing && listing->count > MANY_REFS)
        malloc_trim(0);
    repository_listing_put(repo->repository, listing);
#else
    (void)repo;
#endif
}

static void run_listing(struct mount *mount, struct repo *repo, struct remote *remote)
{
    struct error error = {0};

    pthread_mutex_lock(&repo->lock);
    repo->asked_at = clock_now();
    pthread_mutex_unlock(&repo->lock);
    if (get_listing(mount, repo, remote, &error) < 0) {
        log_failure(mount, repo_failed(repo, &error), repo->name, &error);
    } else {
        atomic_fetch_add(&mount->state->listings, 1);
        log_success(mount, repo);
        searches_listed(repo);
        versions_moved(repo->repository, report_moved, (void *[]){repo, mount}, NULL);
    }
    missing_report(mount, repo);
    publish_repo(mount, repo);
    give_back_memory(repo);
    lists_publish(mount);
    follow_branches(mount, repo);
    atomic_store(&repo->listing.running, false);
    parked_wake(mount->parked, &repo->listing);
}

/* ---- versions ---- */

/* What is fetched together. */
struct batch {
    struct repo_version *versions[ATTEMPT_MAX];
    struct version_request requests[ATTEMPT_MAX];
    size_t count;
};

/* Takes the versions that are queued now. One that workers may have died of is taken alone. */
static void take_batch(struct mount *mount, struct repo *repo, struct batch *batch)
{
    bool alone = false;

    pthread_mutex_lock(&repo->lock);
    repo->fetch_queued = false;
    repo->fetch_running = true;
    for (struct repo_version *v = repo->versions; v && batch->count < ATTEMPT_MAX && !alone;
         v = v->next) {
        if (!v->queued)
            continue;
        alone = attempt_is_suspect(mount, repo, v->name);
        if (alone && batch->count > 0)
            break;
        v->queued = v->ahead = false;
        batch->requests[batch->count] = (struct version_request){.name = v->name,
                                                                 .commit = v->commit,
                                                                 .newest = v->newest,
                                                                 .again = v->again,
                                                                 .unlisted = UNLISTED_LEAVE};
        batch->versions[batch->count++] = v;
    }
    pthread_mutex_unlock(&repo->lock);
}

/* What has been queued meanwhile is the next batch. */
static void end_batch(struct mount *mount, struct repo *repo)
{
    bool more = false;

    pthread_mutex_lock(&repo->lock);
    repo->fetch_running = false;
    for (struct repo_version *v = repo->versions; v && !more; v = v->next)
        more = v->queued;
    if (more)
        ask_next_batch(mount, repo);
    else
        readahead_more(mount, repo);
    pthread_mutex_unlock(&repo->lock);
}

/* Shows a version's new commit in the folders that show it already, once it has been read. */
static void switch_branch(struct mount *mount, struct repo_version *version,
                          const struct version *to)
{
    unsigned inside = nodes_enter(mount->nodes);
    size_t count;
    uint32_t *nodes = repo_version_nodes(version, &count);

    if (!nodes)
        log_error(mount->log, "%s/%s: not switched: out of memory", version->repo->name,
                  repo_version_label(version));
    for (size_t i = 0; nodes && i < count; i++)
        readings_switch_later(mount, nodes[i], version, to);
    nodes_leave(mount->nodes, inside);
    free(nodes);
}

void refresh_finish(struct mount *mount, struct repo_version *version,
                    const struct version_request *request)
{
    struct repo *repo = version->repo;

    pthread_mutex_lock(&repo->lock);
    version->newest = version->again = false;
    if (request->status == 0) {
        version->version = request->version;
        version->state = VERSION_READY;
    } else if (version->state != VERSION_READY) {
        error_keep(&version->error, &request->error);
        version->state = VERSION_FAILED;
        version->retry_at = clock_now() + FAILURE_KEPT;
    }
    pthread_mutex_unlock(&repo->lock);
    if (request->status == 0 && request->version.kind == VERSION_BRANCH)
        switch_branch(mount, version, &request->version);
    atomic_store(&version->work.running, false);
}

/* A commit that the remote neither lists nor gives is looked for beside the next batches. */
static void finish_or_search(struct mount *mount, struct repo_version *version,
                             struct version_request *request)
{
    if (request->needs_search && searches_add_version(mount, version) == 0)
        return;
    request->needs_search = false;
    refresh_finish(mount, version, request);
}

/* Logs and counts what became of each. Returns the failure that says something of the remote; NULL
 * if there is none. */
static const struct error *report(struct mount *mount, struct repo *repo, const struct batch *batch,
                                  uint64_t bytes, int64_t milliseconds)
{
    const struct error *failure = NULL;

    for (size_t i = 0; i < batch->count; i++) {
        const struct version_request *request = &batch->requests[i];
        const char *name = repo_version_label(batch->versions[i]);
        if (request->status == 0) {
            log_info(mount->log, "fetched %s/%s in %.3f s, %llu bytes", repo->name, name,
                     (double)milliseconds / 1000, (unsigned long long)bytes);
            continue;
        }
        if (request->needs_search)
            continue;
        atomic_fetch_add(&mount->state->fetches_failed, 1);
        if (request->status == -ENOENT)
            log_info(mount->log, "%s/%s: %s", repo->name, name, request->error.text);
        else
            failure = &request->error;
    }
    return failure;
}

static void fail_all(struct batch *batch, const struct error *error)
{
    for (size_t i = 0; i < batch->count; i++) {
        batch->requests[i].status = -error->errnum;
        batch->requests[i].error = *error;
    }
}

static bool met_full_disk(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->requests[i].status == -ENOSPC || batch->requests[i].status == -EDQUOT)
            return true;
    return false;
}

static void get_versions(struct repo *repo, struct remote *remote, struct batch *batch,
                         struct attempt *attempt, unsigned *packs)
{
    struct error error = {0};
    int r;

    if (!remote) {
        error_no_memory(&error);
        fail_all(batch, &error);
        return;
    }
    r = repository_fetch(repo->repository, remote, batch->requests, batch->count, &attempt->watch,
                         packs, &error);
    if (r == -EIO) /* a damaged answer gets one more try; what has arrived is not asked for again */
        repository_fetch(repo->repository, remote, batch->requests, batch->count, &attempt->watch,
                         packs, &error);
    /* How large the pack is was not said: twice what has come, then more. */
    for (uint64_t times = 2; times <= ROOM_MOST_TIMES && met_full_disk(batch) &&
                             room_make(attempt->mount, times * attempt->bytes, NULL);
         times *= 2)
        repository_fetch(repo->repository, remote, batch->requests, batch->count, &attempt->watch,
                         packs, &error);
}

/* Before who waits is told: what was damaged, and is no more, may have had another size. */
static void correct_sizes(struct mount *mount, struct repo *repo, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->requests[i].again && batch->requests[i].status == 0) {
            sizes_correct(mount, repo);
            break;
        }
}

static void fetch_batch(struct mount *mount, struct repo *repo, struct remote *remote,
                        struct batch *batch)
{
    struct attempt attempt;
    struct error error = {0};
    int64_t started = clock_now();
    unsigned packs = 0;

    attempt_init(&attempt, mount);
    for (size_t i = 0; i < batch->count; i++)
        attempt_add(&attempt, &batch->versions[i]->work, repo, batch->versions[i]->name);
    if (attempt_begin(&attempt, &error) < 0) {
        fail_all(batch, &error);
        log_error(mount->log, "%s/%s: %s", repo->name, repo_version_label(batch->versions[0]),
                  error.text);
        return;
    }
    get_versions(repo, remote, batch, &attempt, &packs);
    attempt_end(&attempt);
    int64_t milliseconds = clock_now() - started;
    state_count_fetch(mount->state, milliseconds);
    atomic_fetch_add(&mount->state->fetches, packs);
    atomic_fetch_add(&mount->state->bytes_fetched, attempt.bytes);
    correct_sizes(mount, repo, batch);
    room_fetched(mount, attempt.bytes);
    const struct error *failure = report(mount, repo, batch, attempt.bytes, milliseconds);
    if (failure)
        log_failure(mount, repo_failed(repo, failure), repo->name, failure);
    else
        log_success(mount, repo);
}

/* Out of memory: whatever is queued fails, so that nobody waits for it and it can be asked for
 * again. */
static void fail_queued(struct mount *mount, struct repo *repo)
{
    struct error error;

    error_no_memory(&error);
    log_error(mount->log, "%s: %s", repo->name, error.text);
    pthread_mutex_lock(&repo->lock);
    repo->fetch_queued = false;
    for (struct repo_version *v = repo->versions; v; v = v->next) {
        if (!v->queued)
            continue;
        v->queued = v->newest = v->again = false;
        if (v->state != VERSION_READY) {
            error_keep(&v->error, &error);
            v->state = VERSION_FAILED;
            v->retry_at = clock_now() + FAILURE_KEPT;
        }
        atomic_store(&v->work.running, false);
    }
    struct repo_version *newest = repo->versions;
    pthread_mutex_unlock(&repo->lock);
    for (struct repo_version *v = newest; v; v = v->next)
        if (!atomic_load(&v->work.running))
            parked_wake(mount->parked, &v->work);
}

static void run_versions(struct mount *mount, struct repo *repo, struct remote *remote)
{
    struct batch *batch = calloc(1, sizeof *batch);

    if (!batch) {
        fail_queued(mount, repo);
        return;
    }
    take_batch(mount, repo, batch);
    if (batch->count > 0)
        fetch_batch(mount, repo, remote, batch);
    for (size_t i = 0; i < batch->count; i++)
        finish_or_search(mount, batch->versions[i], &batch->requests[i]);
    publish_repo(mount, repo);
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->requests[i].needs_search)
            parked_wake(mount->parked, &batch->versions[i]->work);
    end_batch(mount, repo);
    free(batch);
}

/* What nobody has asked for yet. */
static void run_ahead(struct mount *mount, struct repo *repo, struct remote *remote)
{
    if (!readahead_take(mount, repo))
        return;
    run_versions(mount, repo, remote);
    readahead_ended(mount, repo);
}

bool refresh_run(void *data, void *subject, int kind, struct remote *remote)
{
    const struct mount *mount = data;

    if (mount->observer.fetch_begins)
        mount->observer.fetch_begins(mount->observer.data);
    if (kind == ASK_LISTING)
        run_listing(data, subject, remote);
    else if (kind == ASK_SEARCHES)
        searches_run(data, subject, remote);
    else if (kind == ASK_AHEAD)
        run_ahead(data, subject, remote);
    else if (kind == ASK_PLAN)
        readahead_plan(data);
    else
        run_versions(data, subject, remote);
    return true;
}
