#include "fs/tree/readahead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/ask.h"
#include "fs/tree/attempt.h"
#include "fs/tree/lists.h"
#include "gitcache/base/clock.h"
#include "gitcache/fetch/pool.h"

#define AT_ONCE     1000  /* versions of a list */
#define BATCH       16    /* versions of one repository: who asks for another one waits for them */
#define AGAIN_AFTER 60000 /* milliseconds */
#define FAILURES    3     /* in a row, of one host */
#define MISSES \
    64 /* that are remembered until they are looked at; a later reader makes up for others */
#define BRANCHES "refs/heads/"

struct ahead_host {
    struct ahead_host *next;
    unsigned failures; /* in a row */
    int64_t failed_at;
    char name[];
};

struct readahead {
    pthread_mutex_t lock; /* guards all below; held for moments, and no other is taken with it */
    const struct repo_version *missed[MISSES];
    size_t count;
    bool planning;
    struct ahead_host *hosts;
    struct list_ahead direct; /* sources that are in no list count as one; under lists->lock */
};

struct readahead *readahead_new(void)
{
    struct readahead *readahead = calloc(1, sizeof *readahead);

    if (readahead)
        pthread_mutex_init(&readahead->lock, NULL);
    return readahead;
}

void readahead_free(struct readahead *readahead)
{
    struct ahead_host *next;

    if (!readahead)
        return;
    for (struct ahead_host *host = readahead->hosts; host; host = next) {
        next = host->next;
        free(host);
    }
    pthread_mutex_destroy(&readahead->lock);
    free(readahead);
}

/* ---- which versions sources name ---- */

static bool is_default_branch(struct repo *repo, const char *name)
{
    const struct listing *listing = repository_listing_get(repo->repository);
    const struct ref *ref = listing ? listing_default(listing) : NULL;
    bool is = ref && strncmp(ref->name, BRANCHES, strlen(BRANCHES)) == 0 &&
              strcmp(ref->name + strlen(BRANCHES), name) == 0;

    repository_listing_put(repo->repository, listing);
    return is;
}

/* Whether a version is what a source names so; NULL: the default branch. */
static bool names(const char *name, const struct repo_version *version)
{
    if (!name)
        return !version->name || is_default_branch(version->repo, version->name);
    return version->name && strcmp(name, version->name) == 0;
}

static bool is_named(const struct repo_version *version)
{
    struct repo *repo = version->repo;
    bool named = false;

    pthread_mutex_lock(&repo->lock);
    for (size_t i = 0; i < repo->source_count && !named; i++)
        named = names(repo->sources[i].version, version);
    pthread_mutex_unlock(&repo->lock);
    return named;
}

static bool set_names(const struct mounted_set *mounted, const struct repo_version *version)
{
    const struct repo *repo = version->repo;

    for (size_t i = 0; i < mounted->set.sources.count; i++) {
        const struct source *source = &mounted->set.sources.items[i];
        if (strcmp(source->name, repo->name) == 0 &&
            strcmp(source->url, repository_url(repo->repository)) == 0 &&
            names(source->version, version))
            return true;
    }
    return false;
}

/* ---- planning ---- */

static void remember(struct mount *mount, const struct repo_version *version)
{
    struct readahead *readahead = mount->readahead;
    size_t i = 0;

    pthread_mutex_lock(&readahead->lock);
    while (i < readahead->count && readahead->missed[i] != version)
        i++;
    if (i == readahead->count && i < MISSES)
        readahead->missed[readahead->count++] = version;
    if (!readahead->planning)
        readahead->planning = pool_queue(mount->pool, "", NULL, ASK_PLAN) == 0;
    pthread_mutex_unlock(&readahead->lock);
}

void readahead_missed(struct mount *mount, const struct repo_version *version)
{
    if (mount->readahead && is_named(version))
        remember(mount, version);
}

void readahead_more(struct mount *mount, struct repo *repo)
{
    bool more = false;

    for (struct repo_version *v = repo->versions; v && !more; v = v->next)
        more = v->ahead;
    if (more && !repo->ahead_queued)
        repo->ahead_queued = pool_queue_later(mount->pool, repo->host, repo, ASK_AHEAD) == 0;
}

/* Counts it if nobody has asked for the version yet. What the cache has is found out later. */
static size_t plan_source(struct mount *mount, const struct source *source)
{
    struct repo *repo = repos_find(&mount->repos, source->name, source->url);
    struct repo_version *version =
        repo && repo->in_use ? repo_version_get(repo, source->version, source->commit) : NULL;
    bool planned = false;

    if (!version)
        return 0;
    pthread_mutex_lock(&repo->lock);
    planned = version->state == VERSION_LISTED && !version->queued && !version->ahead;
    version->ahead |= planned;
    if (planned)
        readahead_more(mount, repo);
    pthread_mutex_unlock(&repo->lock);
    return planned;
}

static size_t plan_set(struct mount *mount, const struct mounted_set *mounted, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < mounted->set.sources.count && count < room; i++)
        count += plan_source(mount, &mounted->set.sources.items[i]);
    return count;
}

/* The whole list; of sources that are in none, all. */
static void begin(struct mount *mount, const struct mounted_set *list)
{
    size_t count = 0;

    if (list->set.name)
        count = plan_set(mount, list, AT_ONCE);
    for (const struct mounted_set *one = mount->lists->first; one && !list->set.name;
         one = one->next)
        if (!one->set.name)
            count += plan_set(mount, one, AT_ONCE - count);
    if (count > 0)
        log_info(mount->log, "%s: two of its versions were asked for; fetching %zu more ahead",
                 list->set.name ? list->set.name : "the sources", count);
}

