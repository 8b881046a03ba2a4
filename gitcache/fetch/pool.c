#include "gitcache/fetch/pool.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/thread.h"
#include "gitcache/net/politeness.h"

#define WARM_MILLISECONDS 5000  /* an idle thread keeps its connections so long */
#define IDLE_MILLISECONDS 30000 /* and then lives so long */
#define STACK_SIZE        (1 << 20)

/* How many jobs run for a host, and how many threads are on their way to take one. Hosts are never
 * forgotten: there are as many as the lists have named. */
struct pool_host {
    unsigned running, starting;
    struct pool *pool;
    struct pool_host *next;
    char name[];
};

struct pool_job {
    struct pool_host *host;
    void *subject;
    int kind;
    struct pool_job *next;
};

/* An idle thread waits on its own condition, so that the warmest can be chosen. */
struct pool_idler {
    pthread_cond_t wakeup;
    struct pool_host *woken_for; /* NULL: not woken */
    struct pool_idler *next;
};

struct pool_queue {
    struct pool_job *first, **last;
};

struct pool {
    unsigned jobs, max_threads;
    bool has_remotes;
    struct net_settings settings;
    struct politeness *politeness; /* of all threads together; NULL: each has its own */
    pool_run run;
    void *data;
    atomic_bool stopping;
    pthread_mutex_t lock;   /* guards all below */
    pthread_cond_t changed; /* a thread ended or became idle */
    struct pool_queue now, later;
    struct pool_host *hosts;
    struct pool_idler *idlers; /* the latest first */
    unsigned threads;
    pthread_t last_ended; /* not joined yet */
    bool has_ended;
    unsigned starting; /* the sum of the hosts' */
    unsigned running;
};

struct pool *pool_new(unsigned jobs, const struct net_settings *settings, pool_run run, void *data)
{
    struct pool *pool = calloc(1, sizeof *pool);

    if (!pool)
        return NULL;
    pool->jobs = jobs;
    pool->max_threads = UINT_MAX;
    pool->has_remotes = settings != NULL;
    if (settings) {
        pool->settings = *settings;
        pool->politeness = politeness_new(settings->rate);
        if (!pool->settings.politeness)
            pool->settings.politeness = pool->politeness;
    }
    pool->run = run;
    pool->data = data;
    pool->now.last = &pool->now.first;
    pool->later.last = &pool->later.first;
    pthread_mutex_init(&pool->lock, NULL);
    thread_condition_init(&pool->changed);
    return pool;
}

void pool_limit_threads(struct pool *pool, unsigned max)
{
    pool->max_threads = max;
}

bool pool_is_stopping(struct pool *pool)
{
    return atomic_load(&pool->stopping);
}

/* The host of that name, made if need be; NULL: out of memory. */
static struct pool_host *find_host(struct pool *pool, const char *name)
{
    struct pool_host *host;

    for (host = pool->hosts; host; host = host->next)
        if (strcmp(host->name, name) == 0)
            return host;
    host = calloc(1, sizeof *host + strlen(name) + 1);
    if (host) {
        strcpy(host->name, name);
        host->pool = pool;
        host->next = pool->hosts;
        pool->hosts = host;
    }
    return host;
}

/* How many jobs of a queue may run for a host beside others. */
static unsigned places(const struct pool *pool, const struct pool_queue *queue)
{
    return queue == &pool->now || pool->jobs == 1 ? pool->jobs : pool->jobs - 1;
}

/* The queue's first job whose host has a place free, counted as running; NULL if there is none. */
static struct pool_job *take_job(struct pool *pool, struct pool_queue *queue)
{
    for (struct pool_job **link = &queue->first; *link; link = &(*link)->next) {
        struct pool_job *job = *link;
        if (job->host->running >= places(pool, queue))
            continue;
        *link = job->next;
        if (!*link)
            queue->last = link;
        job->host->running++;
        pool->running++;
        return job;
    }
    return NULL;
}

static struct pool_job *next_job(struct pool *pool)
{
    struct pool_job *job = take_job(pool, &pool->now);

    return job ? job : take_job(pool, &pool->later);
}

static void free_jobs(struct pool_queue *queue)
{
    while (queue->first) {
        struct pool_job *next = queue->first->next;
        free(queue->first);
        queue->first = next;
    }
}

static void has_started(struct pool_host *host)
{
    host->starting--;
    host->pool->starting--;
}

/* Waits for something to do. False: too long idle, or it is being stopped. */
static bool idle(struct pool *pool, int milliseconds)
{
    struct pool_idler me = {.woken_for = NULL};
    int64_t until = clock_now() + milliseconds;
    int r = 0;

    if (atomic_load(&pool->stopping))
        return false;
    thread_condition_init(&me.wakeup);
    me.next = pool->idlers;
    /* cppcheck-suppress autoVariables ; it is taken out again before this returns */
    pool->idlers = &me;
    pthread_cond_broadcast(&pool->changed);
    while (!me.woken_for && r != ETIMEDOUT)
        r = thread_wait_until(&me.wakeup, &pool->lock, until);
    if (me.woken_for) {
        has_started(me.woken_for);
    } else {
        struct pool_idler **link = &pool->idlers;
        while (*link != &me)
            link = &(*link)->next;
        *link = me.next;
    }
    pthread_cond_destroy(&me.wakeup);
    return me.woken_for != NULL;
}

/* A thread without a remote still takes jobs: they fail with a sentence, and don't hang. The next one may get one. False:
 * the thread is of no more use. */
