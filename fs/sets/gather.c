#include "fs/sets/gather.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/sets/progress.h"
#include "fs/tree/fetcher.h"
#include "fs/tree/repos.h"
#include "gitcache/store/use.h"

struct gather_work {
    struct use *use; /* gc leaves alone what we find, until we are done with it */
    const struct gather_options *options;
    const struct settings *settings;
    struct gather *gathering;
    struct fetcher *fetcher;
    struct progress *progress;
    struct repos repos;
    size_t *repo_of; /* for each item, its repository's place in repos */
};

/* A handler can reach nothing else than this. It only sets the flag. */
static atomic_bool interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* One repository's transfer, as remote_watch sees it. */
struct transfer {
    struct gather_work *gather;
    const char *name;
    uint64_t bytes;
};

static void on_progress(void *data, uint64_t bytes, const char *line)
{
    struct transfer *transfer = data;

    if (line)
        progress_line(transfer->gather->progress, transfer->name, line);
    progress_bytes(transfer->gather->progress, transfer->name,
                   bytes > transfer->bytes ? bytes - transfer->bytes : 0);
    transfer->bytes = bytes;
}

static bool on_cancelled(void *data)
{
    (void)data;
    return interrupted;
}

static const char *version_label(const struct source *source)
{
    return source->version ? source->version : "(default branch)";
}

static void report(struct gather_work *gather, const struct gather_item *item)
{
    char label[512];

    snprintf(label, sizeof label, "%s/%s", item->source->name, version_label(item->source));
    progress_done(gather->progress, label,
                  item->status ? item->error.text
                               : (item->fetched ? "fetched" : "in the cache already"));
}

static int match_moved(void *data, const char *tag, const struct oid *pinned, const struct oid *now)
{
    struct gather_item *item = data;

    if (item->source->kind != SOURCE_NAMED || strcmp(item->source->version, tag) != 0)
        return 0;
    (void)pinned;
    item->moved = true;
    item->moved_to = *now;
    return 1;
}

/* The requests of one repository, in the order of their items. */
struct batch {
    struct version_request *requests;
    struct gather_item **items;
    size_t count;
};

static int batch_init(struct batch *batch, struct gather_work *gather, const struct repo *repo)
{
    struct gather *all = gather->gathering;

    *batch = (struct batch){.requests = calloc(all->count, sizeof *batch->requests),
                            .items = calloc(all->count, sizeof *batch->items)};
    if (!batch->requests || !batch->items)
        return -ENOMEM;
    for (size_t i = 0; i < all->count; i++) {
        const struct source *source = all->items[i].source;
        if (gather->repos.items[gather->repo_of[i]] != repo)
            continue;
        batch->items[batch->count] = &all->items[i];
        batch->requests[batch->count++] = (struct version_request){
            .name = source->version,
            .commit = source->commit,
            .newest = gather->options->newest && !source->commit && source->kind != SOURCE_COMMIT &&
                      !gather->settings->offline,
        };
    }
    return 0;
}

/* Whether the version is in the cache; then gc lets it be there. */
static bool is_cached(const struct repo *repo, const struct version_request *request)
{
    struct version version;
    return repository_find(repo->repository, request->name, request->commit, &version, NULL) == 0 &&
           repository_touch(repo->repository, &version) == 0;
}

static void fail_all(struct batch *batch, const struct error *error)
{
    for (size_t i = 0; i < batch->count; i++) {
        batch->items[i]->status = -error->errnum;
        batch->items[i]->error = *error;
    }
}

/* What the cache has; nothing is asked of anybody. */
static void find_all(struct batch *batch, struct repo *repo)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct gather_item *item = batch->items[i];
        item->status = repository_find(repo->repository, batch->requests[i].name,
                                       batch->requests[i].commit, &item->version, &item->error);
        if (item->status == 0)
            item->status = repository_touch(repo->repository, &item->version);
        if (item->status == -ENOENT)
            item->status = error_set(&item->error, EHOSTUNREACH,
                                     "%s/%s is not in the cache, and this is --offline",
                                     item->source->name, version_label(item->source));
    }
}

static void fetch_all(struct gather_work *gather, struct batch *batch, struct repo *repo,
                      struct remote *remote)
{
    struct transfer transfer = {.gather = gather, .name = repo->name};
    struct remote_watch watch = {.progress = on_progress,
                                 .cancelled = on_cancelled,
                                 .data = &transfer,
                                 .lines = gather->options->lines};
    struct error error = {0};
    int r = 0;

