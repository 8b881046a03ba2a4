/* repository_fetch.c - makes versions present.
 *
 *     1. What the cache has is answered at once: no lock, no network.
 *     2. The rest is resolved with the listing that is known; the remote is asked for a new one if
 *        there is none, or it lacks a name, or the newest is wanted.
 *     3. With the repository's lock in hand, look again: another process may have fetched.
 *     4. All that is left comes in one pack. If that fails for a reason that may be one version's
 *        alone, each comes in a pack of its own: one bad version spoils no other.
 *     5. Commit ids that the listing does not show, and the server does not give, are looked for
 *        in its history.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/fetch/jobs.h"
#include "gitcache/fetch/repair.h"

#define LOCK_FILE "startpointfs-lock"

void job_finish(struct job *job, int status, const struct error *e)
{
    job->done = true;
    job->request->status = status;
    if (e)
        job->request->error = *e;
}

void jobs_finish(struct fetch *fetch, int status, const struct error *e)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (!fetch->jobs[i].done)
            job_finish(&fetch->jobs[i], status, e);
}

static size_t jobs_left(const struct fetch *fetch)
{
    size_t left = 0;

    for (size_t i = 0; i < fetch->count; i++)
        left += !fetch->jobs[i].done;
    return left;
}

/* A branch whose newest commit is wanted is answered only by a commit that the listing shows. */
static bool is_current(const struct job *job, const struct version *version)
{
    if (!job->request->newest || version->kind == VERSION_TAG)
        return true;
    return job->target.state == TARGET_LISTED && oid_equal(&job->target.commit, &version->commit);
}

static void answer_from_cache(struct fetch *fetch, bool again_too)
{
    for (size_t i = 0; i < fetch->count; i++) {
        struct job *job = &fetch->jobs[i];
        struct version_request *request = job->request;

        if (job->done || (request->again && !again_too))
            continue;
        if (repository_find(fetch->repository, request->name, request->commit, &request->version,
                            NULL) == 0 &&
            is_current(job, &request->version))
            job_finish(job, 0, NULL);
    }
}

/* A pinned tag never moves. Who wants the commit that the tag is at now gets that by its id. */
static int keep_pinned_tag(struct fetch *fetch, struct target *target, struct error *e)
{
    const struct oid commit = target->commit;
    struct version pinned;

    if (target->state != TARGET_LISTED || target->kind != VERSION_TAG ||
        !pins_find(fetch->repository, target->ref, &pinned) || oid_equal(&pinned.commit, &commit))
        return 0;
    return target_set_commit(target, &commit, e);
}

static int resolve_job(struct fetch *fetch, struct job *job, const struct listing *listing,
                       struct error *e)
{
    int r = target_resolve(&job->target, job->request, listing, fetch->repository->shown, e);

    if (!r)
        r = keep_pinned_tag(fetch, &job->target, e);
    if (!r && job->refused && job->target.state == TARGET_ID)
        job->target.state = TARGET_DIGITS;
    return r;
}

static void resolve_all(struct fetch *fetch)
{
    const struct listing *listing = repository_listing_get(fetch->repository);
    struct error e = {0};

    for (size_t i = 0; i < fetch->count; i++) {
        struct job *job = &fetch->jobs[i];
        int r = job->done ? 0 : resolve_job(fetch, job, listing, &e);

        if (r)
            job_finish(job, r, &e);
    }
    repository_listing_put(fetch->repository, listing);
}

int jobs_list(struct fetch *fetch)
{
    struct error e = {0};
    int r = repository_list(fetch->repository, fetch->remote, fetch->watch, &e);

    if (r) {
        jobs_finish(fetch, r, &e);
        return r;
    }
    fetch->listed = true;
    resolve_all(fetch);
    return 0;
}

static bool needs_listing(const struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->count; i++) {
        const struct job *job = &fetch->jobs[i];

        if (!job->done && (job->request->newest || job->target.state == TARGET_NONE ||
                           job->target.state == TARGET_DIGITS))
            return true;
    }
    return false;
}

