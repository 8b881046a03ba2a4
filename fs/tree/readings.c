#include "fs/tree/readings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fs/shared/children.h"
#include "fs/tree/checkout.h"
#include "fs/tree/parked.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/watch.h"
#include "gitcache/fetch/pool.h"

#define MAX_THREADS     32
#define BUDGET          20000 /* milliseconds of a processor's time for a folder or a file */
#define ABANDONED       300   /* milliseconds without anybody who waits, after which it ends */
#define MOMENT          50    /* milliseconds after which it goes on with a lower priority */
#define LOWER_PRIORITY  10    /* nice(1) */
#define FAILURE_KEPT    1000  /* milliseconds for which a failure is answered again */
#define MAX_TRIES       100   /* readings that one request waits for */
#define BUCKETS         256
#define FAILURES        1024 /* that are kept */
#define CHEAP_SIZE      (128u << 10)
#define CHEAP_AT_ONCE   2        /* files of one repository that are read where the request is */
#define CHEAP_TIME      20       /* milliseconds: a repository that once took longer is not cheap */
#define FIRST_OPERATION 0x10000u /* crash_record: beyond what the kernel asks for */
#define NEVER_TIMES_OUT (INT64_MAX / 4) /* it has a budget of its own */

enum reading_kind { READING_VERSION, READING_TREE, READING_FILE };

/* Its memory is used again for others, but given back only at the end: a request that is about to
 * wait for one that has ended, or is another's by now, at worst waits for the wrong one, and asks
 * again then. */
struct reading {
    struct work work;
    struct mount *mount;
    enum reading_kind kind;
    uint32_t node;
    struct repo_version *of; /* READING_VERSION */
    struct version version;  /* likewise */
    bool in_background;      /* goes on though nobody waits */
    /* while it runs, its thread's: */
    int64_t wanted_at;  /* clock_now() when somebody was last seen waiting */
    int64_t started_at; /* milliseconds of the thread's processor time */
    bool is_slow, is_beyond_budget;
    struct reading *next; /* in its bucket, or among those that are free */
};

struct reading_failure {
    uint32_t node;
    int errnum;    /* 0: the slot is free */
    int64_t until; /* clock_now() */
};

struct readings {
    struct pool *pool;
    pthread_mutex_t trial;            /* what two workers may have died of: one at a time */
    pthread_mutex_t lock;             /* guards all below */
    struct reading *running[BUCKETS]; /* by node: queued or being read */
    struct reading *unused;
    struct reading_failure failures[FAILURES]; /* by node; a newer one pushes an older one out */
};

static bool run(void *data, void *subject, int kind, struct remote *remote);

/* Half of the processors for one repository. */
static unsigned threads_of_a_repository(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 4 ? 2 : processors > 16 ? 8 : (unsigned)processors / 2;
}

struct readings *readings_new(struct mount *mount)
{
    struct readings *readings = calloc(1, sizeof *readings);

    if (!readings)
        return NULL;
    readings->pool = pool_new(threads_of_a_repository(), NULL, run, mount);
    if (!readings->pool) {
        free(readings);
        return NULL;
    }
    pool_limit_threads(readings->pool, MAX_THREADS);
    pthread_mutex_init(&readings->trial, NULL);
    pthread_mutex_init(&readings->lock, NULL);
    return readings;
}

static void free_list(struct reading *reading)
{
    while (reading) {
        struct reading *next = reading->next;
        free(reading);
        reading = next;
    }
}

bool readings_stop(struct readings *readings, int patience)
{
    if (!readings)
        return true;
    if (!pool_stop(readings->pool, patience))
        return false;
    for (size_t i = 0; i < BUCKETS; i++)
        free_list(readings->running[i]);
    free_list(readings->unused);
    pthread_mutex_destroy(&readings->trial);
    pthread_mutex_destroy(&readings->lock);
    free(readings);
    return true;
}

void readings_drain(struct readings *readings)
{
    pool_drain(readings->pool);
}

/* ---- failures ---- */

static struct reading_failure *failure_slot(struct readings *readings, uint32_t node)
{
    return &readings->failures[node % FAILURES];
}

/* The negative errno of a failure that is still answered; 0: none. The caller holds the lock. */
static int find_failure(struct readings *readings, uint32_t node)
{
    const struct reading_failure *failure = failure_slot(readings, node);

    return failure->errnum && failure->node == node && failure->until > clock_now()
               ? -failure->errnum
               : 0;
}

