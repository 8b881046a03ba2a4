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

/* Out of memory is no reason to ask a remote. What is damaged is one to check all that there is. */
static void answer_job(struct fetch *fetch, struct job *job)
{
    struct version_request *request = job->request;
    struct error e = {0};
    int r = versions_find(fetch->repository, request->name, request->commit, &request->version, &e);

    if (r == 0 && is_current(job, &request->version))
        job_finish(job, 0, NULL);
    else if (r == -EIO)
        job->again = true;
    else if (r < 0 && r != -ENOENT)
        job_finish(job, r, &e);
}

static void answer_from_cache(struct fetch *fetch, bool again_too)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (!fetch->jobs[i].done && (!fetch->jobs[i].again || again_too))
            answer_job(fetch, &fetch->jobs[i]);
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

    jobs_resolve(fetch);
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
            error_set(&e, ENOENT, "%s has no tag, branch or commit %s",
                      repository_shown(fetch->repository), job->request->name);
        else
            error_set(&e, ENOENT,
                      "%s has no default branch: neither master, main nor what HEAD "
                      "names; name a tag with ?tag=",
                      repository_shown(fetch->repository));
        job_finish(job, -ENOENT, &e);
    }
    return 0;
}

static void fetch_left(struct fetch *fetch)
{
    receive_jobs(fetch);
    if (jobs_have(fetch, TARGET_DIGITS) && (fetch->listed || jobs_list(fetch) == 0))
        search_jobs(fetch);
}

static bool wants_again(const struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (!fetch->jobs[i].done && fetch->jobs[i].again)
            return true;
    return false;
}

/* With the repository's lock in hand. */
static void fetch_locked(struct fetch *fetch)
{
    struct error e = {0};
    int r = 0;

    if (wants_again(fetch))
        r = repair_packs(fetch->repository, fetch->remote, fetch->watch, &fetch->packs, &e);
    answer_from_cache(fetch, r == 0);
    if (r)
        for (size_t i = 0; i < fetch->count; i++)
            if (!fetch->jobs[i].done && fetch->jobs[i].again)
                job_finish(&fetch->jobs[i], r, &e);
    fetch_left(fetch);
}

static void fetch_all(struct fetch *fetch)
{
    struct repository *repository = fetch->repository;
    struct error e = {0};
    int lock;

    answer_from_cache(fetch, false);
    if (!jobs_left(fetch))
        return;
    if (cache_is_read_only(repository_cache(repository))) {
        lock = error_set(&e, EROFS,
                         "the cache %s is read-only and lacks a version of %s; fetch it "
                         "with a cache that can be written",
                         cache_folder(repository_cache(repository)), repository_shown(repository));
        jobs_finish(fetch, lock, &e);
        return;
    }
    if (resolve(fetch))
        return;
    answer_from_cache(fetch, false);
    if (!jobs_left(fetch))
        return;
    lock = repository_lock(repository, fetch->watch, &e);
    if (lock < 0) {
        jobs_finish(fetch, lock, &e);
        return;
    }
    disk_remove_leftovers(repository_folder(repository), "startpointfs-listing.");
    disk_remove_leftovers(repository_folder(repository), "shallow.");
    fetch_locked(fetch);
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
    struct fetch fetch = {
        .repository = repository,
        .remote = remote,
        .watch = watch,
        .jobs = calloc(count + 1, sizeof *fetch.jobs),
        .count = count,
    };
    struct error unanswered;
    int r = 0;

    if (!fetch.jobs)
        return fail_all(requests, count, e);
    for (size_t i = 0; i < count; i++) {
        fetch.jobs[i].request = &requests[i];
        fetch.jobs[i].again = requests[i].again;
    }
    fetch_all(&fetch);
    error_set(&unanswered, EIO, "%s was asked in vain", repository_shown(repository));
    jobs_finish(&fetch, -EIO, &unanswered);
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
