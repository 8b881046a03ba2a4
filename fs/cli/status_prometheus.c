#include "fs/cli/status_prometheus.h"

#include <errno.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

struct page {
    FILE *out;
    const char *mountpoint;
};

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void put_label(const struct page *page, const char *name, const char *value)
{
    if (!name || !value)
        return;
    fprintf(page->out, ",%s=\"", name);
    put_text(page->out, value);
    fputc('"', page->out);
}

static void begin(const struct page *page, const char *name, const char *type, const char *help)
{
    fprintf(page->out, "# HELP startpointfs_%s %s\n# TYPE startpointfs_%s %s\n", name, help, name,
            type);
}

/* A label that is NULL is not there. */
static void sample(const struct page *page, const char *name, const char *label1,
                   const char *value1, const char *label2, const char *value2, double value)
{
    fprintf(page->out, "startpointfs_%s{mountpoint=\"", name);
    put_text(page->out, page->mountpoint);
    fputc('"', page->out);
    put_label(page, label1, value1);
    put_label(page, label2, value2);
    fprintf(page->out, "} %.15g\n", value);
}

static void single(const struct page *page, const char *name, const char *type, double value,
                   const char *help)
{
    begin(page, name, type, help);
    sample(page, name, NULL, NULL, NULL, NULL, value);
}

static double number_of(const json_t *json, const char *key)
{
    return json_number_value(json_object_get(json, key));
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static void put_requests(const struct page *page, const json_t *status)
{
    json_t *requests = json_object_get(status, "requests"), *count;
    const char *operation;

    begin(page, "requests_total", "counter", "FUSE requests received from the kernel.");
    json_object_foreach (requests, operation, count)
        if (strcmp(operation, "total") != 0)
            sample(page, "requests_total", "operation", operation, NULL, NULL,
                   json_number_value(count));
    single(page, "requests_waiting", "gauge", number_of(status, "waiting"),
           "Requests waiting for a remote.");
}

static void put_histogram(const struct page *page, const json_t *seconds)
{
    static const char name[] = "fetch_duration_seconds",
                      bucket_name[] = "fetch_duration_seconds_bucket";
    json_t *buckets = json_object_get(seconds, "buckets"), *bucket;
    char limit[32];
    size_t i;

    begin(page, name, "histogram", "How long fetches took, successful or not.");
    json_array_foreach (buckets, i, bucket) {
        snprintf(limit, sizeof limit, "%g", number_of(bucket, "most"));
        sample(page, bucket_name, "le", limit, NULL, NULL, number_of(bucket, "count"));
    }
    sample(page, bucket_name, "le", "+Inf", NULL, NULL, number_of(seconds, "count"));
    sample(page, "fetch_duration_seconds_sum", NULL, NULL, NULL, NULL, number_of(seconds, "sum"));
    sample(page, "fetch_duration_seconds_count", NULL, NULL, NULL, NULL,
           number_of(seconds, "count"));
}

static void put_fetches(const struct page *page, const json_t *status)
{
    begin(page, "fetches_total", "counter",
          "Packs that were fetched, and versions that could not be.");
    sample(page, "fetches_total", "result", "ok", NULL, NULL, number_of(status, "fetches"));
    sample(page, "fetches_total", "result", "failed", NULL, NULL,
           number_of(status, "fetches_failed"));
    put_histogram(page, json_object_get(status, "fetch_seconds"));
    single(page, "fetched_bytes_total", "counter", number_of(status, "bytes_fetched"),
           "Bytes of packs that were received.");
    single(page, "listings_total", "counter", number_of(status, "listings"),
           "Ref listings received from remotes.");
}

static void put_workers(const struct page *page, const json_t *status)
{
    single(page, "restarts_total", "counter", number_of(status, "restarts"),
           "Workers replaced because they died.");
    single(page, "reloads_total", "counter", number_of(status, "reloads"),
           "Workers replaced on request.");
    single(page, "uptime_seconds", "gauge", number_of(status, "uptime_seconds"),
           "Since it was mounted.");
    single(page, "nodes", "gauge", number_of(status, "nodes"),
           "Files and folders that the mount has shown.");
    single(page, "nodes_max", "gauge", number_of(status, "max_nodes"),
           "Files and folders that the mount can ever show.");
}

/* What the folder takes on disk; what can't be read is left out. */
static double size_of(const char *folder)
{
    char *const paths[] = {(char *)folder, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    const FTSENT *entry;
    double size = 0;

    while (walk && (entry = fts_read(walk)))
        if (entry->fts_info == FTS_F || entry->fts_info == FTS_D)
            size += 512.0 * (double)entry->fts_statp->st_blocks;
    if (walk)
        fts_close(walk);
    return size;
}

static void put_versions(const struct page *page, const json_t *repos)
{
    static const char *const states[] = {"listed", "fetching", "ready", "failed", "missing"};
    json_t *repo, *version;
    size_t i, j;

    begin(page, "versions", "gauge", "Versions of a repository, by state.");
    json_array_foreach (repos, i, repo)
        for (size_t s = 0; s < sizeof states / sizeof *states; s++) {
            size_t count = 0;
            json_array_foreach (json_object_get(repo, "versions"), j, version)
                count += strcmp(text_of(version, "state"), states[s]) == 0;
            sample(page, "versions", "repository", text_of(repo, "name"), "state", states[s],
                   (double)count);
        }
}

static void put_repositories(const struct page *page, const json_t *repos)
{
    json_t *repo, *listed_at;
    size_t i;

    put_versions(page, repos);
    begin(page, "moved_tags", "gauge", "Tags that have moved at the remote.");
    json_array_foreach (repos, i, repo)
        sample(page, "moved_tags", "repository", text_of(repo, "name"), NULL, NULL,
               (double)json_array_size(json_object_get(repo, "moved")));
    begin(page, "repository_failing", "gauge", "1 if the remote failed to answer last time.");
    json_array_foreach (repos, i, repo)
        sample(page, "repository_failing", "repository", text_of(repo, "name"), NULL, NULL,
               json_is_string(json_object_get(repo, "error")));
    begin(page, "listed_timestamp_seconds", "gauge", "When the remote last sent its listing.");
    json_array_foreach (repos, i, repo)
        if (json_is_integer(listed_at = json_object_get(repo, "listed_at")))
            sample(page, "listed_timestamp_seconds", "repository", text_of(repo, "name"), NULL,
                   NULL, json_number_value(listed_at));
}

void status_prometheus_print(const json_t *status, const char *mountpoint, FILE *out)
{
    const struct page page = {.out = out, .mountpoint = mountpoint};

    begin(&page, "build_info", "gauge", "Always 1; the label is the version.");
    sample(&page, "build_info", "version", text_of(status, "version"), NULL, NULL, 1);
    put_requests(&page, status);
    put_fetches(&page, status);
    put_workers(&page, status);
    single(&page, "cache_bytes", "gauge", size_of(text_of(status, "cache")),
           "Size of the cache on disk.");
    if (json_is_integer(json_object_get(status, "cache_max")))
        single(&page, "cache_max_bytes", "gauge", number_of(status, "cache_max"),
               "Limit of that size: cache_max.");
    single(&page, "cache_freed_bytes_total", "counter", number_of(status, "cache_freed_bytes"),
           "Bytes removed from the cache to make room.");
    single(&page, "cache_removed_versions_total", "counter",
           number_of(status, "cache_removed_versions"),
           "Versions removed from the cache to make room.");
    put_repositories(&page, json_object_get(status, "repositories"));
}