static void keep_failure(struct readings *readings, uint32_t node, int errnum, int64_t until)
{
    pthread_mutex_lock(&readings->lock);
    *failure_slot(readings, node) = (struct reading_failure){node, errnum, until};
    pthread_mutex_unlock(&readings->lock);
}

void readings_forget_failure(struct mount *mount, uint32_t node)
{
    struct reading_failure *failure = failure_slot(mount->readings, node);

    pthread_mutex_lock(&mount->readings->lock);
    if (failure->node == node)
        failure->errnum = 0;
    pthread_mutex_unlock(&mount->readings->lock);
}

/* ---- starting one ---- */

static struct reading **bucket_of(struct readings *readings, uint32_t node)
{
    return &readings->running[node % BUCKETS];
}

/* The caller holds the lock. */
static struct reading *find(struct readings *readings, uint32_t node)
{
    struct reading *reading = *bucket_of(readings, node);

    while (reading && reading->node != node)
        reading = reading->next;
    return reading;
}

/* The caller holds the lock. NULL: out of memory. */
static struct reading *take_unused(struct readings *readings)
{
    struct reading *reading = readings->unused;

    if (!reading)
        return calloc(1, sizeof *reading);
    readings->unused = reading->next;
    return reading;
}

static void unlink_running(struct readings *readings, const struct reading *reading)
{
    struct reading **link = bucket_of(readings, reading->node);

    while (*link != reading)
        link = &(*link)->next;
    *link = reading->next;
}

/* The caller holds the lock. */
static void put_unused(struct readings *readings, struct reading *reading)
{
    reading->next = readings->unused;
    readings->unused = reading;
}

/* What a reading is of. */
struct reading_spec {
    enum reading_kind kind;
    uint32_t node;
    struct repo *repo;
    struct repo_version *of;
    const struct version *version;
    bool in_background;
};

/* The caller holds the lock. */
static int start(struct mount *mount, const struct reading_spec *spec, struct reading **out)
{
    struct readings *readings = mount->readings;
    struct reading *reading = take_unused(readings);
    struct reading **bucket = bucket_of(readings, spec->node);

    if (!reading)
        return -ENOMEM;
    reading->mount = mount;
    reading->kind = spec->kind;
    reading->node = spec->node;
    reading->of = spec->of;
    if (spec->version)
        reading->version = *spec->version;
    reading->in_background = spec->in_background;
    reading->is_slow = reading->is_beyond_budget = false;
    reading->wanted_at = clock_now();
    work_begin(&reading->work);
    atomic_store(&reading->work.progress_at, NEVER_TIMES_OUT);
    int r = pool_queue(readings->pool, spec->repo->name, reading, spec->kind);
    if (r < 0) {
        atomic_store(&reading->work.running, false);
        put_unused(readings, reading);
        return r;
    }
    reading->next = *bucket;
    *bucket = reading;
    *out = reading;
    return 0;
}

/* -EAGAIN, or the errno of why it cannot be read. */
static int wait_for(struct mount *mount, const struct reading_spec *spec, struct ask *ask)
{
    struct readings *readings = mount->readings;
    struct reading *reading;
    int r = 0;

    pthread_mutex_lock(&readings->lock);
    reading = find(readings, spec->node);
    if (!reading)
        r = find_failure(readings, spec->node);
    if (!reading && r == 0)
        r = ask->readings++ < MAX_TRIES ? start(mount, spec, &reading) : -EIO;
    if (r == 0)
        ask->work = &reading->work;
    pthread_mutex_unlock(&readings->lock);
    return r < 0 ? r : -EAGAIN;
}

int readings_open_version(struct mount *mount, uint32_t node, struct repo_version *of,
                          const struct version *version, struct ask *ask)
{
    struct reading_spec spec = {
        .kind = READING_VERSION, .node = node, .repo = of->repo, .of = of, .version = version};
    uint32_t checkout;
    int r = node_checkout(mount->nodes, node, &checkout);

    return r == -EAGAIN ? wait_for(mount, &spec, ask) : r;
}

void readings_switch_later(struct mount *mount, uint32_t node, struct repo_version *of,
                           const struct version *version)
{
    struct reading_spec spec = {.kind = READING_VERSION,
                                .node = node,
                                .repo = of->repo,
                                .of = of,
                                .version = version,
                                .in_background = true};
    struct reading *reading;

    pthread_mutex_lock(&mount->readings->lock);
    /* One that is under way may be of the commit before: another reading, after it, is found by
     * nobody else, but ends as well. */
    int r = start(mount, &spec, &reading);
    pthread_mutex_unlock(&mount->readings->lock);
    if (r < 0)
        log_error(mount->log, "%s/%s: not switched: %s", of->repo->name, repo_version_label(of),
                  strerror(-r));
}