static bool run_job(struct pool *pool, struct pool_job *job, struct remote **remote)
{
    pthread_mutex_unlock(&pool->lock);
    if (pool->has_remotes && !*remote)
        remote_new(remote, &pool->settings, NULL);
    bool good = pool->run(pool->data, job->subject, job->kind, *remote);
    pthread_mutex_lock(&pool->lock);
    job->host->running--;
    pool->running--;
    free(job);
    return good;
}

/* Closes the connections, and waits on. False: too long idle. */
static bool rest(struct pool *pool, struct remote *remote)
{
    if (remote && !atomic_load(&pool->stopping)) {
        pthread_mutex_unlock(&pool->lock);
        remote_rest(remote);
        pthread_mutex_lock(&pool->lock);
    }
    /* Work that came meanwhile has started a thread of its own. */
    return idle(pool, IDLE_MILLISECONDS);
}

/* Counts the thread as ended. Each joins the one that ended before it, and pool_stop the last:
 * so none outlives the libraries that it uses. */
static void end_thread(struct pool *pool)
{
    pthread_t before = pool->last_ended;
    bool has_before = pool->has_ended;

    pool->last_ended = pthread_self();
    pool->has_ended = true;
    pool->threads--;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    if (has_before)
        pthread_join(before, NULL);
}

static int start_thread(struct pool *pool, struct pool_host *host);

/* Before a thread ends that is of no more use: another one takes what waits. False: there can be no
 * other; then this one has to go on. */
static bool replace_thread(struct pool *pool)
{
    struct pool_job *waits = pool->now.first ? pool->now.first : pool->later.first;
    struct pool_host *host = waits ? waits->host : NULL;

    if (!host)
        return true;
    if (start_thread(pool, host) < 0)
        return false;
    host->starting++;
    pool->starting++;
    return true;
}

static void *work(void *arg)
{
    struct pool_host *host = arg;
    struct pool *pool = host->pool;
    struct remote *remote = NULL;
    struct pool_job *job;

    pthread_mutex_lock(&pool->lock);
    has_started(host);
    while (!atomic_load(&pool->stopping)) {
        job = next_job(pool);
        if (job) {
            if (!run_job(pool, job, &remote) && replace_thread(pool))
                break;
        } else if (!idle(pool, WARM_MILLISECONDS) && !rest(pool, remote)) {
            break;
        }
    }
    /* The connections are closed before the thread counts as ended. */
    pthread_mutex_unlock(&pool->lock);
    if (remote)
        remote_free(remote);
    pthread_mutex_lock(&pool->lock);
    end_thread(pool);
    return NULL;
}

static int start_thread(struct pool *pool, struct pool_host *host)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    int r = pthread_create(&thread, &attributes, work, host);
    pthread_attr_destroy(&attributes);
    if (r == 0)
        pool->threads++;
    return -r;
}

/* One more thread looks for a job: an idle one, else a new one. */
static int engage_thread(struct pool *pool, struct pool_host *host)
{
    struct pool_idler *idler = pool->idlers;
    int r = 0;

    if (idler) {
        pool->idlers = idler->next;
        idler->woken_for = host;
        pthread_cond_signal(&idler->wakeup);
    } else {
        r = start_thread(pool, host);
    }
    if (r == 0) {
        host->starting++;
        pool->starting++;
    }
    return r;
}

static int queue_job(struct pool *pool, struct pool_queue *queue, const char *host_name,
                     void *subject, int kind)
{
    struct pool_job *job = calloc(1, sizeof *job);
    int r = 0;

    if (!job)
        return -ENOMEM;
    job->subject = subject;
    job->kind = kind;
    pthread_mutex_lock(&pool->lock);
    struct pool_host *host = job->host = find_host(pool, host_name);
    if (!host) {
        r = -ENOMEM;
    } else if (host->running + host->starting < places(pool, queue)) {
        if (pool->idlers || pool->threads < pool->max_threads)
            r = engage_thread(pool, host);
        /* Any thread that works takes this job too, in time. */
        if (r < 0 && pool->threads > 0)
            r = 0;
    }
    if (r == 0) {
        *queue->last = job;
        queue->last = &job->next;
    } else {
        free(job);
    }
    pthread_mutex_unlock(&pool->lock);
    return r;
}

int pool_queue(struct pool *pool, const char *host, void *subject, int kind)
{
    return queue_job(pool, &pool->now, host, subject, kind);
}

int pool_queue_later(struct pool *pool, const char *host, void *subject, int kind)
{
    return queue_job(pool, &pool->later, host, subject, kind);
}

void pool_drain(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->now.first || pool->later.first || pool->running || pool->starting)
        pthread_cond_wait(&pool->changed, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

bool pool_stop(struct pool *pool, int patience)
{
    int64_t until = clock_now() + patience;

    if (!pool)
        return true;
    atomic_store(&pool->stopping, true);
    pthread_mutex_lock(&pool->lock);
    while (pool->idlers)
        engage_thread(pool, pool->hosts);
    while (pool->threads > 0 && thread_wait_until(&pool->changed, &pool->lock, until) == 0)
        ;
    bool ended = pool->threads == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!ended)
        return false;
    if (pool->has_ended)
        pthread_join(pool->last_ended, NULL);
    free_jobs(&pool->now);
    free_jobs(&pool->later);
    for (struct pool_host *host = pool->hosts, *next; host; host = next) {
        next = host->next;
        free(host);
    }
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    politeness_free(pool->politeness);
    free(pool);
    return true;
}
