#include "gitcache/fetch/jobs.h"

#include <errno.h>

#include "gitcache/fetch/list_refs.h"
#include "gitcache/store/pins.h"

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

bool jobs_have(const struct fetch *fetch, enum target_state state)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (!fetch->jobs[i].done && fetch->jobs[i].target.state == state)
            return true;
    return false;
}

/* A pinned tag never moves. Who wants the commit that the tag is at now gets that by its id. */
static int keep_pinned_tag(struct fetch *fetch, struct target *target, struct error *e)
{
    const struct oid commit = target->commit;
    struct version pinned;
    int r;

    if (target->state != TARGET_LISTED || target->kind != VERSION_TAG)
        return 0;
    r = pins_find(fetch->repository, target->ref, &pinned, e);
    if (r == -ENOMEM)
        return r;
    /* A pin that is damaged holds nobody: what is listed may replace it. */
    return r < 0 || oid_equal(&pinned.commit, &commit) ? 0 : target_set_commit(target, &commit, e);
}

static int resolve_job(struct fetch *fetch, struct job *job, const struct listing *listing,
                       struct error *e)
{
    int r =
        target_resolve(&job->target, job->request, listing, repository_shown(fetch->repository), e);

    if (!r)
        r = keep_pinned_tag(fetch, &job->target, e);
    if (!r && job->refused && job->target.state == TARGET_ID)
        job->target.state = TARGET_DIGITS;
    return r;
}

void jobs_resolve(struct fetch *fetch)
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
    int r = list_refs(fetch->repository, fetch->remote, fetch->watch, &e);

    if (r) {
        jobs_finish(fetch, r, &e);
        return r;
    }
    fetch->listed = true;
    jobs_resolve(fetch);
    return 0;
}
