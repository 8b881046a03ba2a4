#include "fs/tree/fetcher.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/repos.h"
#include "gitcache/base/clock.h"

#define WARM_MILLISECONDS 5000  /* an idle thread keeps its connections so long */
#define IDLE_MILLISECONDS 30000 /* and then lives so long */
#define STACK_SIZE        (1 << 20)

struct job {
    struct repo *repo;
    enum job_kind kind;
    struct job *next;
};

/* How many jobs run for a host, and how many threads are on their way to take one. */
struct host {
    const char *name; /* borrowed from a repository */
    unsigned running, starting;
    struct fetcher *fetcher;
    struct host *next;
};

/* An idle thread waits on its own condition, so that the warmest can be chosen. */
struct idler {
    pthread_cond_t wakeup;
    struct host *woken_for; /* NULL: not woken */
    struct idler *next;
};

struct fetcher {
    unsigned jobs;
    struct remote_settings settings;
    fetcher_run run;
    void *data;
    atomic_bool stopping;
    pthread_mutex_t lock;   /* guards all below */
    pthread_cond_t changed; /* a thread ended or became idle */
    struct job *first, **last;
    struct host *hosts;
    struct idler *idlers; /* the latest first */
    unsigned threads;
    pthread_t last_ended; /* not joined yet */
    bool has_ended;
    unsigned starting; /* the sum of the hosts' */
    unsigned running;
};

struct fetcher *fetcher_new(unsigned jobs, const struct remote_settings *settings, fetcher_run run,
                            void *data)
{
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);
    pthread_condattr_t attributes;

    if (!fetcher)
        return NULL;
    fetcher->jobs = jobs;
    fetcher->settings = *settings;
    fetcher->run = run;
    fetcher->data = data;
    fetcher->last = &fetcher->first;
    pthread_mutex_init(&fetcher->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&fetcher->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return fetcher;
}

bool fetcher_is_stopping(struct fetcher *fetcher)
{
    return atomic_load(&fetcher->stopping);
}

static struct host *host_of(struct fetcher *fetcher, const struct repo *repo)
{
    struct host *host;

    for (host = fetcher->hosts; host; host = host->next)
        if (strcmp(host->name, repo->host) == 0)
            return host;
    host = calloc(1, sizeof *host);
    if (host) {
        host->name = repo->host;
        host->fetcher = fetcher;
        host->next = fetcher->hosts;
        fetcher->hosts = host;
    }
    return host;
}

/* The first job whose host has a place free, counted as running; NULL if there is none. */
static struct job *next_job(struct fetcher *fetcher)
{
    for (struct job **link = &fetcher->first; *link; link = &(*link)->next) {
        struct job *job = *link;
        struct host *host = host_of(fetcher, job->repo);
        if (!host || host->running >= fetcher->jobs)
            continue;
        *link = job->next;
        if (!*link)
            fetcher->last = link;
        host->running++;
        fetcher->running++;
        return job;
    }
    return NULL;
}

static void has_started(struct host *host)
{
    host->starting--;
    host->fetcher->starting--;
}

/* Waits for something to do. False: too long idle, or it is being stopped. */
static bool idle(struct fetcher *fetcher, int milliseconds)
{
    struct idler me = {.woken_for = NULL};
    pthread_condattr_t attributes;
    int64_t until = clock_now() + milliseconds;
    struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    int r = 0;

    if (atomic_load(&fetcher->stopping))
        return false;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&me.wakeup, &attributes);
    pthread_condattr_destroy(&attributes);
    me.next = fetcher->idlers;
    fetcher->idlers = &me;
    pthread_cond_broadcast(&fetcher->changed);
    while (!me.woken_for && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&me.wakeup, &fetcher->lock, &deadline);
    if (me.woken_for) {
        has_started(me.woken_for);
    } else {
        struct idler **link = &fetcher->idlers;
        while (*link != &me)
            link = &(*link)->next;
        *link = me.next;
    }
    pthread_cond_destroy(&me.wakeup);
    return me.woken_for != NULL;
}

static void run_job(struct fetcher *fetcher, struct job *job, struct remote *remote)
{
    pthread_mutex_unlock(&fetcher->lock);
    fetcher->run(fetcher->data, job->repo, job->kind, remote);
    pthread_mutex_lock(&fetcher->lock);
    struct host *host = host_of(fetcher, job->repo);
    if (host)
        host->running--;
    fetcher->running--;
    free(job);
    pthread_cond_broadcast(&fetcher->changed);
}

/* Closes the connections, and waits on. False: too long idle. */
static bool rest(struct fetcher *fetcher, struct remote *remote)
{
    if (remote && !atomic_load(&fetcher->stopping)) {
        pthread_mutex_unlock(&fetcher->lock);
        remote_rest(remote);
        pthread_mutex_lock(&fetcher->lock);
    }
    /* Work that came meanwhile has started a thread of its own. */
    return idle(fetcher, IDLE_MILLISECONDS);
}

