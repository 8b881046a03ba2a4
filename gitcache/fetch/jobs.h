/* jobs.h - the requests of one repository_fetch on their way into the cache. Private to
 * gitcache/fetch/. */
#ifndef GITCACHE_FETCH_JOBS_H
#define GITCACHE_FETCH_JOBS_H

#include "gitcache/fetch/resolve.h"
#include "gitcache/net/remote.h"
#include "gitcache/store/repository.h"

/* A request on its way. */
struct job {
    struct version_request *request;
    struct resolved target;
    struct oid tree; /* of what was received */
    int64_t time;
    bool refused; /* the server did not give the commit by its id */
    bool again;   /* what the cache has of it is damaged */
    bool done;    /* request->status is final */
};

/* One call of repository_fetch. */
struct jobs {
    struct repository *repository;
    struct remote *remote;
    const struct watch *watch;
    struct job *items;
    size_t count;
    bool listed;        /* the listing is this call's own */
    bool whole_history; /* of what is fetched now */
    unsigned packs;
};

static inline const char *jobs_shown_name(const struct job *job)
{
    return job->request->name ? job->request->name : "the default branch";
}

/* Sets a job's final status; e may be NULL if that is 0. */
void jobs_finish_one(struct job *job, int status, const struct error *e);
/* The same for all that have none. */
void jobs_finish(struct jobs *jobs, int status, const struct error *e);
/* True if a job is left whose target is in that state. */
bool jobs_have(const struct jobs *jobs, enum resolve_state state);
/* True if a job is left that the remote can be asked for: a server that is asked for nothing says nothing. */
bool jobs_want_something(const struct jobs *jobs);

/* Resolves all jobs that are not done with the listing that is known. */
void jobs_resolve(struct jobs *jobs);

/* Asks the remote for a new listing and resolves all jobs with it; those of what it does not have are finished with
 * ENOENT. On failure all are finished. */
int jobs_list(struct jobs *jobs);

#endif
