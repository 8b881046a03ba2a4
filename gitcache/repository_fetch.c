/* repository_fetch.c - makes versions present.
 *
 *     1. What the cache has is answered at once: no lock, no network.
 *     2. The rest is resolved with the listing that is known; the remote is asked for a new one if
 *        there is none, or it lacks a name, or the newest is wanted.
 *     3. With the repository's lock in hand, look again: another process may have fetched.
 *     4. All that is left comes in one pack. If that fails for a reason that may be one version's
 *        alone, each comes in a pack of its own: one bad version spoils no other.
 *     5. Commit ids that the listing does not show, and the server does not give, are looked for
 *        in its history.
 *
 * Written are, in this order: the pack, `shallow`, the refs; each is on the disk before the next.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/disk.h"
#include "gitcache/history.h"
#include "gitcache/incoming.h"
#include "gitcache/library.h"
#include "gitcache/repair.h"
#include "gitcache/resolve.h"
#include "gitcache/shallow.h"

#define LOCK_FILE "startpointfs-lock"

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
    const struct remote_watch *watch;
    struct job *jobs;
    size_t count;
    bool listed;        /* the listing is this call's own */
    bool whole_history; /* of what is fetched now */
    unsigned packs;
};

static const char *shown_name(const struct job *job)
{
    return job->request->name ? job->request->name : "the default branch";
}

static void finish(struct job *job, int status, const struct error *e)
{
    job->done = true;
    job->request->status = status;
    if (e)
        job->request->error = *e;
}

static void finish_all(struct fetch *fetch, int status, const struct error *e)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (!fetch->jobs[i].done)
            finish(&fetch->jobs[i], status, e);
}

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

static void answer_from_cache(struct fetch *fetch, bool again_too)
{
    for (size_t i = 0; i < fetch->count; i++) {
        struct job *job = &fetch->jobs[i];
        struct version_request *request = job->request;

        if (job->done || (request->again && !again_too))
            continue;
        if (repository_find(fetch->repository, request->name, request->commit, &request->version,
                            NULL) == 0 &&
            is_current(job, &request->version))
            finish(job, 0, NULL);
    }
}

/* A pinned tag never moves. Who wants the commit that the tag is at now gets that by its id. */
static int keep_pinned_tag(struct fetch *fetch, struct target *target, struct error *e)
{
    const struct oid commit = target->commit;
    struct version pinned;

    if (target->state != TARGET_LISTED || target->kind != VERSION_TAG ||
        !pins_find(fetch->repository, target->ref, &pinned) || oid_equal(&pinned.commit, &commit))
        return 0;
    return target_set_commit(target, &commit, e);
}

static int resolve_job(struct fetch *fetch, struct job *job, const struct listing *listing,
                       struct error *e)
{
    int r = target_resolve(&job->target, job->request, listing, fetch->repository->shown, e);

    if (!r)
        r = keep_pinned_tag(fetch, &job->target, e);
    if (!r && job->refused && job->target.state == TARGET_ID)
        job->target.state = TARGET_DIGITS;
    return r;
}

static void resolve_all(struct fetch *fetch)
{
    const struct listing *listing = repository_listing_get(fetch->repository);
    struct error e = {0};

    for (size_t i = 0; i < fetch->count; i++) {
        struct job *job = &fetch->jobs[i];
        int r = job->done ? 0 : resolve_job(fetch, job, listing, &e);

        if (r)
            finish(job, r, &e);
    }
    repository_listing_put(fetch->repository, listing);
}

static int list(struct fetch *fetch)
{
    struct error e = {0};
    int r = repository_list(fetch->repository, fetch->remote, fetch->watch, &e);

    if (r) {
        finish_all(fetch, r, &e);
        return r;
    }
    fetch->listed = true;
    resolve_all(fetch);
    return 0;
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

    resolve_all(fetch);
    if (needs_listing(fetch)) {
        r = list(fetch);
        if (r)
            return r;
    }
    for (size_t i = 0; i < fetch->count; i++) {
        struct job *job = &fetch->jobs[i];

        if (job->done || job->target.state != TARGET_NONE)
            continue;
        if (job->request->name)
            error_set(&e, ENOENT, "%s has no tag, branch or commit %s", fetch->repository->shown,
                      job->request->name);
        else
            error_set(&e, ENOENT,
                      "%s has no default branch: neither master, main nor what HEAD "
                      "names; name a tag with ?tag=",
                      fetch->repository->shown);
        finish(job, -ENOENT, &e);
    }
    return 0;
}

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
    const char *shown = fetch->repository->shown;
    struct error inner = {0};
    struct commit commit;
    int r = commit_load(incoming->odb, &job->target.want, &commit, &inner);

    if (!r && !oid_equal(&commit.id, &job->target.commit))
        r = error_set(&inner, EIO, "it is another commit than the listing said");
    if (!r)
        r = verify_tree(incoming->odb, &commit.tree, &inner);
    if (r == -ENOENT)
        return error_set(e, ENOENT, "%s of %s is no version: %s", shown_name(job), shown,
                         inner.text);
    if (r)
        return error_set(e, inner.errnum, "%s sent %s damaged: %s", shown, shown_name(job),
                         inner.text);
    job->tree = commit.tree;
    job->time = commit.time;
    return 0;
}