int readings_open_tree(struct mount *mount, uint32_t index, struct ask *ask)
{
    const struct node *node = node_get(mount->nodes, index);
    struct reading_spec spec = {
        .kind = READING_TREE, .node = index, .repo = repos_of_node(&mount->repos, index)};

    if (!node || !spec.repo)
        return -EIO;
    return node_has_children(node) ? 0 : wait_for(mount, &spec, ask);
}

/* ---- files ---- */

static int64_t processor_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_cheap(const struct node *node, const struct repo *repo)
{
    return node->data <= CHEAP_SIZE && checkout_is_cheap(node) && !atomic_load(&repo->is_costly);
}

/* Reads a file that should be cheap on the calling thread. -EAGAIN: enough of the repository's are
 * being read like that. */
static int read_here(struct mount *mount, struct repo *repo, uint32_t node, struct blob **out)
{
    struct error error = {0};
    struct content content;
    int r = -EAGAIN;

    if (atomic_fetch_add(&repo->read_here, 1) < CHEAP_AT_ONCE) {
        int64_t began = processor_time();
        r = checkout_read(mount, node, NULL, &content, &error);
        if (processor_time() - began > CHEAP_TIME)
            atomic_store(&repo->is_costly, true);
        if (r < 0)
            log_error(mount->log, "%s", error.text);
        else
            r = blobs_add(mount->blobs, node, &content, out);
    }
    atomic_fetch_sub(&repo->read_here, 1);
    return r;
}

int readings_get_blob(struct mount *mount, uint32_t index, struct ask *ask, struct blob **out)
{
    const struct node *node = node_get(mount->nodes, index);
    struct reading_spec spec = {.kind = READING_FILE, .node = index};
    int r = -EAGAIN;

    *out = blobs_find(mount->blobs, index);
    if (*out)
        return 0;
    spec.repo = repos_of_node(&mount->repos, index);
    if (!node || !spec.repo)
        return -EIO;
    if (is_cheap(node, spec.repo))
        r = read_here(mount, spec.repo, index, out);
    return r == -EAGAIN ? wait_for(mount, &spec, ask) : r;
}

/* ---- on a thread of the pool ---- */

static void lower_priority(struct reading *reading)
{
    /* To Linux, a thread is a process here. It cannot be raised again: the thread ends after this. */
    setpriority(PRIO_PROCESS, (id_t)gettid(), LOWER_PRIORITY);
    reading->is_slow = true;
}

/* Milliseconds of a processor's time for a folder or a file: `timeout`, as for a remote's silence. */
static int64_t budget_of(const struct mount *mount)
{
    return mount->settings->timeout * INT64_C(1000);
}

/* Asked every few milliseconds. */
static bool on_cancelled(void *data)
{
    struct reading *reading = data;
    int64_t now = clock_now(), spent = processor_time() - reading->started_at;

    if (!reading->is_slow && spent > MOMENT)
        lower_priority(reading);
    if (reading->in_background || atomic_load(&reading->work.waiting) > 0)
        reading->wanted_at = now;
    reading->is_beyond_budget = spent > budget_of(reading->mount);
    return reading->is_beyond_budget || now - reading->wanted_at > ABANDONED ||
           pool_is_stopping(reading->mount->readings->pool);
}

static int read_version(struct reading *reading, const struct watch *watch, struct error *e)
{
    struct repo_version *of = reading->of;
    int r = checkout_publish(reading->mount, of->repo, reading->node, &reading->version, false,
                             watch, e);

    if (r < 0)
        return r;
    pthread_mutex_lock(&of->repo->lock);
    if (of->state != VERSION_READY) {
        of->version = reading->version;
        of->state = VERSION_READY;
    }
    pthread_mutex_unlock(&of->repo->lock);
    return 0;
}

/* A branch: until it shows what it is by now, whatever was shown meanwhile. */
static int switch_version(struct reading *reading, const struct watch *watch, struct error *e)
{
    struct repo_version *of = reading->of;
    struct version shown = reading->version;
    bool is_new;

    do {
        int r = checkout_publish(reading->mount, of->repo, reading->node, &shown, true, watch, e);
        if (r < 0)
            return r;
        pthread_mutex_lock(&of->repo->lock);
        is_new = of->state == VERSION_READY && !oid_equal(&of->version.commit, &shown.commit);
        if (is_new)
            shown = of->version;
        pthread_mutex_unlock(&of->repo->lock);
    } while (is_new);
    return 0;
}

