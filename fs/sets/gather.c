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
#include "gitcache/fetch/list_refs.h"
#include "gitcache/fetch/pool.h"
#include "gitcache/fetch/repository_fetch.h"
#include "gitcache/store/last_read.h"
#include "gitcache/store/lease.h"

/* A repository, and which items are its versions. */
struct gather_repository {
    struct repository *repository; /* owned */
    char *host;                    /* owned */
    struct gather_item **items;    /* in the list's order; a part of by_url */
    size_t count;
};

struct gather_work {
    struct lease *lease; /* gc leaves alone what we find, until we are done with it */
    const struct gather_options *options;
    const struct settings *settings;
    struct gather *gathering;
    struct pool *pool;
    struct progress *progress;
    struct gather_item **by_url;            /* all, those of a repository together */
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
struct gather_transfer {
    struct progress *progress;
    struct progress_transfer shown;
};

static void on_progress(void *data, uint64_t bytes, const char *line)
{
    struct gather_transfer *transfer = data;

    progress_bytes(transfer->progress, &transfer->shown, bytes);
    if (line)
        progress_says(transfer->progress, &transfer->shown, line);
}

static void on_note(void *data, const char *sentence)
{
    const struct gather_transfer *transfer = data;

    progress_note(transfer->progress, sentence);
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
                  item->status ? "failed" : (item->fetched ? "fetched" : "already in the cache"));
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

static struct version_request *requests_of(const struct gather_work *gather,
                                           const struct gather_repository *from)
{
    struct version_request *requests = calloc(from->count, sizeof *requests);

    for (size_t i = 0; requests && i < from->count; i++) {
        const struct source *source = from->items[i]->source;
        requests[i] = (struct version_request){
            .name = source->version,
            .commit = source->commit,
            .newest = gather->options->newest && !source->commit && source->kind != SOURCE_COMMIT,
        };
    }
    return requests;
}

/* Whether the version is in the cache; then gc lets it be there. */
static bool is_cached(struct repository *repository, const struct version_request *request)
{
    struct version version;
    return versions_find(repository, request->name, request->commit, &version, NULL) == 0 &&
           last_read_now(repository, &version) == 0;
}

static void fail_all(const struct gather_repository *from, const struct error *error)
{
    for (size_t i = 0; i < from->count; i++) {
        from->items[i]->status = -error->errnum;
        from->items[i]->error = *error;
    }
}

/* What the cache has; nothing is asked of anybody. */
static void find_all(const struct gather_repository *from, const struct version_request *requests)
{
    struct repository *repository = from->repository;

    for (size_t i = 0; i < from->count; i++) {
        struct gather_item *item = from->items[i];
        item->status = versions_find(repository, requests[i].name, requests[i].commit,
                                     &item->version, &item->error);
        if (item->status == 0)
            item->status = last_read_now(repository, &item->version);
        if (item->status == -ENOENT)
            item->status = error_set(&item->error, EHOSTUNREACH,
                                     "%s/%s is not in the cache, and --offline forbids asking",
                                     item->source->name, version_label(item->source));
    }
}

static void take_results(const struct gather_work *gather, const struct gather_repository *from,
                         const struct version_request *requests)
{
    for (size_t i = 0; i < from->count; i++) {
        struct gather_item *item = from->items[i];
        item->status = requests[i].status;
        item->version = requests[i].version;
        item->error = requests[i].error;
        if (gather->options->listings && item->status == 0)
            versions_moved(from->repository, match_moved, item, NULL);
    }
}

static void fetch_with(const struct gather_work *gather, const struct gather_repository *from,
                       struct version_request *requests, struct remote *remote,
                       const struct watch *watch)
{
    struct repository *repository = from->repository;
    struct error error = {0};
    int r = 0;

    if (!remote)
        r = error_no_memory(&error);
    else if (gather->options->listings)
        r = list_refs(repository, remote, watch, &error);
    if (r < 0) {
        fail_all(from, &error);
        return;
    }
    for (size_t i = 0; i < from->count; i++)
        from->items[i]->fetched = !is_cached(repository, &requests[i]);
    repository_fetch(repository, remote, requests, from->count, watch, NULL, &error);
    take_results(gather, from, requests);
}

static void fetch_all(const struct gather_work *gather, const struct gather_repository *from,
                      struct version_request *requests, struct remote *remote)
{
    struct gather_transfer transfer = {.progress = gather->progress};
    struct watch watch = {.progress = on_progress,
                          .cancelled = on_cancelled,
                          .note = on_note,
                          .data = &transfer,
                          .lines = progress_wants_lines(gather->progress)};