/* Counts the thread as ended. Each joins the one that ended before it, and fetcher_stop the last:
 * so none outlives the libraries that it uses. */
static void end_thread(struct fetcher *fetcher)
{
    pthread_t before = fetcher->last_ended;
    bool has_before = fetcher->has_ended;

    fetcher->last_ended = pthread_self();
    fetcher->has_ended = true;
    fetcher->threads--;
    pthread_cond_broadcast(&fetcher->changed);
    pthread_mutex_unlock(&fetcher->lock);
    if (has_before)
        pthread_join(before, NULL);
}

static void *fetch_thread(void *arg)
{
    struct host *host = arg;
    struct fetcher *fetcher = host->fetcher;
    struct remote *remote = NULL;
    struct job *job;

    /* A thread without a remote still takes jobs: they fail with a sentence, and don't hang. */
    remote_new(&remote, &fetcher->settings, NULL);
    pthread_mutex_lock(&fetcher->lock);
    has_started(host);
    while (!atomic_load(&fetcher->stopping)) {
        job = next_job(fetcher);
        if (job)
            run_job(fetcher, job, remote);
        else if (idle(fetcher, WARM_MILLISECONDS))
            continue;
        else if (!rest(fetcher, remote))
            break;
    }
    /* The connections are closed before the thread counts as ended. */
    pthread_mutex_unlock(&fetcher->lock);
    if (remote)
        remote_free(remote);
    pthread_mutex_lock(&fetcher->lock);
    end_thread(fetcher);
    return NULL;
}

static int start_thread(struct fetcher *fetcher, struct host *host)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    int r = pthread_create(&thread, &attributes, fetch_thread, host);
    pthread_attr_destroy(&attributes);
    if (r == 0)
        fetcher->threads++;
    return -r;
}

/* One more thread looks for a job: an idle one, else a new one. */
static int engage_thread(struct fetcher *fetcher, struct host *host)
{
    struct idler *idler = fetcher->idlers;
    int r = 0;

    if (idler) {
        fetcher->idlers = idler->next;
        idler->woken_for = host;
        pthread_cond_signal(&idler->wakeup);
    } else {
        r = start_thread(fetcher, host);
    }
    if (r == 0) {
        host->starting++;
        fetcher->starting++;
    }
    return r;
}

int fetcher_queue(struct fetcher *fetcher, struct repo *repo, enum job_kind kind)
{
    struct job *job = calloc(1, sizeof *job);
    int r = 0;

    if (!job)
        return -ENOMEM;
    job->repo = repo;
    job->kind = kind;
    pthread_mutex_lock(&fetcher->lock);
    struct host *host = host_of(fetcher, repo);
    if (!host) {
        r = -ENOMEM;
    } else if (host->running + host->starting < fetcher->jobs) {
        r = engage_thread(fetcher, host);
        /* Any thread that works takes this job too, in time. */
        if (r < 0 && fetcher->threads > 0)
            r = 0;
    }
    if (r == 0) {
        *fetcher->last = job;
        fetcher->last = &job->next;
    } else {
        free(job);
    }
    pthread_mutex_unlock(&fetcher->lock);
    return r;
}

void fetcher_drain(struct fetcher *fetcher)
{
    pthread_mutex_lock(&fetcher->lock);
    while (fetcher->first || fetcher->running || fetcher->starting)
        pthread_cond_wait(&fetcher->changed, &fetcher->lock);
    pthread_mutex_unlock(&fetcher->lock);
}

bool fetcher_stop(struct fetcher *fetcher, int patience)
{
    int64_t until = clock_now() + patience;
    struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

    if (!fetcher)
        return true;
    atomic_store(&fetcher->stopping, true);
    pthread_mutex_lock(&fetcher->lock);
    while (fetcher->idlers)
        engage_thread(fetcher, fetcher->hosts);
    while (fetcher->threads > 0 &&
           pthread_cond_timedwait(&fetcher->changed, &fetcher->lock, &deadline) == 0)
        ;
    bool ended = fetcher->threads == 0;
    pthread_mutex_unlock(&fetcher->lock);
    if (!ended)
        return false;
    if (fetcher->has_ended)
        pthread_join(fetcher->last_ended, NULL);
    for (struct job *job = fetcher->first, *next; job; job = next) {
        next = job->next;
        free(job);
    }
    for (struct host *host = fetcher->hosts, *next; host; host = next) {
        next = host->next;
        free(host);
    }
    pthread_cond_destroy(&fetcher->changed);
    pthread_mutex_destroy(&fetcher->lock);
    free(fetcher);
    return true;
}
