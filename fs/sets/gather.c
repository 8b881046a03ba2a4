#include "fs/sets/gather.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/sets/progress.h"
#include "gitcache/base/url.h"
#include "gitcache/fetch/pool.h"
#include "gitcache/store/use.h"

/* A repository that sources of the list are of. */
struct gather_repository {
    struct repository *repository; /* owned */
    char *host;                    /* owned */
    const char *name;              /* the first source's, for progress */
};

struct gather_work {
    struct use *use; /* gc leaves alone what we find, until we are done with it */
    const struct gather_options *options;
    const struct settings *settings;
    struct gather *gathering;
    struct pool *pool;
    struct progress *progress;
    struct gather_repository *repositories; /* room for one a source */
    size_t repository_count;
};

/* A handler can reach nothing else than this. It only sets the flag. */
static atomic_bool interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* One repository's transfer, as its watch sees it. */
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

static int batch_init(struct batch *batch, struct gather_work *gather,
                      const struct gather_repository *from)
{
    struct gather *all = gather->gathering;

    *batch = (struct batch){.requests = calloc(all->count, sizeof *batch->requests),
                            .items = calloc(all->count, sizeof *batch->items)};
    if (!batch->requests || !batch->items)
        return -ENOMEM;
    for (size_t i = 0; i < all->count; i++) {
        const struct source *source = all->items[i].source;
        if (all->items[i].repository != from->repository)
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
static bool is_cached(struct repository *repository, const struct version_request *request)
{
    struct version version;
    return repository_find(repository, request->name, request->commit, &version, NULL) == 0 &&
           repository_touch(repository, &version) == 0;
}

static void fail_all(struct batch *batch, const struct error *error)
{
    for (size_t i = 0; i < batch->count; i++) {
        batch->items[i]->status = -error->errnum;
        batch->items[i]->error = *error;
    }
}

/* What the cache has; nothing is asked of anybody. */
static void find_all(struct batch *batch, struct repository *repository)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct gather_item *item = batch->items[i];
        item->status = repository_find(repository, batch->requests[i].name,
                                       batch->requests[i].commit, &item->version, &item->error);
        if (item->status == 0)
            item->status = repository_touch(repository, &item->version);
        if (item->status == -ENOENT)
            item->status = error_set(&item->error, EHOSTUNREACH,
                                     "%s/%s is not in the cache, and this is --offline",
                                     item->source->name, version_label(item->source));
    }
}

static void fetch_all(struct gather_work *gather, struct batch *batch,
                      struct gather_repository *from, struct remote *remote)
{
    struct repository *repository = from->repository;
    struct transfer transfer = {.gather = gather, .name = from->name};
    struct watch watch = {.progress = on_progress,
                          .cancelled = on_cancelled,
                          .data = &transfer,
                          .lines = gather->options->lines};
    struct error error = {0};
    int r = 0;

    if (!remote)
        r = error_set(&error, ENOMEM, "out of memory");
    else if (gather->options->listings)
        r = repository_list(repository, remote, &watch, &error);
    if (r < 0) {
        fail_all(batch, &error);
        return;
    }
    for (size_t i = 0; i < batch->count; i++)
        batch->items[i]->fetched = !is_cached(repository, &batch->requests[i]);
    transfer.bytes = 0;
    repository_fetch(repository, remote, batch->requests, batch->count, &watch, NULL, &error);
    for (size_t i = 0; i < batch->count; i++) {
        struct gather_item *item = batch->items[i];
        item->status = batch->requests[i].status;
        item->version = batch->requests[i].version;
        item->error = batch->requests[i].error;
        if (gather->options->listings && item->status == 0)
            repository_moved(repository, match_moved, item, NULL);
    }
}

/* What a thread of the pool does for one repository. */
static void run(void *data, void *subject, struct remote *remote)
{
    struct gather_work *gather = data;
    struct gather_repository *from = subject;
    struct batch batch;

    if (interrupted)
        return;
    if (batch_init(&batch, gather, from) == 0) {
        if (gather->settings->offline)
            find_all(&batch, from->repository);
        else
            fetch_all(gather, &batch, from, remote);
        for (size_t i = 0; i < batch.count; i++)
            report(gather, batch.items[i]);
    }
    free(batch.requests);
    free(batch.items);
}

static struct gather_repository *find_repository(struct gather_work *gather, const char *url)
{
    for (size_t i = 0; i < gather->repository_count; i++)
        if (strcmp(repository_url(gather->repositories[i].repository), url) == 0)
            return &gather->repositories[i];
    return NULL;
}

static int add_repository(struct gather_work *gather, const struct source *source,
                          struct gather_repository **out, struct error *e)
{
    struct gather_repository *from = &gather->repositories[gather->repository_count];
    char host[4096];
    int r = repository_open(&from->repository, gather->gathering->cache, source->url, e);

    if (r < 0)
        return r;
    gather->repository_count++;
    from->name = source->name;
    from->host = strdup(url_host(source->url, host, sizeof host));
    *out = from;
    return from->host ? 0 : error_no_memory(e);
}

static int add_item(struct gather_work *gather, size_t i, const struct source *source,
                    struct error *e)
{
    struct gather_item *item = &gather->gathering->items[i];
    struct gather_repository *from = find_repository(gather, source->url);
    int r = from ? 0 : add_repository(gather, source, &from, e);

    if (r == 0 && source->kind == SOURCE_NAMED &&
        repository_name_branch(from->repository, source->version) < 0)
        r = error_no_memory(e);
    if (r < 0)
        return r;
    *item = (struct gather_item){.source = source, .repository = from->repository};
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
    gather->repositories = calloc(sources->count + 1, sizeof *gather->repositories);
    gather->progress = progress_new(sources->count, !gather->options->progress);
    gather->pool = pool_new(gather->settings->jobs, &gather->settings->remote, gather);
    if (!out->items || !gather->repositories || !gather->progress || !gather->pool)
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
    int r;

    memset(out, 0, sizeof *out);
    if (!gather)
        return error_no_memory(e);
    out->private = gather;
    *gather = (struct gather_work){.options = options, .settings = settings, .gathering = out};
    r = prepare(gather, sources, e);
    if (r < 0)
        return r;
    gather->use = use_begin(settings->cache);
    interrupted = 0;
    sigaction(SIGINT, &action, &old_int);
    sigaction(SIGTERM, &action, &old_term);
    for (size_t i = 0; r == 0 && i < gather->repository_count; i++)
        r = pool_queue(gather->pool, gather->repositories[i].host, run, &gather->repositories[i]);
    pool_drain(gather->pool);
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
        pool_stop(gather->pool, 10000);
        progress_free(gather->progress);
        for (size_t i = 0; i < gather->repository_count; i++) {
            repository_close(gather->repositories[i].repository);
            free(gather->repositories[i].host);
        }
        use_end(gather->use);
        free(gather->repositories);
        free(gather);
    }
    free(gathering->items);
    cache_close(gathering->cache);
}