static int read_file(struct reading *reading, const struct watch *watch, struct content *content,
                     struct error *e)
{
    struct mount *mount = reading->mount;
    int r = checkout_read(mount, reading->node, watch, content, e);

    /* Large files that are kept for the next reader may be what fills the disk. */
    if (r == -ENOSPC && blobs_drop_files(mount->blobs))
        r = checkout_read(mount, reading->node, watch, content, e);
    return r;
}

static int read_it(struct reading *reading, struct content *content, struct error *e)
{
    const struct watch watch = {.cancelled = on_cancelled, .data = reading};

    reading->started_at = processor_time();
    if (on_cancelled(reading))
        return error_set(e, ECANCELED, "nobody waits for it any more");
    switch (reading->kind) {
    case READING_VERSION:
        return reading->in_background ? switch_version(reading, &watch, e)
                                      : read_version(reading, &watch, e);
    case READING_TREE:
        return checkout_open_tree(reading->mount, reading->node, &watch, e);
    case READING_FILE:
        return read_file(reading, &watch, content, e);
    }
    return -EIO;
}

/* With what crash_record.h is about. Nobody dies of keeping what was read, which may take longer
 * than reading it. */
static int read_on_record(struct reading *reading, struct blob **blob, struct error *e)
{
    struct crash_record *crashes = &reading->mount->state->crashes;
    uint64_t key =
        crash_record_key_of_request(FIRST_OPERATION + reading->kind, reading->node + 1ull, "");
    enum crash_verdict verdict = crash_record_judge(crashes, key);
    struct content content = {.fd = -1};

    if (verdict == CRASH_GIVEN_UP)
        return error_set(e, EIO, "inode %u: %d workers died of reading it: not tried for %d s",
                         reading->node + 1, CRASH_DEATHS, CRASH_PAUSE / 1000);
    if (verdict == CRASH_TRIAL)
        pthread_mutex_lock(&reading->mount->readings->trial);
    crash_record_work(crashes, key);
    int r = read_it(reading, &content, e);
    crash_record_end(crashes, key);
    if (verdict == CRASH_TRIAL)
        pthread_mutex_unlock(&reading->mount->readings->trial);
    if (r < 0 || (!content.data && content.fd < 0))
        return r;
    return blobs_add(reading->mount->blobs, reading->node, &content, blob) < 0 ? error_no_memory(e)
                                                                               : 0;
}

static void report(struct reading *reading, int r, const struct error *error)
{
    struct mount *mount = reading->mount;
    struct repo *repo = repos_of_node(&mount->repos, reading->node);

    if (r == -ECANCELED && reading->is_beyond_budget) {
        const struct node *node = node_get(mount->nodes, reading->node);
        log_error(
            mount->log,
            "%s: reading '%s' took more than timeout=%d s of a processor's time: it is given up, "
            "and not tried again",
            repo ? repo->name : "", node ? node_name(mount->nodes, node) : "",
            (int)(budget_of(mount) / 1000));
        keep_failure(mount->readings, reading->node, EFBIG, INT64_MAX);
    } else if (r < 0 && r != -ECANCELED) {
        log_error(mount->log, "%s: %s", repo ? repo->name : "", error->text);
        keep_failure(mount->readings, reading->node, -r, clock_now() + FAILURE_KEPT);
    }
}

static bool run(void *data, void *subject, int kind, struct remote *remote)
{
    struct mount *mount = data;
    struct readings *readings = mount->readings;
    struct reading *reading = subject;
    struct error error = {0};
    struct blob *blob = NULL;

    (void)kind;
    (void)remote;
    int r = read_on_record(reading, &blob, &error);
    report(reading, r, &error);
    bool is_good = !reading->is_slow;
    pthread_mutex_lock(&readings->lock);
    unlink_running(readings, reading);
    pthread_mutex_unlock(&readings->lock);
    atomic_store(&reading->work.running, false);
    parked_wake(mount->parked, &reading->work);
    /* Not before, or it might be gone when those ask for it. */
    if (blob)
        blobs_put(mount->blobs, blob);
    pthread_mutex_lock(&readings->lock);
    put_unused(readings, reading);
    pthread_mutex_unlock(&readings->lock);
    return is_good;
}
