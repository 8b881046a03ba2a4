#include "gitcache/fetch/receive.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "gitcache/fetch/history.h"
#include "gitcache/fetch/reception.h"
#include "gitcache/store/incoming.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/shallow.h"

static bool is_wanted(const struct job *job, const struct job *only)
{
    return !job->done && (!only || job == only) &&
           (job->target.state == RESOLVE_LISTED || job->target.state == RESOLVE_ID);
}

/* The wants of the jobs, each once; all history is asked for by its tips. NULL if out of memory. */
static struct oid *collect_wants(struct jobs *jobs, const struct job *only, size_t *count)
{
    const struct listing *listing;
    struct oid *wants;
    size_t n = 0;

    if (jobs->whole_history) {
        listing = repository_listing_get(jobs->repository);
        wants = listing ? history_tips(listing, false, count) : NULL;
        repository_listing_put(jobs->repository, listing);
        return wants;
    }
    wants = calloc(jobs->count, sizeof *wants);
    for (size_t i = 0; wants && i < jobs->count; i++) {
        size_t same = 0;

        if (!is_wanted(&jobs->items[i], only))
            continue;
        while (same < n && !oid_equal(&wants[same], &jobs->items[i].target.want))
            same++;
        if (same == n)
            wants[n++] = jobs->items[i].target.want;
    }
    *count = n;
    return wants;
}

/* Nothing that a server sends is believed: the object must be the one asked for, a commit, and
 * whole. */
static int check_job(struct jobs *jobs, struct incoming *incoming, struct job *job, struct error *e)
{
    const char *shown = repository_shown(jobs->repository);
    struct error inner = {0};
    struct version version;
    int r;

    if (jobs->whole_history && !incoming_has(incoming, &job->target.want))
        return error_set(e, ENOENT, "%s has no commit %s in the history of its branches", shown,
                         jobs_shown_name(job));
    r = incoming_check(incoming, &job->target.want, &version, &inner);
    if (r == 0 && !oid_equal(&version.commit, &job->target.commit))
        r = error_set(&inner, EIO, "it is not the commit that was listed");
    if (r == -ENOENT)
        return error_set(e, ENOENT, "%s of %s is not a version: %s", jobs_shown_name(job), shown,
                         inner.text);
    if (r == -EIO)
        return error_set(e, EIO, "%s sent %s damaged: %s", shown, jobs_shown_name(job), inner.text);
    if (r < 0) /* nothing is known of it */
        return error_set(e, inner.errnum, "%s of %s cannot be checked: %s", jobs_shown_name(job),
                         shown, inner.text);
    job->tree = version.tree;
    job->time = version.time;
    return 0;
}

static int write_shallow(struct jobs *jobs, const struct job *only, struct error *e)
{
    struct oid *commits = calloc(jobs->count, sizeof *commits);
    size_t n = 0;
    int r;

    if (!commits)
        return error_no_memory(e);
    for (size_t i = 0; i < jobs->count; i++)
        if (is_wanted(&jobs->items[i], only))
            commits[n++] = jobs->items[i].target.commit;
    r = shallow_add(jobs->repository, commits, n, e);
    free(commits);
    return r;
}

static void pin_job(struct jobs *jobs, struct job *job)
{
    struct version *version = &job->request->version;
    struct error e = {0};
    int r;

    version->kind = job->target.kind;
    version->commit = job->target.commit;
    version->tree = job->tree;
    version->time = job->time;
    r = pins_write(jobs->repository, job->target.ref, &job->target.want, version, &e);
    jobs_finish_one(job, r, &e);
}

static int receive_into(struct jobs *jobs, struct incoming *incoming, const struct job *only,
                        struct error *e)
{
    struct fetch_command_request request = {.depth = jobs->whole_history ? 0 : 1,
                                            .lines = jobs->watch && jobs->watch->lines};
    struct oid *wants = collect_wants(jobs, only, &request.count);
    int r = wants ? 0 : error_no_memory(e);

