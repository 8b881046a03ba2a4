#include "gitcache/fetch/repository_fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/fetch/jobs.h"
#include "gitcache/fetch/list_refs.h"
#include "gitcache/fetch/receive.h"
#include "gitcache/fetch/repair.h"
#include "gitcache/fetch/search.h"
#include "gitcache/store/pins.h"

static size_t jobs_left(const struct jobs *jobs)
{
    size_t left = 0;

    for (size_t i = 0; i < jobs->count; i++)
        left += !jobs->items[i].done;
    return left;
}

/* A branch whose newest commit is wanted is answered only by a commit that the listing shows. */
static bool is_current(const struct job *job, const struct version *version)
{
    if (!job->request->newest || version->kind == VERSION_TAG)
        return true;
    return job->target.state == RESOLVE_LISTED && oid_equal(&job->target.commit, &version->commit);
}

/* Out of memory is no reason to ask a remote. What is damaged is one to check all that there is. */
static void answer_job(struct jobs *jobs, struct job *job)
{
    struct version_request *request = job->request;
    struct error e = {0};
    int r = versions_find(jobs->repository, request->name, request->commit, &request->version, &e);

    if (r == 0 && is_current(job, &request->version))
        jobs_finish_one(job, 0, NULL);
    else if (r == -EIO)
        job->again = true;
    else if (r < 0 && r != -ENOENT)
        jobs_finish_one(job, r, &e);
}

static void answer_from_cache(struct jobs *jobs, bool again_too)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (!jobs->items[i].done && (!jobs->items[i].again || again_too))
            answer_job(jobs, &jobs->items[i]);
}

static bool needs_listing(const struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        const struct job *job = &jobs->items[i];

        if (!job->done && (job->request->newest || job->target.state == RESOLVE_NONE ||
                           job->target.state == RESOLVE_DIGITS))
            return true;
    }
    return false;
}

static int resolve(struct jobs *jobs)
{
    struct error e = {0};
    int r;

    jobs_resolve(jobs);
    if (needs_listing(jobs)) {
        r = jobs_list(jobs);
        if (r)
            return r;
    }
    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->items[i];

        if (job->done || job->target.state != RESOLVE_NONE)
            continue;
        if (job->request->name)
            error_set(&e, ENOENT, "%s has no tag, branch or commit %s",
                      repository_shown(jobs->repository), job->request->name);
        else
            error_set(&e, ENOENT,
                      "%s has no default branch: neither master, main nor what HEAD "
                      "names; name a tag with ?tag=",
                      repository_shown(jobs->repository));
        jobs_finish_one(job, -ENOENT, &e);
    }
    return 0;
}

static void fetch_left(struct jobs *jobs)
{
    receive_jobs(jobs);
    if (jobs_have(jobs, RESOLVE_DIGITS) && (jobs->listed || jobs_list(jobs) == 0))
        search_jobs(jobs);
}

static bool wants_again(const struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (!jobs->items[i].done && jobs->items[i].again)
            return true;
    return false;
}

/* With the repository's lock in hand. */
static void fetch_locked(struct jobs *jobs)
{
    struct error e = {0};
    int r = 0;

    if (wants_again(jobs))
        r = repair_packs(jobs->repository, jobs->remote, jobs->watch, &jobs->packs, &e);
    answer_from_cache(jobs, r == 0);
    if (r)
        for (size_t i = 0; i < jobs->count; i++)
            if (!jobs->items[i].done && jobs->items[i].again)
                jobs_finish_one(&jobs->items[i], r, &e);
    fetch_left(jobs);
}

static void fetch_all(struct jobs *jobs)
{
    struct repository *repository = jobs->repository;
    struct error e = {0};
    int lock;

    answer_from_cache(jobs, false);
    if (!jobs_left(jobs))
        return;
    if (cache_is_read_only(repository_cache(repository))) {
        lock = error_set(&e, EROFS,
                         "the cache %s is read-only and lacks a version of %s; fetch it "
                         "with a cache that can be written",
                         cache_folder(repository_cache(repository)), repository_shown(repository));
        jobs_finish(jobs, lock, &e);
        return;
    }
    if (resolve(jobs))
        return;
    answer_from_cache(jobs, false);
    if (!jobs_left(jobs))
        return;
    lock = repository_lock(repository, jobs->watch, &e);
    if (lock < 0) {
        jobs_finish(jobs, lock, &e);
        return;
    }
    disk_remove_leftovers(repository_folder(repository), "startpointfs-listing.");
    disk_remove_leftovers(repository_folder(repository), "shallow.");
    fetch_locked(jobs);
    close(lock);
}

/* A status of 0 says that a version is there: no request may keep that by accident. */
static int fail_all(struct version_request *requests, size_t count, struct error *e)
{
    for (size_t i = 0; i < count; i++)
        requests[i].status = error_no_memory(&requests[i].error);
    return error_no_memory(e);
}

int repository_fetch(struct repository *repository, struct remote *remote,
                     struct version_request *requests, size_t count, const struct watch *watch,
                     unsigned *fetched, struct error *e)
{
    struct jobs jobs = {
        .repository = repository,
        .remote = remote,
        .watch = watch,
        .items = calloc(count + 1, sizeof *jobs.items),
        .count = count,
    };
    struct error unanswered;
    int r = 0;

    if (!jobs.items)
        return fail_all(requests, count, e);
    for (size_t i = 0; i < count; i++) {
        jobs.items[i].request = &requests[i];
        jobs.items[i].again = requests[i].again;
    }
    fetch_all(&jobs);
    error_set(&unanswered, EIO, "%s was asked in vain", repository_shown(repository));
    jobs_finish(&jobs, -EIO, &unanswered);
    for (size_t i = 0; i < count; i++) {
        if (requests[i].status && !r) {
            r = requests[i].status;
            error_set(e, requests[i].error.errnum, "%s", requests[i].error.text);
        }
        resolve_release(&jobs.items[i].target);
    }
    if (fetched)
        *fetched = jobs.packs;
    free(jobs.items);
    return r;
}
