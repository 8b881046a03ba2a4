/* jobs.h - versions on their way into the cache: what repository_fetch.c and receive.c share.
 * Private to gitcache/. */
#ifndef GITCACHE_FETCH_JOBS_H
#define GITCACHE_FETCH_JOBS_H

#include "gitcache/fetch/resolve.h"
#include "gitcache/store/repository.h"

/* A request on its way. */
struct job {
    struct version_request *request;
    struct target target;
    struct oid tree; /* of what was received */
    int64_t time;
    bool refused; /* the server did not give the commit by its id */
    bool done;    /* request->status is final */
};

struct fetch {
    struct repository *repository;
    struct remote *remote;
    const struct watch *watch;
    struct job *jobs;
    size_t count;
    bool listed;        /* the listing is this call's own */
    bool whole_history; /* of what is fetched now */
    unsigned packs;
};

static inline const char *job_shown_name(const struct job *job)
{
    return job->request->name ? job->request->name : "the default branch";
}

/* Sets a job's final status; e may be NULL if that is 0. */
void job_finish(struct job *job, int status, const struct error *e);
/* The same for all that have none. */
void jobs_finish(struct fetch *fetch, int status, const struct error *e);
/* True if a job is left whose target is in that state. */
bool jobs_have(const struct fetch *fetch, enum target_state state);

/* Asks the remote for a new listing and resolves all jobs with it. On failure all are finished. */
int jobs_list(struct fetch *fetch);

/* Fetches, checks and pins all jobs that have an object to ask for: in one pack, or if that fails
 * for a reason that may be one version's alone, each in a pack of its own. Those are finished then;
 * but commits that the server does not give by their ids become TARGET_DIGITS. The caller has the
 * repository's lock. */
void jobs_receive(struct fetch *fetch);

/* Looks for the jobs' TARGET_DIGITS in the remote's history, and fetches what is found. */
void jobs_search(struct fetch *fetch);

#endif