/* Whether what was asked for before is another version, and has not failed: where the remote is gone nothing is
 * fetched ahead. */
static bool is_second(const struct list_ahead *ahead, const struct repo_version *version)
{
    if (!ahead->missed || ahead->missed == version)
        return false;
    pthread_mutex_lock(&ahead->missed->repo->lock);
    bool failed = ahead->missed->state == VERSION_FAILED;
    pthread_mutex_unlock(&ahead->missed->repo->lock);
    return !failed && repo_backoff(ahead->missed->repo) == 0;
}

static void note_miss(struct mount *mount, struct mounted_set *list,
                      const struct repo_version *version)
{
    struct list_ahead *ahead = list->set.name ? &list->ahead : &mount->readahead->direct;

    if (ahead->begun_at && clock_now() - ahead->begun_at < AGAIN_AFTER)
        return;
    if (!set_names(list, version))
        return;
    if (is_second(ahead, version)) {
        *ahead = (struct list_ahead){.begun_at = clock_now()};
        begin(mount, list);
    } else {
        ahead->missed = version;
    }
}

static size_t take_misses(struct readahead *readahead, const struct repo_version *missed[MISSES])
{
    pthread_mutex_lock(&readahead->lock);
    size_t count = readahead->count;
    memcpy(missed, readahead->missed, count * sizeof *missed);
    readahead->count = 0;
    readahead->planning = false;
    pthread_mutex_unlock(&readahead->lock);
    return count;
}

void readahead_plan(struct mount *mount)
{
    const struct repo_version *missed[MISSES];

    pthread_mutex_lock(&mount->lists->lock);
    size_t count = take_misses(mount->readahead, missed);
    for (size_t i = 0; i < count; i++)
        for (struct mounted_set *list = mount->lists->first; list; list = list->next)
            note_miss(mount, list, missed[i]);
    pthread_mutex_unlock(&mount->lists->lock);
}

/* ---- hosts that fail ---- */

/* With the lock; NULL: none of it has failed yet, or out of memory. */
static struct ahead_host *find_host(struct readahead *readahead, const char *name, bool make)
{
    struct ahead_host *host = readahead->hosts;

    while (host && strcmp(host->name, name) != 0)
        host = host->next;
    if (host || !make || !(host = calloc(1, sizeof *host + strlen(name) + 1)))
        return host;
    strcpy(host->name, name);
    host->next = readahead->hosts;
    return readahead->hosts = host;
}

static bool host_fails(struct readahead *readahead, const char *name)
{
    pthread_mutex_lock(&readahead->lock);
    const struct ahead_host *host = find_host(readahead, name, false);
    bool fails = host && host->failures >= FAILURES && clock_now() - host->failed_at < AGAIN_AFTER;
    pthread_mutex_unlock(&readahead->lock);
    return fails;
}

void readahead_ended(struct mount *mount, struct repo *repo)
{
    bool failed = repo_backoff(repo) < 0;

    pthread_mutex_lock(&mount->readahead->lock);
    struct ahead_host *host = find_host(mount->readahead, repo->host, failed);
    if (host) {
        host->failures = failed ? host->failures + 1 : 0;
        host->failed_at = clock_now();
    }
    pthread_mutex_unlock(&mount->readahead->lock);
}

/* ---- fetching ---- */

/* What is still worth being fetched; a list may have changed meanwhile. */
static bool is_wanted(struct mount *mount, struct repo *repo, struct repo_version *version)
{
    return repo->in_use && !mount->settings->offline && repo_backoff(repo) == 0 &&
           !host_fails(mount->readahead, repo->host) && is_named(version) &&
           !attempt_is_suspect(mount, repo, version->name) &&
           versions_find(repo->repository, version->name, version->commit, &(struct version){0},
                         NULL) == -ENOENT;
}

/* The next that is planned, and is not any more; NULL if none is, or if readers wait for the repository. */
static struct repo_version *next_planned(struct repo *repo)
{
    struct repo_version *version = NULL;

    pthread_mutex_lock(&repo->lock);
    if (!repo->fetch_queued && !repo->fetch_running)
        for (version = repo->versions; version && !version->ahead;)
            version = version->next;
    if (version)
        version->ahead = false;
    pthread_mutex_unlock(&repo->lock);
    return version;
}

/* As ask.c does for a reader. */
static bool queue_all(struct repo *repo, struct repo_version **wanted, size_t count)
{
    bool is_first = false;

    pthread_mutex_lock(&repo->lock);
    for (size_t i = 0; i < count; i++) {
        if (atomic_load(&wanted[i]->work.running))
            continue;
        wanted[i]->queued = true;
        wanted[i]->state = VERSION_FETCHING;
        work_begin(&wanted[i]->work);
        is_first = !repo->fetch_queued && !repo->fetch_running;
    }
    repo->fetch_queued |= is_first;
    pthread_mutex_unlock(&repo->lock);
    return is_first;
}

bool readahead_take(struct mount *mount, struct repo *repo)
{
    struct repo_version *wanted[BATCH], *version;
    size_t count = 0;

    pthread_mutex_lock(&repo->lock);
    repo->ahead_queued = false;
    pthread_mutex_unlock(&repo->lock);
    while (count < BATCH && (version = next_planned(repo)))
        if (is_wanted(mount, repo, version))
            wanted[count++] = version;
    return queue_all(repo, wanted, count);
}
