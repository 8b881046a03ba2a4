#include "gitcache/fetch/receive.h"

#include <errno.h>
#include <stdlib.h>

#include "gitcache/fetch/history.h"
#include "gitcache/fetch/reception.h"
#include "gitcache/store/incoming.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/shallow.h"

static bool is_wanted(const struct job *job, const struct job *only)
{
    return !job->done && (!only || job == only) &&
           (job->target.state == TARGET_LISTED || job->target.state == TARGET_ID);
}

/* The wants of the jobs, each once; all history is asked for by its tips. NULL if out of memory. */
static struct oid *collect_wants(struct fetch *fetch, const struct job *only, size_t *count)
{
    const struct listing *listing;
    struct oid *wants;
    size_t n = 0;

    if (fetch->whole_history) {
        listing = repository_listing_get(fetch->repository);
        wants = listing ? history_tips(listing, false, count) : NULL;
        repository_listing_put(fetch->repository, listing);
        return wants;
    }
    wants = calloc(fetch->count, sizeof *wants);
    for (size_t i = 0; wants && i < fetch->count; i++) {
        size_t same = 0;

        if (!is_wanted(&fetch->jobs[i], only))
            continue;
        while (same < n && !oid_equal(&wants[same], &fetch->jobs[i].target.want))
            same++;
        if (same == n)
            wants[n++] = fetch->jobs[i].target.want;
    }
    *count = n;
    return wants;
}

/* Nothing that a server sends is believed: the object must be the one asked for, a commit, and
 * whole. */
static int check_job(struct fetch *fetch, struct incoming *incoming, struct job *job,
                     struct error *e)
{
    const char *shown = repository_shown(fetch->repository);
    struct error inner = {0};
    struct version version;
    int r = incoming_check(incoming, &job->target.want, &version, &inner);

    if (!r && !oid_equal(&version.commit, &job->target.commit))
        r = error_set(&inner, EIO, "it is another commit than the listing said");
    if (r == -ENOENT)
        return error_set(e, ENOENT, "%s of %s is no version: %s", job_shown_name(job), shown,
                         inner.text);
    if (r)
        return error_set(e, inner.errnum, "%s sent %s damaged: %s", shown, job_shown_name(job),
                         inner.text);
    job->tree = version.tree;
    job->time = version.time;
    return 0;
}

static int write_shallow(struct fetch *fetch, const struct job *only, struct error *e)
{
    struct oid *commits = calloc(fetch->count, sizeof *commits);
    size_t n = 0;
    int r;

    if (!commits)
        return error_no_memory(e);
    for (size_t i = 0; i < fetch->count; i++)
        if (is_wanted(&fetch->jobs[i], only))
            commits[n++] = fetch->jobs[i].target.commit;
    r = shallow_add(fetch->repository, commits, n, e);
    free(commits);
    return r;
}

static void pin_job(struct fetch *fetch, struct job *job)
{
    struct version *version = &job->request->version;
    struct error e = {0};
    int r;

    version->kind = job->target.kind;
    version->commit = job->target.commit;
    version->tree = job->tree;
    version->time = job->time;
    r = pins_write(fetch->repository, job->target.ref, &job->target.want, version, &e);
    job_finish(job, r, &e);
}

static int receive_into(struct fetch *fetch, struct incoming *incoming, const struct job *only,
                        struct error *e)
{
    struct fetch_command_request request = {.depth = fetch->whole_history ? 0 : 1,
                                            .lines = fetch->watch && fetch->watch->lines};
    struct oid *wants = collect_wants(fetch, only, &request.count);
    int r = wants ? 0 : error_no_memory(e);

    request.wants = wants;
    if (!r)
        r = reception_run(incoming, fetch->remote, &request, fetch->watch, e);
    free(wants);
    if (r)
        return r;
    fetch->packs++;
    for (size_t i = 0; i < fetch->count && !r; i++)
        if (is_wanted(&fetch->jobs[i], only))
            r = check_job(fetch, incoming, &fetch->jobs[i], e);
    if (!r && fetch->watch && fetch->watch->checked)
        fetch->watch->checked(fetch->watch->data);
    return r;
}

/* Fetches, checks and pins one job, or all that are left; `only` is one of them, or NULL. */
static int receive(struct fetch *fetch, struct job *only, struct error *e)
{
    struct incoming incoming;
    int r = incoming_open(&incoming, fetch->repository, e);

    if (r)
        return r;
    r = receive_into(fetch, &incoming, only, e);
    if (!r)
        r = incoming_publish(&incoming, e);
    incoming_close(&incoming);
    if (!r)
        r = write_shallow(fetch, only, e);
    for (size_t i = 0; i < fetch->count && !r; i++)
        if (is_wanted(&fetch->jobs[i], only))
            pin_job(fetch, &fetch->jobs[i]);
    return r;
}

/* A failure that may be one version's fault, or may not come again. */
static bool is_worth_another_try(int r)
{
    return r == -ENOENT || r == -EIO;
}

/* One job by itself. An id that the server does not give becomes a search. */
static void receive_single(struct fetch *fetch, struct job *job)
{
    struct error e = {0};
    int r = receive(fetch, job, &e);

    if (r == -ENOENT && job->target.state == TARGET_ID && !fetch->whole_history) {
        job->refused = true;
        job->target.state = TARGET_DIGITS;
    } else if (r) {
        job_finish(job, r, &e);
    }
}

void receive_jobs(struct fetch *fetch)
{
    struct error e = {0};
    int r;

    if (!jobs_have(fetch, TARGET_LISTED) && !jobs_have(fetch, TARGET_ID))
        return;
    r = receive(fetch, NULL, &e);
    if (r == -ENOENT && !fetch->listed && jobs_have(fetch, TARGET_LISTED)) {
        /* The remote has changed since it was listed. */
        if (jobs_list(fetch))
            return;
        r = receive(fetch, NULL, &e);
    }
    if (r && !is_worth_another_try(r))
        jobs_finish(fetch, r, &e);
    for (size_t i = 0; i < fetch->count && r; i++)
        if (is_wanted(&fetch->jobs[i], &fetch->jobs[i]))
            receive_single(fetch, &fetch->jobs[i]);
}
