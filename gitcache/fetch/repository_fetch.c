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
#include "gitcache/store/last_read.h"
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

/* What is there, but damaged, is fetched again; unless that has been done. */
static void answer(struct jobs *jobs, struct job *job, bool repaired)
{
    struct version_request *request = job->request;
    struct error e = {0};
    int r = versions_find(jobs->repository, request->name, request->commit, &request->version, &e);

    if (r == 0 && is_current(job, &request->version))
        jobs_finish_one(job, 0, NULL);
    else if (r == -EIO && !repaired)
        job->again = true;
    else if (r < 0 && r != -ENOENT)
        jobs_finish_one(job, r, &e);
}

/* What cannot be read may have been removed, and memory alone knows of it: it is told now, and the version is
 * one to fetch and none to repair. */
static void forget_removed(struct jobs *jobs)
{
    struct version version;

    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->items[i];
        const struct version_request *request = job->request;

        int r = job->again ? versions_find(jobs->repository, request->name, request->commit,
                                           &version, NULL)
                           : 0;

        if (job->again && r == 0)
            r = last_read_now(jobs->repository, &version);
        if (r == -ENOENT)
            job->again = false;
    }
}

static void answer_from_cache(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (!jobs->items[i].done && !jobs->items[i].again)
            answer(jobs, &jobs->items[i], false);
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
    jobs_resolve(jobs);
    return needs_listing(jobs) ? jobs_list(jobs) : 0;
}

static void leave_searches(struct jobs *jobs)
{
    struct error e = {0};

    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->items[i];

        if (job->done || job->target.state != RESOLVE_DIGITS ||
            job->request->unlisted != UNLISTED_LEAVE)
            continue;
        job->request->needs_search = true;
        error_set(&e, ENOENT, "%s neither lists nor gives the commit %s",
                  repository_shown(jobs->repository),
                  job->request->commit ? job->request->commit : job->request->name);
        jobs_finish_one(job, -ENOENT, &e);
    }
}

static bool wants_again(const struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (!jobs->items[i].done && jobs->items[i].again)
            return true;
    return false;
}

static int lock(struct jobs *jobs, struct error *e)
{
    const char *folder = repository_folder(jobs->repository);
    int fd = repository_lock(jobs->repository, jobs->watch, e);

    if (fd < 0)
        return fd;
    disk_remove_leftovers(folder, "startpointfs-listing.");
    disk_remove_leftovers(folder, "startpointfs-pins.");
    disk_remove_leftovers(folder, "shallow.");
    return fd;
}

/* That something is damaged is what its reader has to know, whatever keeps it from being mended. */
static int cannot_repair(const struct jobs *jobs, int r, struct error *e)
{
    struct error why = *e;

    if (r == -ENOMEM || r == -ENOSPC || r == -EDQUOT || r == -ECANCELED || r == -EMFILE)
        return r;
    return error_set(e, EIO, "%s is damaged in the cache %s, and was not repaired: %s",
                     repository_shown(jobs->repository), repository_folder(jobs->repository),
                     why.text);
}

/* Jobs of what is damaged: mended, or finished with what keeps them from it. */
static void repair_all(struct jobs *jobs)
{
    struct error e = {0};
    int fd = lock(jobs, &e), r = fd < 0 ? fd : 0;

    if (r == 0) {
        r = repair_run(jobs->repository, jobs->remote, jobs->watch, &jobs->packs, &e);
        close(fd);
    }
    if (r < 0)
        r = cannot_repair(jobs, r, &e);
    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->items[i];

        if (job->done || !job->again)
            continue;
        job->again = false;
        if (r < 0)
            jobs_finish_one(job, r, &e);
        else
            answer(jobs, job, true);
    }
}

static void refuse_all(struct jobs *jobs)
{
    struct repository *repository = jobs->repository;
    const char *cache = cache_folder(repository_cache(repository));

    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->items[i];
        struct error e = {0};
        int r;

        if (job->done)
            continue;
        if (job->again)
            r = error_set(&e, EIO,
                          "%s of %s is damaged in the cache %s, which is read-only: it cannot be "
                          "repaired here",
                          jobs_shown_name(job), repository_shown(repository), cache);
        else
            r = error_set(&e, EROFS,
                          "the cache %s is read-only and lacks a version of %s; fetch it "
                          "with a cache that can be written",
                          cache, repository_shown(repository));
        jobs_finish_one(job, r, &e);
    }
}

/* With the repository's lock. */
static void receive_locked(struct jobs *jobs)
{
    struct error e = {0};
    int fd;

    if (!jobs_want_something(jobs))
        return;
    fd = lock(jobs, &e);
    if (fd < 0) {
        jobs_finish(jobs, fd, &e);
        return;
    }
    answer_from_cache(jobs);
    receive_jobs(jobs);
    close(fd);
}

/* Commits that are not given by what is known of them. Nobody waits for the lock while a history comes. */
static void fetch_unlisted(struct jobs *jobs)
{
    if (!jobs->listed && jobs_list(jobs) < 0)
        return;
    search_jobs(jobs);
    receive_locked(jobs);
    receive_with_history(jobs);
}

static void fetch_all(struct jobs *jobs)
{
    struct repository *repository = jobs->repository;

    forget_removed(jobs);
    answer_from_cache(jobs);
    pins_mend_if_wanted(repository);
    if (cache_is_read_only(repository_cache(repository)))
        refuse_all(jobs);
    if (wants_again(jobs))
        repair_all(jobs);
    if (!jobs_left(jobs) || resolve(jobs) < 0)
        return;
    answer_from_cache(jobs);
    if (!jobs_left(jobs))
        return;
    receive_locked(jobs);
    leave_searches(jobs);
    if (jobs_have(jobs, RESOLVE_DIGITS))
        fetch_unlisted(jobs);
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
        jobs.items[i].refused = requests[i].unlisted == UNLISTED_WITH_HISTORY;
    }
    fetch_all(&jobs);
    error_set(&unanswered, EIO, "%s was asked without success", repository_shown(repository));
    jobs_finish(&jobs, -EIO, &unanswered);
    for (size_t i = 0; i < count; i++) {
        if (requests[i].status && r == 0) {
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