    progress_begin(gather->progress, &transfer.shown, from->items[0]->source->name);
    fetch_with(gather, from, requests, remote, &watch);
    progress_end(gather->progress, &transfer.shown);
}

/* What a thread of the pool does for one repository. */
static bool run(void *data, void *subject, int kind, struct remote *remote)
{
    struct gather_work *gather = data;
    const struct gather_repository *from = subject;
    struct version_request *requests;
    struct error error;

    (void)kind;
    if (interrupted)
        return true;
    requests = requests_of(gather, from);
    if (!requests) {
        error_no_memory(&error);
        fail_all(from, &error);
    } else if (gather->settings->offline) {
        find_all(from, requests);
    } else {
        fetch_all(gather, from, requests, remote);
    }
    for (size_t i = 0; i < from->count; i++)
        report(gather, from->items[i]);
    free(requests);
    return true;
}

/* ---- before and after ---- */

static int by_url(const void *a, const void *b)
{
    const struct gather_item *x = *(struct gather_item *const *)a;
    const struct gather_item *y = *(struct gather_item *const *)b;
    int order = strcmp(x->source->url, y->source->url);

    return order ? order : (x > y) - (x < y);
}

static int by_first_item(const void *a, const void *b)
{
    const struct gather_item *x = *((const struct gather_repository *)a)->items;
    const struct gather_item *y = *((const struct gather_repository *)b)->items;

    return (x > y) - (x < y);
}

/* Opens the repository that items[0..count) are versions of. */
static int add_repository(struct gather_work *gather, struct gather_item **items, size_t count,
                          struct error *e)
{
    struct gather_repository *from = &gather->repositories[gather->repository_count];
    const char *url = items[0]->source->url;
    char host[4096];
    int r = repository_open(&from->repository, gather->gathering->cache, url, e);

    if (r < 0)
        return r;
    gather->repository_count++;
    from->items = items;
    from->count = count;
    from->host = strdup(url_host(url, host, sizeof host));
    if (!from->host)
        return error_no_memory(e);
    for (size_t i = 0; i < count; i++) {
        const struct source *source = items[i]->source;
        items[i]->repository = from->repository;
        if (source->kind == SOURCE_NAMED &&
            repository_name_branch(from->repository, source->version) < 0)
            return error_no_memory(e);
    }
    return 0;
}

/* Puts together what goes in one request. */
static int group(struct gather_work *gather, struct error *e)
{
    struct gather_item **items = gather->by_url;
    size_t count = gather->gathering->count;
    int r = 0;

    for (size_t i = 0; i < count; i++)
        items[i] = &gather->gathering->items[i];
    qsort(items, count, sizeof *items, by_url);
    for (size_t i = 0, end; i < count && r == 0; i = end) {
        for (end = i + 1; end < count; end++)
            if (strcmp(items[end]->source->url, items[i]->source->url) != 0)
                break;
        r = add_repository(gather, items + i, end - i, e);
    }
    if (r == 0)
        qsort(gather->repositories, gather->repository_count, sizeof *gather->repositories,
              by_first_item);
    return r;
}

static void add_item(struct gather_item *item, const struct source *source)
{
    item->source = source;
    item->status = error_set(&item->error, ECANCELED, "%s/%s: interrupted", source->name,
                             version_label(source));
}

static int prepare(struct gather_work *gather, const struct source_list *sources, struct error *e)
{
    struct gather *out = gather->gathering;
    int r = cache_open(&out->cache, gather->settings->cache, false, e);

    if (r < 0)
        return r;
    out->items = calloc(sources->count + 1, sizeof *out->items);
    gather->by_url = calloc(sources->count + 1, sizeof *gather->by_url);
    gather->repositories = calloc(sources->count + 1, sizeof *gather->repositories);
    gather->progress = progress_new(sources->count,
                                    &(struct progress_options){.quiet = !gather->options->progress,
                                                               .lines = gather->options->lines,
                                                               .asks = gather->options->asks,
                                                               .colour = gather->settings->colour});
    gather->pool = pool_new(gather->settings->jobs, &gather->settings->remote, run, gather);
    if (!out->items || !gather->by_url || !gather->repositories || !gather->progress ||
        !gather->pool)
        return error_no_memory(e);
    for (size_t i = 0; i < sources->count; i++)
        add_item(&out->items[i], &sources->items[i]);
    out->count = sources->count;
    return group(gather, e);
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
    gather->lease = lease_begin(settings->cache, LEASE_KEEPS);
    interrupted = 0;
    sigaction(SIGINT, &action, &old_int);
    sigaction(SIGTERM, &action, &old_term);
    for (size_t i = 0; r == 0 && i < gather->repository_count; i++)
        r = pool_queue(gather->pool, gather->repositories[i].host, &gather->repositories[i], 0);
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
        lease_end(gather->lease);
        free(gather->by_url);
        free(gather->repositories);
        free(gather);
    }
    free(gathering->items);
    cache_close(gathering->cache);
}
