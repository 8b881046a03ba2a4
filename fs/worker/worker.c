#include "fs/worker/worker.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/tree/blobs.h"
#include "fs/tree/checkout.h"
#include "fs/tree/control_folder.h"
#include "fs/tree/files_ahead.h"
#include "fs/tree/lists.h"
#include "fs/tree/lists_open.h"
#include "fs/tree/missing.h"
#include "fs/tree/parked.h"
#include "fs/tree/publish.h"
#include "fs/tree/readahead.h"
#include "fs/tree/readings.h"
#include "fs/tree/refresh.h"
#include "fs/tree/room.h"
#include "fs/tree/set_folders.h"
#include "fs/worker/connection.h"
#include "fs/worker/fence.h"
#include "fs/worker/list_watch.h"
#include "fs/worker/run_as.h"
#include "fs/worker/signals.h"
#include "fs/worker/status.h"
#include "fs/worker/texts.h"
#include "gitcache/fetch/pool.h"

#define BLOBS_MEMORY  ((uint64_t)128 << 20)
#define BLOBS_FILES   ((uint64_t)2 << 30) /* on the disk, in the cache */
#define LARGE_BLOCK   (1 << 20)
#define STOP_PATIENCE 2000 /* milliseconds for threads to end */

static int make_text(void *data, uint32_t index, struct ask *ask, char **bytes)
{
    struct mount *mount = data;
    const struct node *node = node_get(mount->nodes, index);

    if (!node || node->kind != NODE_CONTROL_FILE)
        return -EIO;
    switch ((enum control_folder_text)node_data(mount->nodes, node)) {
    case CONTROL_FOLDER_STATUS:
        *bytes = status_make(mount);
        return *bytes ? 0 : -ENOMEM;
    case CONTROL_FOLDER_SHAS:
        return set_folders_shas(mount, node->parent, ask, bytes);
    case CONTROL_FOLDER_TYPE:
        return set_folders_type(mount, node->parent, bytes);
    }
    return -EIO;
}

static void report_damage(void *data, uint32_t index)
{
    struct mount *mount = data;
    log_error(mount->log, "the node table is damaged at inode %llu: unmount and mount again",
              (unsigned long long)node_id(mount->nodes, index));
}

static void on_folder_changed(void *data, uint32_t folder, bool renamed)
{
    const struct worker *worker = data;

    connection_folder_changed(worker->connection, folder, renamed);
}

static void on_file_corrected(void *data, uint32_t file)
{
    const struct worker *worker = data;

    connection_file_corrected(worker->connection, file);
}

/* A certificate, say, that has been renewed: those who wait for this fetch are the next worker's. */
static void on_fetch(void *data)
{
    const struct worker *worker = data;

    if (fence_is_outdated_now_and_then(worker->fence))
        connection_drain(worker->connection);
}

static void on_unwanted(void *data, const uint64_t *ids, size_t count)
{
    const struct worker *worker = data;

    connection_unwanted(worker->connection, ids, count);
}

/* What was damaged in the cache, or cannot be kept there. */
static void say_of_cache(void *data, const char *sentence)
{
    log_warning(data, "%s", sentence);
}

/* What lies in memory and on disk; no thread is started yet. */
static int open_parts(struct worker *worker, struct error *e)
{
    const struct worker_start *start = worker->start;
    const struct settings *settings = start->settings;
    struct mount *mount = &worker->mount;
    int r = log_open(&mount->log, settings->log_level, settings->log_file, settings->foreground);

    if (r < 0)
        return error_set(e, -r, "cannot open the log %s: %s", settings->log_file, strerror(-r));
    r = state_work_alone(start->state_fd, e);
    if (r == 0)
        r = run_as_enter(settings, SIGKILL, e);
    if (r == 0)
        r = nodes_map(&mount->nodes, start->nodes_fd, e);
    if (r == 0)
        r = state_map(&mount->state, start->state_fd, e);
    if (r == 0) /* before anything is read that the last worker may have died of */
        crash_record_recover(&mount->state->crashes, mount->state->was_killed);
    if (r == 0)
        r = cache_open(&mount->cache, settings->cache, false, e);
    if (r == 0)
        cache_on_damage(mount->cache, say_of_cache, mount->log);
    if (r == 0)
        r = fence_close(&worker->fence, start, cache_folder(mount->cache), mount->log, e);
    return r;
}

/* A later worker must begin, whatever has become of the lists: everybody waits for it. */
static int open_lists(struct mount *mount, const struct worker_start *start, struct error *e)
{
    bool first = !atomic_load(&mount->state->answers);

    return (first ? lists_open : lists_resume)(mount, start->folder, start->operands,
                                               start->operand_count, e);
}

/* Large files that are kept for the next reader take a quarter of the cache's limit at most. */
static uint64_t most_of_files(const struct settings *settings)
{
    uint64_t quarter = settings->cache_max / 4;
    return quarter > 0 && quarter < BLOBS_FILES ? quarter : BLOBS_FILES;
}