    if (!remote)
        r = error_set(&error, ENOMEM, "out of memory");
    else if (gather->options->listings)
        r = repository_list(repo->repository, remote, &watch, &error);
    if (r < 0) {
        fail_all(batch, &error);
        return;
    }
    for (size_t i = 0; i < batch->count; i++)
        batch->items[i]->fetched = !is_cached(repo, &batch->requests[i]);
    transfer.bytes = 0;
    repository_fetch(repo->repository, remote, batch->requests, batch->count, &watch, NULL, &error);
    for (size_t i = 0; i < batch->count; i++) {
        struct gather_item *item = batch->items[i];
        item->status = batch->requests[i].status;
        item->version = batch->requests[i].version;
        item->error = batch->requests[i].error;
        if (gather->options->listings && item->status == 0)
            repository_moved(repo->repository, match_moved, item, NULL);
    }
}

static void run(void *data, struct repo *repo, enum job_kind kind, struct remote *remote)
{
    struct gather_work *gather = data;
    struct batch batch;

    (void)kind;
    if (interrupted)
        return;
    if (batch_init(&batch, gather, repo) == 0) {
        if (gather->settings->offline)
            find_all(&batch, repo);
        else
            fetch_all(gather, &batch, repo, remote);
        for (size_t i = 0; i < batch.count; i++)
            report(gather, batch.items[i]);
    }
    free(batch.requests);
    free(batch.items);
}

static int add_item(struct gather_work *gather, size_t i, const struct source *source,
                    struct error *e)
{
    struct gather_item *item = &gather->gathering->items[i];
    struct repo *repo;
    size_t place;
    int r = 0;

    for (place = 0; (repo = repos_at(&gather->repos, place)); place++)
        if (strcmp(repository_url(repo->repository), source->url) == 0)
            break;
    if (!repo) {
        r = repo_new(&repo, gather->gathering->cache, source->name, source->url, 0, e);
        if (r == 0 && repos_add(&gather->repos, repo) < 0)
            r = error_no_memory(e);
    }
    if (r == 0)
        r = repo_name_version(repo, source);
    if (r < 0)
        return r;
    gather->repo_of[i] = place;
    *item = (struct gather_item){.source = source, .repository = repo->repository};
    item->status = error_set(&item->error, ECANCELED, "%s/%s: interrupted", source->name,
                             version_label(source));
    return 0;
}

static int prepare(struct gather_work *gather, const struct source_list *sources, struct error *e)
{
    struct gather *out = gather->gathering;
    int r = cache_open(&out->cache, gather->settings->cache, false, e);

    if (r < 0)
        return r;
    out->items = calloc(sources->count + 1, sizeof *out->items);
    gather->repo_of = calloc(sources->count + 1, sizeof *gather->repo_of);
    gather->progress = progress_new(sources->count, !gather->options->progress);
    gather->fetcher = fetcher_new(gather->settings->jobs, &gather->settings->remote, run, gather);
    if (!out->items || !gather->repo_of || !gather->progress || !gather->fetcher)
        return error_no_memory(e);
    for (size_t i = 0; i < sources->count && r == 0; i++) {
        out->count = i + 1;
        r = add_item(gather, i, &sources->items[i], e);
    }
    return r;
}

int gather_run(struct gather *out, const struct settings *settings,
               const struct source_list *sources, const struct gather_options *options,
               struct error *e)
{
    struct gather_work *gather = calloc(1, sizeof *gather);
    struct sigaction action = {.sa_handler = on_interrupt}, old_int, old_term;
    struct repo *repo;
    int r;

    memset(out, 0, sizeof *out);
    if (!gather)
        return error_no_memory(e);
    out->private = gather;
    *gather = (struct gather_work){.options = options, .settings = settings, .gathering = out};
    repos_init(&gather->repos);
    r = prepare(gather, sources, e);
    if (r < 0)
        return r;
    gather->use = use_begin(settings->cache);
    interrupted = 0;
    sigaction(SIGINT, &action, &old_int);
    sigaction(SIGTERM, &action, &old_term);
    for (size_t i = 0; r == 0 && (repo = repos_at(&gather->repos, i)); i++)
        r = fetcher_queue(gather->fetcher, repo, JOB_FETCH);
    fetcher_drain(gather->fetcher);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    progress_free(gather->progress);
    gather->progress = NULL;
    for (size_t i = 0; i < out->count; i++)
        out->failed += out->items[i].status != 0;
    if (r < 0)
        return error_set(e, -r, "cannot start a thread: %s", strerror(-r));
    return interrupted ? error_set(e, EINTR, "interrupted") : 0;
}

void gather_release(struct gather *gathering)
{
    struct gather_work *gather = gathering->private;

    if (gather) {
        fetcher_stop(gather->fetcher, 10000);
        progress_free(gather->progress);
        repos_release(&gather->repos);
        use_end(gather->use);
        free(gather->repo_of);
        free(gather);
    }
    free(gathering->items);
    cache_close(gathering->cache);
}
