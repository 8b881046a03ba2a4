#include "fs/tree/readings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/shared/children.h"
#include "fs/tree/cheap_file.h"
#include "fs/tree/cheap_folder.h"
#include "fs/tree/files_ahead.h"
#include "fs/tree/reading.h"
#include "fs/tree/reclaim.h"
#include "gitcache/base/clock.h"

#define MAX_THREADS     32
#define FAILURE_KEPT    1000 /* milliseconds for which a failure is answered again */
#define MAX_TRIES       100  /* readings that one request waits for */
#define BUCKETS         256
#define FAILURES        1024 /* that are kept */
#define CHEAP_AT_ONCE   2    /* files and folders of a repository that are read for requests */
#define ALL_AT_ONCE     4    /* likewise, of all: other threads answer the kernel meanwhile */
#define NEVER_TIMES_OUT (INT64_MAX / 4) /* it has a budget of its own */

struct reading_failure {
    uint64_t id;   /* node_id: the place may be another node's later */
    int errnum;    /* 0: the slot is free */
    int64_t until; /* clock_now() */
};

struct readings {
    struct pool *pool;
    struct turns turns;
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
    turns_init(&readings->turns, 0);
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
    turns_release(&readings->turns);
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
static int find_failure(struct readings *readings, const struct nodes *nodes, uint32_t node)
{
    const struct reading_failure *failure = failure_slot(readings, node);

    return failure->errnum && failure->id == node_id(nodes, node) && failure->until > clock_now()
               ? -failure->errnum
               : 0;
}

static void keep_failure(struct mount *mount, uint32_t node, int errnum, int64_t until)
{
    struct readings *readings = mount->readings;

    pthread_mutex_lock(&readings->lock);
    *failure_slot(readings, node) =
        (struct reading_failure){node_id(mount->nodes, node), errnum, until};
    pthread_mutex_unlock(&readings->lock);
}

void readings_forget_failure(struct mount *mount, uint32_t node)
{
    struct reading_failure *failure = failure_slot(mount->readings, node);

    pthread_mutex_lock(&mount->readings->lock);
    if (failure->id == node_id(mount->nodes, node))
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
    bool in_background, is_ahead;
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
    reading->pool = readings->pool;
    reading->trial = &readings->trial;
    reading->turns = &readings->turns;
    reading->repo = spec->repo;
    reading->kind = spec->kind;
    reading->node = spec->node;
    reading->of = spec->of;
    if (spec->version)
        reading->version = *spec->version;
    reading->in_background = spec->in_background;
    reading->is_ahead = spec->is_ahead;
    reading->is_slow = reading->is_beyond_budget = reading->has_turn = false;
    reading->wanted_at = clock_now();
    work_begin(&reading->work);
    atomic_store(&reading->work.progress_at, NEVER_TIMES_OUT);
    int r = pool_queue(readings->pool, spec->repo ? spec->repo->name : "", reading, spec->kind);
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
        r = find_failure(readings, mount->nodes, spec->node);
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

void readings_open_ahead(struct mount *mount, uint32_t node, struct repo_version *of)
{
    struct reading_spec spec = {
        .kind = READING_VERSION, .node = node, .repo = of->repo, .of = of, .is_ahead = true};
    struct ask nobody = {0};
    uint32_t checkout;

    if (node_checkout(mount->nodes, node, &checkout) == -EAGAIN)
        wait_for(mount, &spec, &nobody);
}

int readings_join(struct mount *mount, uint32_t node, struct ask *ask)
{
    struct readings *readings = mount->readings;

    pthread_mutex_lock(&readings->lock);
    struct reading *reading = ask->readings < MAX_TRIES ? find(readings, node) : NULL;
    if (reading) {
        ask->readings++;
        ask->work = &reading->work;
    }
    pthread_mutex_unlock(&readings->lock);
    return reading ? -EAGAIN : 0;
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

/* Whether one more of the repository may be read on its request's thread; in any case begin is followed by end. */
static bool begin_here(struct mount *mount, struct repo *repo)
{
    unsigned of_all = atomic_fetch_add(&mount->read_here, 1);
    return atomic_fetch_add(&repo->read_here, 1) < CHEAP_AT_ONCE && of_all < ALL_AT_ONCE;
}

static void end_here(struct mount *mount, struct repo *repo)
{
    atomic_fetch_sub(&repo->read_here, 1);
    atomic_fetch_sub(&mount->read_here, 1);
}

/* Whether nobody reads it, nor has failed to a moment ago. */
static bool is_unread(struct mount *mount, uint32_t node)
{
    struct readings *readings = mount->readings;

    pthread_mutex_lock(&readings->lock);
    bool unread = !find(readings, node) && find_failure(readings, mount->nodes, node) == 0;
    pthread_mutex_unlock(&readings->lock);
    return unread;
}

/* Reads a folder that should be cheap on the calling thread. False: it is not, it fails, or enough are being read
 * like that. */
static bool open_here(struct mount *mount, struct repo *repo, uint32_t node)
{
    bool is_open = false;

    if (!cheap_folder_may_be(mount, repo, node) || !is_unread(mount, node))
        return false;
    if (begin_here(mount, repo))
        is_open = cheap_folder_try(mount, repo, node);
    end_here(mount, repo);
    return is_open;
}

int readings_open_tree(struct mount *mount, uint32_t index, struct ask *ask)
{
    const struct node *node = node_get(mount->nodes, index);
    struct reading_spec spec = {
        .kind = READING_TREE, .node = index, .repo = repos_of_node(&mount->repos, index)};

    if (!node || !spec.repo)
        return -EIO;
    if (node_has_children(node) || open_here(mount, spec.repo, index))
        return 0;
    return wait_for(mount, &spec, ask);
}

int readings_reclaim(struct mount *mount, struct ask *ask)
{
    struct reading_spec spec = {.kind = READING_RECLAIM, .node = NODE_ROOT_INDEX};

    return wait_for(mount, &spec, ask);
}

void readings_each(struct mount *mount, void (*visit)(void *data, uint32_t node), void *data)
{
    struct readings *readings = mount->readings;

    pthread_mutex_lock(&readings->lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct reading *reading = readings->running[i]; reading; reading = reading->next)
            visit(data, reading->node);
    pthread_mutex_unlock(&readings->lock);
}

/* ---- files ---- */

/* Reads a file that should be cheap on the calling thread. -EAGAIN: enough are being read like
 * that. */
static int read_here(struct mount *mount, struct repo *repo, uint32_t node, struct blob **out)
{
    struct error error = {0};
    int r = -EAGAIN;

    if (begin_here(mount, repo)) {
        r = cheap_file_read(mount, repo, node, out, &error);
        if (r < 0)
            log_error(mount->log, "%s", error.text);
    }
    end_here(mount, repo);
    return r;
}

int readings_get_blob(struct mount *mount, uint32_t index, struct ask *ask, struct blob **out)
{
    const struct node *node = node_get(mount->nodes, index);
    struct reading_spec spec = {.kind = READING_FILE, .node = index};
    int r = -EAGAIN;

    files_ahead_note(mount->files_ahead, index);
    *out = blobs_find(mount->blobs, node_id(mount->nodes, index));
    if (*out)
        return 0;
    spec.repo = repos_of_node(&mount->repos, index);
    if (!node || !spec.repo)
        return -EIO;
    if (cheap_file_is(node, spec.repo))
        r = read_here(mount, spec.repo, index, out);
    return r == -EAGAIN ? wait_for(mount, &spec, ask) : r;
}

static void report(struct reading *reading, int r, const struct error *error)
{
    struct mount *mount = reading->mount;
    struct repo *repo = repos_of_node(&mount->repos, reading->node);

    if (r == -ECANCELED && reading->is_beyond_budget) {
        const struct node *node = node_get(mount->nodes, reading->node);
        log_error(mount->log,
                  "%s: reading '%s' took more than timeout=%d s of processor time: given up, and "
                  "not tried again",
                  repo ? repo->name : "", node ? node_name(mount->nodes, node) : "",
                  (int)(reading_budget(mount) / 1000));
        keep_failure(mount, reading->node, EFBIG, INT64_MAX);
    } else if (r < 0 && r != -ECANCELED) {
        log_error(mount->log, "%s: %s", repo ? repo->name : "", error->text);
        keep_failure(mount, reading->node, -r, clock_now() + FAILURE_KEPT);
    }
}

static bool run(void *data, void *subject, int kind, struct remote *remote)
{
    struct mount *mount = data;
    struct readings *readings = mount->readings;
    struct reading *reading = subject;
    struct repo *repo = reading->repo; /* the reading is another's when it has ended */
    struct error error = {0};
    struct blob *blob = NULL;

    (void)kind;
    (void)remote;
    int r = reading_run(reading, &blob, &error);
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
    if (repo)
        reclaim_if_due(mount, repo);
    return is_good;
}
