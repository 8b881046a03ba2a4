#include "gitcache/fetch/jobs.h"

#include <errno.h>

#include "gitcache/fetch/list_refs.h"
#include "gitcache/store/pins.h"

void jobs_finish_one(struct job *job, int status, const struct error *e)
{
    job->done = true;
    job->request->status = status;
    if (e)
        job->request->error = *e;
}

void jobs_finish(struct jobs *jobs, int status, const struct error *e)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (!jobs->items[i].done)
            jobs_finish_one(&jobs->items[i], status, e);
}

bool jobs_have(const struct jobs *jobs, enum resolve_state state)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (!jobs->items[i].done && jobs->items[i].target.state == state)
            return true;
    return false;
}

bool jobs_want_something(const struct jobs *jobs)
{
    return jobs_have(jobs, RESOLVE_LISTED) || jobs_have(jobs, RESOLVE_ID);
}

/* A pinned tag never moves. Who wants the commit that the tag is at now gets that by its id. */
static int keep_pinned_tag(struct jobs *jobs, struct resolved *target, struct error *e)
{
    const struct oid commit = target->commit;
    struct version pinned;
    int r;

    if (target->state != RESOLVE_LISTED || target->kind != VERSION_TAG)
        return 0;
    r = pins_find(jobs->repository, target->ref, &pinned, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return oid_equal(&pinned.commit, &commit) ? 0 : resolve_to_commit(target, &commit, e);
}

static int resolve_job(struct jobs *jobs, struct job *job, const struct listing *listing,
                       struct error *e)
{
    int r =
        resolve_request(&job->target, job->request, listing, repository_shown(jobs->repository), e);

    if (r == 0)
        r = keep_pinned_tag(jobs, &job->target, e);
    if (r == 0 && job->refused && job->target.state == RESOLVE_ID)
        job->target.state = RESOLVE_DIGITS;
    return r;
}

void jobs_resolve(struct jobs *jobs)
{
    const struct listing *listing = repository_listing_get(jobs->repository);
    /* What is pinned for good must be what the remote has said. */
    const struct listing *proven = listing && !listing->unproven ? listing : NULL;
    struct error e = {0};

    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->items[i];
        int r = job->done ? 0 : resolve_job(jobs, job, proven, &e);

        if (r < 0)
            jobs_finish_one(job, r, &e);
    }
    repository_listing_put(jobs->repository, listing);
}

/* What neither the listing nor an id tells. */
static void finish_missing(struct jobs *jobs)
{
    const char *shown = repository_shown(jobs->repository);
    struct error e = {0};

    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->items[i];

        if (job->done || job->target.state != RESOLVE_NONE)
            continue;
        if (job->request->name)
            error_set(&e, ENOENT, "%s has no tag, branch or commit %s", shown, job->request->name);
        else
            error_set(&e, ENOENT,
                      "%s has no default branch: neither master, main nor what HEAD "
                      "names; name a tag with ?tag=",
                      shown);
        jobs_finish_one(job, -ENOENT, &e);
    }
}

int jobs_list(struct jobs *jobs)
{
    struct error e = {0};
    int r = list_refs(jobs->repository, jobs->remote, jobs->watch, &e);

    if (r < 0) {
        jobs_finish(jobs, r, &e);
        return r;
    }
    jobs->listed = true;
    jobs_resolve(jobs);
    finish_missing(jobs);
    return 0;
}