static int write_shallow(struct fetch *fetch, const struct job *only, struct error *e)
{
    struct oid *commits = calloc(fetch->count, sizeof *commits);
    size_t n = 0;
    int r;

    if (!commits)
        return error_set(e, ENOMEM, "out of memory");
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
    finish(job, r, &e);
}

static int receive_into(struct fetch *fetch, struct incoming *incoming, const struct job *only,
                        struct error *e)
{
    struct remote_request request = {.depth = fetch->whole_history ? 0 : 1,
                                     .lines = fetch->watch && fetch->watch->lines};
    struct oid *wants = collect_wants(fetch, only, &request.count);
    int r = wants ? 0 : error_set(e, ENOMEM, "out of memory");

    request.wants = wants;
    if (!r)
        r = incoming_receive(incoming, fetch->remote, &request, fetch->watch, e);
    free(wants);
    if (r)
        return r;
    fetch->packs++;
    for (size_t i = 0; i < fetch->count && !r; i++)
        if (is_wanted(&fetch->jobs[i], only))
            r = check_job(fetch, incoming, &fetch->jobs[i], e);
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

static bool has_state(const struct fetch *fetch, enum target_state state)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (!fetch->jobs[i].done && fetch->jobs[i].target.state == state)
            return true;
    return false;
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
        finish(job, r, &e);
    }
}

static void receive_left(struct fetch *fetch)
{
    struct error e = {0};
    int r;

    if (!has_state(fetch, TARGET_LISTED) && !has_state(fetch, TARGET_ID))
        return;
    r = receive(fetch, NULL, &e);
    if (r == -ENOENT && !fetch->listed && has_state(fetch, TARGET_LISTED)) {
        /* The remote has changed since it was listed. */
        if (list(fetch))
            return;
        r = receive(fetch, NULL, &e);
    }
    if (r && !is_worth_another_try(r))
        finish_all(fetch, r, &e);
    for (size_t i = 0; i < fetch->count && r; i++)
        if (is_wanted(&fetch->jobs[i], &fetch->jobs[i]))
            receive_single(fetch, &fetch->jobs[i]);
}

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
                      search->digits, search->found, fetch->repository->shown);
    } else if (job->request->commit && job->request->name) {
        r = error_set(&e, ENOENT, "%s of %s is not the commit %s, which the remote does not have",
                      job->request->name, fetch->repository->shown, search->digits);
    } else {
        r = error_set(&e, ENOENT, "%s has no commit %s in the history of its branches and tags",
                      fetch->repository->shown, search->digits);
    }
    if (r)
        finish(job, r, &e);
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
            finish(job, r, &e);
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
    receive_left(fetch);
}

static void fetch_left(struct fetch *fetch)
{
    receive_left(fetch);
    if (!has_state(fetch, TARGET_DIGITS) || (!fetch->listed && list(fetch)))
        return;
    search_history(fetch);
    receive_left(fetch);
    if (has_state(fetch, TARGET_DIGITS))
        receive_with_history(fetch);
}

static bool wants_again(const struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (!fetch->jobs[i].done && fetch->jobs[i].request->again)
            return true;
    return false;
}

/* With the repository's lock in hand. */
static void fetch_locked(struct fetch *fetch)
{
    struct error e = {0};
    int r = 0;

    if (wants_again(fetch))
        r = repair(fetch->repository, fetch->remote, fetch->watch, &fetch->packs, &e);
    answer_from_cache(fetch, r == 0);
    if (r)
        for (size_t i = 0; i < fetch->count; i++)
            if (!fetch->jobs[i].done && fetch->jobs[i].request->again)
                finish(&fetch->jobs[i], r, &e);
    fetch_left(fetch);
}

static int take_lock(struct fetch *fetch, struct error *e)
{
    char *path;
    int fd = repository_make(fetch->repository, e);

    if (fd)
        return fd;
    path = disk_path(fetch->repository->folder, LOCK_FILE);
    if (!path)
        return error_set(e, ENOMEM, "out of memory");
    fd = disk_lock(path, fetch->watch, e);
    free(path);
    return fd;
}

static void fetch_all(struct fetch *fetch)
{
    struct repository *repository = fetch->repository;
    struct error e = {0};
    int lock;

    answer_from_cache(fetch, false);
    if (!jobs_left(fetch))
        return;
    if (cache_is_read_only(repository->cache)) {
        lock = error_set(&e, EROFS,
                         "the cache %s is read-only and lacks a version of %s; fetch it "
                         "with a cache that can be written",
                         cache_folder(repository->cache), repository->shown);
        finish_all(fetch, lock, &e);
        return;
    }
    if (resolve(fetch))
        return;
    answer_from_cache(fetch, false);
    if (!jobs_left(fetch))
        return;
    lock = take_lock(fetch, &e);
    if (lock < 0) {
        finish_all(fetch, lock, &e);
        return;
    }
    fetch_locked(fetch);
    close(lock);
}

int repository_fetch(struct repository *repository, struct remote *remote,
                     struct version_request *requests, size_t count,
                     const struct remote_watch *watch, unsigned *fetched, struct error *e)
{
    struct fetch fetch = {
        .repository = repository,
        .remote = remote,
        .watch = watch,
        .jobs = calloc(count + 1, sizeof *fetch.jobs),
        .count = count,
    };
    int r = 0;

    if (!fetch.jobs)
        return error_set(e, ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        fetch.jobs[i].request = &requests[i];
    fetch_all(&fetch);
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
