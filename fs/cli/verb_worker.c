/* verb_worker.c - what a mount's supervisor starts: the process that answers requests, and may die
 * at any time. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fs/cli/verb.h"
#include "fs/supervisor/spawn.h"
#include "fs/supervisor/supervisor.h"
#include "fs/tree/blobs.h"
#include "fs/tree/checkout.h"
#include "fs/tree/lists.h"
#include "fs/tree/lists_open.h"
#include "fs/tree/mount.h"
#include "fs/tree/namespace.h"
#include "fs/tree/parked.h"
#include "fs/worker/connection.h"
#include "fs/worker/list_watch.h"
#include "fs/worker/privileges.h"
#include "fs/worker/signals.h"
#include "fs/worker/texts.h"
#include "gitcache/fetch/pool.h"

#define BLOBS_MAX     ((size_t)128 << 20)
#define STOP_PATIENCE 2000 /* milliseconds for fetch threads to end */

static int load_blob(void *data, uint32_t key, void **bytes, size_t *size)
{
    struct mount *mount = data;
    struct error error = {0};
    int r = checkout_read(mount, key, bytes, size, &error);

    if (r < 0)
        log_error(mount->log, "%s", error.text);
    return r;
}

static void report_damage(void *data, uint32_t index)
{
    struct mount *mount = data;
    log_error(mount->log, "the node table is damaged at inode %llu: unmount and mount again",
              index + 1ull);
}

/* Sources are relative to the folder that `mount` was called in; holding on to it would keep its
 * disk busy. */
static int open_lists(struct mount *mount, const struct arguments *arguments, struct error *e)
{
    int r;

    if (arguments->count == 0 || chdir(arguments->operands[0]) < 0)
        return error_set(e, errno, "cannot enter %s: %s",
                         arguments->count ? arguments->operands[0] : "(nothing)", strerror(errno));
    r = lists_open(mount, arguments->operands + 1, arguments->count - 1, e);
    if (chdir("/") < 0 && r == 0)
        r = error_set(e, errno, "cannot enter /: %s", strerror(errno));
    return r;
}

static int open_mount(struct mount *mount, const struct arguments *arguments, struct error *e)
{
    const struct settings *settings = &arguments->settings;
    int r;

    mount->settings = settings;
    pthread_mutex_init(&mount->folders, NULL);
    pthread_mutex_init(&mount->fetch_trial, NULL);
    repos_init(&mount->repos);
    r = log_open(&mount->log, settings->log_level, settings->log_file, settings->foreground);
    if (r < 0)
        return error_set(e, -r, "cannot open the log %s: %s", settings->log_file, strerror(-r));
    r = nodes_map(&mount->nodes, WORKER_NODES_FD, e);
    if (r == 0)
        r = state_map(&mount->state, WORKER_STATE_FD, e);
    if (r == 0)
        r = cache_open(&mount->cache, settings->cache, false, e);
    if (r == 0)
        r = privileges_drop(cache_folder(mount->cache), e);
    if (r < 0)
        return r;
    nodes_on_damage(mount->nodes, report_damage, mount);
    mount->changed_at = mount->state->mounted_at * 1000000;
    mount->blobs = blobs_new(BLOBS_MAX, settings->cache, load_blob, mount);
    mount->parked = parked_new((int64_t)settings->timeout * 1000);
    mount->pool = pool_new(settings->jobs, &settings->remote, mount);
    if (!mount->blobs || !mount->parked || !mount->pool)
        return error_no_memory(e);
    r = namespace_open(mount, e);
    if (r == 0)
        r = control_open(mount, e);
    if (r == 0)
        r = open_lists(mount, arguments, e);
    return r;
}

struct worker {
    struct mount mount;
    pthread_t signals;
    bool has_signals;
};

static void say_ready(void *data)
{
    struct worker *worker = data;
    struct mount *mount = &worker->mount;

    mount->watch = list_watch_open(mount);
    worker->has_signals = signals_start(&worker->signals, mount) == 0;
    log_info(mount->log, "serving, worker %d", (int)getpid());
    if (write(WORKER_READY_FD, "", 1) < 0)
        log_warning(mount->log, "the supervisor does not listen: %s", strerror(errno));
    /* Who called `mount` may wait for the end of its output. */
    if (!mount->settings->foreground)
        stdio_to_null();
}

/* Everything is given back, so that leak checkers see what is not; but a thread that hangs in a
 * library must not keep the process. */
static void close_mount(struct worker *worker)
{
    struct mount *mount = &worker->mount;

    list_watch_close(mount->watch);
    if (!pool_stop(mount->pool, STOP_PATIENCE))
        _exit(EXIT_OK);
    parked_free(mount->parked);
    connection_free(mount->connection);
    blobs_free(mount->blobs);
    control_close(mount);
    lists_close(mount);
    repos_release(&mount->repos);
    cache_close(mount->cache);
    nodes_unmap(mount->nodes);
    log_close(mount->log);
}

int verb_worker(struct arguments *arguments)
{
    struct worker worker = {.mount.settings = &arguments->settings};
    struct mount *mount = &worker.mount;
    struct error error = {0};
    int r;

    prctl(PR_SET_NAME, "startpointfs");
    for (int fd = WORKER_FUSE_FD; fd <= WORKER_READY_FD; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return exit_fail(EXIT_USAGE, "'worker' is started by 'startpointfs mount' only");
    signals_block();
    r = open_mount(mount, arguments, &error);
    if (r == 0)
        r = connection_run(mount, WORKER_FUSE_FD, atomic_load(&mount->state->workers) > 1,
                           say_ready, &worker, &error);
    if (worker.has_signals)
        signals_stop(worker.signals);
    if (r < 0) {
        log_error(mount->log, "%s", error.text);
        if (!arguments->settings.foreground)
            exit_fail(EXIT_FAILED, "%s", error.text);
        return EXIT_FAILED;
    }
    if (r == CONNECTION_DRAINED) {
        /* Nothing is taken down: a fetch that fails now would be an answer to those who wait for
         * it. They are the next worker's. */
        log_info(mount->log, "worker %d ends", (int)getpid());
        _exit(EXIT_REPLACE);
    }
    log_info(mount->log, "worker %d ends: unmounted", (int)getpid());
    close_mount(&worker);
    return EXIT_OK;
}