    request.wants = wants;
    for (size_t i = 0; i < jobs->count && !jobs->whole_history; i++)
        request.by_id |=
            is_wanted(&jobs->items[i], only) && jobs->items[i].target.state == RESOLVE_ID;
    if (r == 0)
        r = reception_run(incoming, jobs->remote, &request, jobs->watch, e);
    free(wants);
    if (r < 0)
        return r;
    jobs->packs++;
    for (size_t i = 0; i < jobs->count && r == 0; i++)
        if (is_wanted(&jobs->items[i], only))
            r = check_job(jobs, incoming, &jobs->items[i], e);
    if (r == 0 && jobs->watch && jobs->watch->checked)
        jobs->watch->checked(jobs->watch->data);
    return r;
}

static int keep(struct jobs *jobs, struct incoming *incoming, const struct job *only,
                struct error *e)
{
    int r = incoming_publish(incoming, e);

    if (r == 0)
        r = write_shallow(jobs, only, e);
    for (size_t i = 0; i < jobs->count && r == 0; i++)
        if (is_wanted(&jobs->items[i], only))
            pin_job(jobs, &jobs->items[i]);
    return r;
}

static int keep_locked(struct jobs *jobs, struct incoming *incoming, const struct job *only,
                       struct error *e)
{
    int lock = repository_lock(jobs->repository, jobs->watch, e), r;

    if (lock < 0)
        return lock;
    r = keep(jobs, incoming, only, e);
    close(lock);
    return r;
}

/* Fetches, checks and pins one job, or all that are left; `only` is one of them, or NULL. */
static int receive(struct jobs *jobs, struct job *only, struct error *e)
{
    struct incoming incoming;
    int r = jobs->whole_history ? incoming_open_beside(&incoming, jobs->repository, e)
                                : incoming_open(&incoming, jobs->repository, e);

    if (r < 0)
        return r;
    r = receive_into(jobs, &incoming, only, e);
    if (r == 0)
        r = jobs->whole_history ? keep_locked(jobs, &incoming, only, e)
                                : keep(jobs, &incoming, only, e);
    incoming_close(&incoming);
    return r;
}

/* A failure that may be one version's fault, or may not come again. */
static bool is_worth_another_try(int r)
{
    return r == -ENOENT || r == -EIO;
}

/* One job by itself. An id that the server does not give becomes a search. */
static void receive_single(struct jobs *jobs, struct job *job)
{
    struct error e = {0};
    int r = receive(jobs, job, &e);

    if (r == -ENOENT && job->target.state == RESOLVE_ID && !jobs->whole_history) {
        job->refused = true;
        job->target.state = RESOLVE_DIGITS;
    } else if (r < 0) {
        jobs_finish_one(job, r, &e);
    }
}

void receive_jobs(struct jobs *jobs)
{
    struct error e = {0};
    int r;

    if (!jobs_want_something(jobs))
        return;
    r = receive(jobs, NULL, &e);
    if (r == -ENOENT && !jobs->listed && jobs_have(jobs, RESOLVE_LISTED)) {
        /* The remote has changed since it was listed. */
        if (jobs_list(jobs) < 0 || !jobs_want_something(jobs))
            return;
        r = receive(jobs, NULL, &e);
    }
    if (r < 0 && !is_worth_another_try(r))
        jobs_finish(jobs, r, &e);
    for (size_t i = 0; i < jobs->count && r; i++)
        if (is_wanted(&jobs->items[i], &jobs->items[i]))
            receive_single(jobs, &jobs->items[i]);
}

void receive_with_history(struct jobs *jobs)
{
    if (!jobs_have(jobs, RESOLVE_DIGITS))
        return;
    for (size_t i = 0; i < jobs->count; i++)
        if (!jobs->items[i].done && jobs->items[i].target.state == RESOLVE_DIGITS)
            jobs->items[i].target.state = RESOLVE_ID;
    jobs->whole_history = true;
    receive_jobs(jobs);
}
