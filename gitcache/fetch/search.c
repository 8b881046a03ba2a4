#include "gitcache/fetch/search.h"

#include <errno.h>
#include <stdlib.h>

#include "gitcache/fetch/history.h"

/* Names the digits that are looked for: the request's name, or the commit it must be. */
static const char *digits_of(const struct job *job)
{
    return job->request->commit ? job->request->commit : job->request->name;
}

static void take_found(struct jobs *jobs, struct job *job, const struct history_search *search)
{
    struct error e = {0};
    int r = 0;

    if (search->found == 1) {
        job->target.state = RESOLVE_ID;
        r = resolve_to_commit(&job->target, &search->commit, &e);
    } else if (search->found > 1) {
        r = error_set(&e, ENOENT,
                      "%s is ambiguous: %u commits of %s begin with it; write more digits",
                      search->digits, search->found, repository_shown(jobs->repository));
    } else if (job->request->commit && job->request->name) {
        r = error_set(&e, ENOENT, "%s of %s is not the commit %s, which the remote does not have",
                      job->request->name, repository_shown(jobs->repository), search->digits);
    } else {
        r = error_set(&e, ENOENT, "%s has no commit %s in the history of its branches and tags",
                      repository_shown(jobs->repository), search->digits);
    }
    if (r < 0)
        jobs_finish_one(job, r, &e);
}

/* Whether a job's commit has to be looked for. */
static bool is_sought(const struct job *job)
{
    return !job->done && job->target.state == RESOLVE_DIGITS &&
           job->request->unlisted == UNLISTED_SEARCH;
}

void search_jobs(struct jobs *jobs)
{
    struct history_search *searches = calloc(jobs->count, sizeof *searches);
    const struct listing *listing = repository_listing_get(jobs->repository);
    static const struct commit_search_bounds unbounded = {false, 0};
    struct error e = {0};
    size_t n = 0;
    int r = 0;

    for (size_t i = 0; searches && i < jobs->count; i++)
        if (is_sought(&jobs->items[i]))
            searches[n++].digits = digits_of(&jobs->items[i]);
    if (!searches || !listing)
        r = error_no_memory(&e);
    else if (n)
        r = history_find(jobs->repository, jobs->remote, listing, searches, n, &unbounded,
                         jobs->watch, &jobs->packs, &e);
    repository_listing_put(jobs->repository, listing);
    n = 0;
    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->items[i];

        if (!is_sought(job))
            continue;
        if (r < 0)
            jobs_finish_one(job, r, &e);
        else
            take_found(jobs, job, &searches[n++]);
    }
    free(searches);
}
