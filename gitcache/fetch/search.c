#include "gitcache/fetch/search.h"

#include <errno.h>
#include <stdlib.h>

#include "gitcache/fetch/history.h"
#include "gitcache/fetch/receive.h"

/* Names the digits that are looked for: the request's name, or the commit it must be. */
static const char *digits_of(const struct job *job)
{
    return job->request->commit ? job->request->commit : job->request->name;
}

static void take_found(struct fetch *fetch, struct job *job, const struct history_search *search)
{
    struct error e = {0};
    int r = 0;

    if (search->found == 1) {
        job->target.state = TARGET_ID;
        r = target_set_commit(&job->target, &search->commit, &e);
    } else if (search->found > 1) {
        r = error_set(&e, ENOENT, "%s begins the ids of %u commits of %s; write more digits",
                      search->digits, search->found, repository_shown(fetch->repository));
    } else if (job->request->commit && job->request->name) {
        r = error_set(&e, ENOENT, "%s of %s is not the commit %s, which the remote does not have",
                      job->request->name, repository_shown(fetch->repository), search->digits);
    } else {
        r = error_set(&e, ENOENT, "%s has no commit %s in the history of its branches and tags",
                      repository_shown(fetch->repository), search->digits);
    }
    if (r)
        job_finish(job, r, &e);
}

static void search_history(struct fetch *fetch)
{
    struct history_search *searches = calloc(fetch->count, sizeof *searches);
    const struct listing *listing = repository_listing_get(fetch->repository);
    struct error e = {0};
    size_t n = 0;
    int r;

    for (size_t i = 0; searches && i < fetch->count; i++)
        if (!fetch->jobs[i].done && fetch->jobs[i].target.state == TARGET_DIGITS)
            searches[n++].digits = digits_of(&fetch->jobs[i]);
    r = searches && listing ? history_find(fetch->repository, fetch->remote, listing, searches, n,
                                           fetch->watch, &fetch->packs, &e)
                            : error_set(&e, ENOMEM, "out of memory");
    repository_listing_put(fetch->repository, listing);
    n = 0;
    for (size_t i = 0; i < fetch->count; i++) {
        struct job *job = &fetch->jobs[i];

        if (job->done || job->target.state != TARGET_DIGITS)
            continue;
        if (r)
            job_finish(job, r, &e);
        else
            take_found(fetch, job, &searches[n++]);
    }
    free(searches);
}

/* Commits that the server does not give by their ids, though they are in its history: they come
 * with all of it. */
static void receive_with_history(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (!fetch->jobs[i].done && fetch->jobs[i].target.state == TARGET_DIGITS)
            fetch->jobs[i].target.state = TARGET_ID;
    fetch->whole_history = true;
    receive_jobs(fetch);
}

void search_jobs(struct fetch *fetch)
{
    search_history(fetch);
    receive_jobs(fetch);
    if (jobs_have(fetch, TARGET_DIGITS))
        receive_with_history(fetch);
}