static int open_mount(struct worker *worker, struct error *e)
{
    const struct worker_start *start = worker->start;
    const struct settings *settings = start->settings;
    struct mount *mount = &worker->mount;
    int r;

    mount->settings = settings;
    mount->last_reading = start->lists_fd;
    pthread_mutex_init(&mount->folders, NULL);
    pthread_mutex_init(&mount->reclaim, NULL);
    pthread_mutex_init(&mount->fetch_trial, NULL);
    pthread_mutex_init(&mount->versions_ahead.lock, NULL);
    r = open_parts(worker, e);
    if (r < 0)
        return r;
    repos_init(&mount->repos, mount->nodes, mount->cache);
    nodes_on_damage(mount->nodes, report_damage, mount);
    mount->changed_at = mount->state->mounted_at * 1000000;
    worker->connection = connection_new(worker, start->fuse_fd);
    worker->texts = texts_new(make_text, mount);
    mount->blobs = blobs_new(BLOBS_MEMORY, most_of_files(settings));
    mount->files_ahead = files_ahead_new(mount);
    mount->room = room_new(mount);
    mount->readings = readings_new(mount);
    mount->parked = parked_new((int64_t)settings->timeout * 1000);
    mount->pool = pool_new(settings->jobs, &settings->remote, refresh_run, mount);
    /* Out of memory: then it is done without. */
    mount->readahead = settings->readahead == READAHEAD_YES ? readahead_new() : NULL;
    if (!worker->connection || !worker->texts || !mount->blobs || !mount->files_ahead ||
        !mount->room || !mount->readings || !mount->parked || !mount->pool ||
        checkout_init(mount) < 0)
        return error_set(e, ENOMEM,
                         "out of memory, or no more threads may be started (ulimit -u, pids.max)");
    mount->observer = (struct mount_observer){on_folder_changed, on_file_corrected, on_unwanted,
                                              on_fetch, worker};
    r = publish_root(mount, e);
    if (r == 0)
        r = control_folder_open(mount, e);
    if (r == 0)
        r = open_lists(mount, start, e);
    return r;
}

/* Everything is given back, so that leak checkers see what is not; but a thread that hangs in a
 * library must not keep the process. */
static void close_mount(struct worker *worker)
{
    struct mount *mount = &worker->mount;

    list_watch_close(worker->list_watch);
    if (!room_stop(mount->room, STOP_PATIENCE) || !pool_stop(mount->pool, STOP_PATIENCE) ||
        !files_ahead_stop(mount->files_ahead, STOP_PATIENCE) ||
        !readings_stop(mount->readings, STOP_PATIENCE))
        _exit(0);
    room_free(mount->room);
    parked_free(mount->parked);
    connection_free(worker->connection);
    blobs_free(mount->blobs);
    checkout_release(mount);
    texts_free(worker->texts);
    lists_close(mount);
    readahead_free(mount->readahead);
    repos_release(&mount->repos);
    cache_close(mount->cache);
    nodes_unmap(mount->nodes);
    fence_free(worker->fence);
    log_close(mount->log);
}

static void on_ready(void *data)
{
    struct worker *worker = data;
    struct mount *mount = &worker->mount;

    worker->list_watch = list_watch_open(worker);
    room_start(mount->room);
    worker->has_signals = signals_start(&worker->signals, worker) == 0;
    log_info(mount->log, "serving, worker %d", (int)getpid());
    worker->start->ready(worker->start->data);
    lists_publish_first(mount);
    missing_ask_later(mount);
}

/* What is large (a listing of very many refs, a file) goes back to the system when it is freed. Left to
 * itself glibc raises this bound to 32 MiB after the first of them, and keeps the next in pieces. */
static void bound_kept_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
#endif
}

int worker_run(const struct worker_start *start, struct error *e)
{
    /* Not on the stack: threads go on with it after a return without close_mount. */
    struct worker *worker = calloc(1, sizeof *worker);
    int r;

    if (!worker)
        return error_no_memory(e);
    worker->start = start;
    struct mount *mount = &worker->mount;
    bound_kept_memory();
    signals_block();
    r = open_mount(worker, e);
    if (r == 0)
        r = connection_run(worker->connection, atomic_load(&mount->state->workers) > 1, on_ready,
                           worker, e);
    if (worker->has_signals)
        signals_stop(worker->signals);
    if (r < 0) {
        log_error(mount->log, "%s", e->text);
        return r;
    }
    if (r == CONNECTION_DRAINED) {
        /* Nothing is taken down: a fetch that fails now would be an answer to those who wait for
         * it. They are the next worker's. */
        log_info(mount->log, "worker %d ends", (int)getpid());
        return WORKER_REPLACED;
    }
    log_info(mount->log, "worker %d ends: unmounted", (int)getpid());
    close_mount(worker);
    free(worker);
    return WORKER_UNMOUNTED;
}