static int resolve(struct fetch *fetch)
{
    struct error e = {0};
    int r;

    resolve_all(fetch);
    if (needs_listing(fetch)) {
        r = jobs_list(fetch);
        if (r)
            return r;
    }
    for (size_t i = 0; i < fetch->count; i++) {
        struct job *job = &fetch->jobs[i];

        if (job->done || job->target.state != TARGET_NONE)
            continue;
        if (job->request->name)
            error_set(&e, ENOENT, "%s has no tag, branch or commit %s", fetch->repository->shown,
                      job->request->name);
        else
            error_set(&e, ENOENT,
                      "%s has no default branch: neither master, main nor what HEAD "
                      "names; name a tag with ?tag=",
                      fetch->repository->shown);
        job_finish(job, -ENOENT, &e);
    }
    return 0;
}

bool jobs_have(const struct fetch *fetch, enum target_state state)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (!fetch->jobs[i].done && fetch->jobs[i].target.state == state)
            return true;
    return false;
}

static void fetch_left(struct fetch *fetch)
{
    jobs_receive(fetch);
    if (jobs_have(fetch, TARGET_DIGITS) && (fetch->listed || jobs_list(fetch) == 0))
        jobs_search(fetch);
}

static bool wants_again(const struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (!fetch->jobs[i].done && fetch->jobs[i].request->again)
            return true;
    return false;
}

/* With the repository's lock in hand. */
static void fetch_locked(struct fetch *fetch)
{
    struct error e = {0};
    int r = 0;

    if (wants_again(fetch))
        r = repair(fetch->repository, fetch->remote, fetch->watch, &fetch->packs, &e);
    answer_from_cache(fetch, r == 0);
    if (r)
        for (size_t i = 0; i < fetch->count; i++)
            if (!fetch->jobs[i].done && fetch->jobs[i].request->again)
                job_finish(&fetch->jobs[i], r, &e);
    fetch_left(fetch);
}

static int take_lock(struct fetch *fetch, struct error *e)
{
    char *path;
    int fd = repository_make(fetch->repository, e);

    if (fd)
        return fd;
    path = disk_path(fetch->repository->folder, LOCK_FILE);
    if (!path)
        return error_no_memory(e);
    fd = disk_lock(path, fetch->watch, e);
    free(path);
    return fd;
}

static void fetch_all(struct fetch *fetch)
{
    struct repository *repository = fetch->repository;
    struct error e = {0};
    int lock;

    answer_from_cache(fetch, false);
    if (!jobs_left(fetch))
        return;
    if (cache_is_read_only(repository->cache)) {
        lock = error_set(&e, EROFS,
                         "the cache %s is read-only and lacks a version of %s; fetch it "
                         "with a cache that can be written",
                         cache_folder(repository->cache), repository->shown);
        jobs_finish(fetch, lock, &e);
        return;
    }
    if (resolve(fetch))
        return;
    answer_from_cache(fetch, false);
    if (!jobs_left(fetch))
        return;
    lock = take_lock(fetch, &e);
    if (lock < 0) {
        jobs_finish(fetch, lock, &e);
        return;
    }
    disk_remove_leftovers(repository->folder, "startpointfs-listing.");
    disk_remove_leftovers(repository->folder, "shallow.");
    fetch_locked(fetch);
    close(lock);
}

int repository_fetch(struct repository *repository, struct remote *remote,
                     struct version_request *requests, size_t count, const struct watch *watch,
                     unsigned *fetched, struct error *e)
{
    struct fetch fetch = {
        .repository = repository,
        .remote = remote,
        .watch = watch,
        .jobs = calloc(count + 1, sizeof *fetch.jobs),
        .count = count,
    };
    int r = 0;

    if (!fetch.jobs)
        return error_no_memory(e);
    for (size_t i = 0; i < count; i++)
        fetch.jobs[i].request = &requests[i];
    fetch_all(&fetch);
    for (size_t i = 0; i < count; i++) {
        if (requests[i].status && !r) {
            r = requests[i].status;
            error_set(e, requests[i].error.errnum, "%s", requests[i].error.text);
        }
        target_release(&fetch.jobs[i].target);
    }
    if (fetched)
        *fetched = fetch.packs;
    free(fetch.jobs);
    return r;
}
