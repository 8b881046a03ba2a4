#include "fs/tree/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/readahead.h"
#include "fs/tree/unasked.h"
#include "gitcache/base/clock.h"
#include "gitcache/fetch/pool.h"

#define MAX_FETCHES 5 /* of one version, for one request */

static int may_ask(struct mount *mount, struct repo *repo)
{
    return mount->settings->offline ? -EHOSTUNREACH : repo_backoff(repo);
}

/* Work has been started, or the reason why it cannot be. */
static int wait_for(struct work *work, int started, struct ask *ask)
{
    if (started < 0)
        return started;
    ask->work = work;
    return -EAGAIN;
}

static int start_listing(struct mount *mount, struct repo *repo)
{
    int r = may_ask(mount, repo);

    if (r < 0)
        return r;
    pthread_mutex_lock(&repo->lock);
    if (!atomic_load(&repo->listing.running)) {
        work_begin(&repo->listing);
        r = pool_queue(mount->pool, repo->host, repo, ASK_LISTING);
        if (r < 0)
            atomic_store(&repo->listing.running, false);
    }
    pthread_mutex_unlock(&repo->lock);
    return r;
}

int ask_listing(struct mount *mount, struct repo *repo, struct ask *ask)
{
    ask->listing = true;
    int r = unasked_refuse(mount, ask);
    if (r < 0)
        return r;
    return wait_for(&repo->listing, start_listing(mount, repo), ask);
}

void ask_listing_later(struct mount *mount, struct repo *repo, struct ask *ask)
{
    if (unasked_refuse(mount, ask) == 0)
        start_listing(mount, repo);
}

int ask_next_batch(struct mount *mount, struct repo *repo)
{
    int r = 0;

    if (!repo->fetch_queued && !repo->fetch_running) {
        r = pool_queue(mount->pool, repo->host, repo, ASK_VERSIONS);
        repo->fetch_queued = r == 0;
    }
    return r;
}

/* Puts a version into its repository's next batch. `why` (may be NULL) is a flag of it to set. */
static int start_version(struct mount *mount, struct repo_version *version, bool *why)
{
    struct repo *repo = version->repo;
    int r = may_ask(mount, repo);

    if (r < 0)
        return r;
    pthread_mutex_lock(&repo->lock);
    if (!atomic_load(&version->work.running)) {
        r = ask_next_batch(mount, repo);
        if (r == 0) {
            version->queued = true;
            if (version->state != VERSION_READY)
                version->state = VERSION_FETCHING;
            work_begin(&version->work);
        }
    }
    if (r == 0 && why)
        *why = true;
    pthread_mutex_unlock(&repo->lock);
    return r;
}

int ask_version(struct mount *mount, struct repo_version *version, struct ask *ask)
{
    int failed = 0;

    pthread_mutex_lock(&version->repo->lock);
    if (version->state == VERSION_FAILED && (ask->version || version->retry_at > clock_now()))
        failed = -version->error.errnum;
    pthread_mutex_unlock(&version->repo->lock);
    if (failed)
        return failed;
    int refused = unasked_refuse(mount, ask);
    if (refused < 0)
        return refused;
    /* Fetched, and not there all the same: gc may have taken it again before anybody could open it. */
    if (ask->version >= MAX_FETCHES)
        return -EIO;
    ask->version++;
    int started = start_version(mount, version, NULL);
    if (started == 0)
        readahead_missed(mount, version);
    return wait_for(&version->work, started, ask);
}

int ask_damaged(struct mount *mount, struct repo_version *version, struct ask *ask)
{
    int r;

    if (ask->damaged || unasked_refuse(mount, ask) < 0)
        return -EIO;
    ask->damaged = true;
    r = start_version(mount, version, &version->again);
    /* That it is damaged is what the reader has to know, whatever keeps it from being mended. */
    return wait_for(&version->work, r < 0 && r != -ENOMEM ? -EIO : r, ask);
}

void ask_newest_later(struct mount *mount, struct repo_version *version)
{
    start_version(mount, version, &version->newest);
}

/* The versions that sources name, made if need be; malloc'd. NULL: out of memory. */
static struct repo_version **named_versions(struct repo *repo, size_t *count)
{
    pthread_mutex_lock(&repo->lock);
    struct repo_version **all = calloc(repo->source_count + 1, sizeof *all);
    *count = 0;
    for (size_t i = 0; all && i < repo->source_count; i++) {
        const struct repo_source *source = &repo->sources[i];
        all[*count] = repo_version_get_locked(repo, source->version, source->commit);
        *count += all[*count] != NULL;
    }
    pthread_mutex_unlock(&repo->lock);
    return all;
}

static void ask_sources_of(struct mount *mount, struct repo *repo)
{
    size_t count;
    struct repo_version **all = named_versions(repo, &count);
    struct version version;

    for (size_t i = 0; all && i < count; i++) {
        int r = versions_find(repo->repository, all[i]->name, all[i]->commit, &version, NULL);
        if (r == -ENOENT || r == -EIO)
            start_version(mount, all[i], NULL);
    }
    free(all);
}

void ask_sources_later(struct mount *mount)
{
    struct repo *repo;

    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++)
        ask_sources_of(mount, repo);
}
