#include "fs/worker/status.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/tree/lists.h"
#include "fs/tree/missing.h"
#include "fs/tree/parked.h"
#include "fs/tree/publish.h"
#include "fs/tree/room.h"
#include "fs/worker/status_transfers.h"
#include "gitcache/base/clock.h"

#define PADDING     4096  /* bytes */
#define LISTED_MOST 10000 /* refs of a remote that are shown though nobody asked for them */

static const char *const state_names[] = {
    [VERSION_LISTED] = "listed",
    [VERSION_FETCHING] = "fetching",
    [VERSION_READY] = "ready",
    [VERSION_FAILED] = "failed",
};

static json_t *requests_json(const struct state *state)
{
    json_t *requests = json_object();
    uint64_t total = 0;

    for (int i = 0; i < OPERATION_COUNT; i++) {
        uint64_t count = atomic_load(&state->requests[i]);
        json_object_set_new(requests, state_operation_name((enum operation)i),
                            json_integer((json_int_t)count));
        total += count;
    }
    json_object_set_new(requests, "total", json_integer((json_int_t)total));
    return requests;
}

/* As a histogram is for Prometheus: each class counts those below it too. */
static json_t *fetch_seconds_json(const struct state *state)
{
    json_t *buckets = json_array();
    uint64_t count = 0;

    for (unsigned class = 0; class < FETCH_TIMES; class ++) {
        int64_t limit = state_fetch_limit(class);
        count += atomic_load(&state->fetch_times[class]);
        if (limit >= 0)
            json_array_append_new(buckets, json_pack("{s:f, s:I}", "most", (double)limit / 1000,
                                                     "count", (json_int_t)count));
    }
    return json_pack("{s:o, s:f, s:I}", "buckets", buckets, "sum",
                     (double)atomic_load(&state->fetch_milliseconds) / 1000, "count",
                     (json_int_t)count);
}

/* Adds a version, or what is newly known of it. */
static void set_version(json_t *versions, const char *name, const struct oid *commit,
                        enum repo_version_state state, const char *error)
{
    char hex[OID_HEX_SIZE];
    json_t *version = json_object();

    json_object_set_new(version, "name", status_transfers_text(name));
    json_object_set_new(version, "commit",
                        commit ? json_string(oid_format(commit, hex)) : json_null());
    json_object_set_new(version, "state", json_string(state_names[state]));
    json_object_set_new(version, "error", error ? status_transfers_text(error) : json_null());
    json_object_set_new_nocheck(versions, name, version); /* the key is not shown */
}

static int add_cached(void *data, const char *name, const struct version *version)
{
    set_version(data, name, &version->commit, VERSION_READY, NULL);
    return 0;
}

/* Of a remote that lists very many, only those are shown that were fetched, asked for or named. */
static void add_listed(json_t *versions, const struct listing *listing)
{
    static const char tags[] = "refs/tags/";

    for (size_t i = 0; listing && listing->count <= LISTED_MOST && i < listing->count; i++)
        if (strncmp(listing->refs[i].name, tags, sizeof tags - 1) == 0)
            set_version(versions, listing->refs[i].name + sizeof tags - 1, &listing->refs[i].peeled,
                        VERSION_LISTED, NULL);
}

/* A version that a source names, and no listing and no cache has. */
static void set_missing(json_t *versions, struct repo *repo, const struct repo_source *source,
                        const struct listing *listing)
{
    char *text = missing_text(repo, source, listing);

    set_version(versions, source->version, NULL, VERSION_LISTED, text);
    json_object_set_new(json_object_get(versions, source->version), "state",
                        json_string("missing"));
    free(text);
}

/* What is being fetched or has failed; and what sources name. Names that somebody made up are not among
 * them: looking for those makes no version (searches.h). */
static void add_known(json_t *versions, struct repo *repo, const struct listing *listing)
{
    bool cannot_be_had = !listing && repo->error.errnum;

    for (size_t i = 0; i < repo->source_count; i++) {
        const char *name = repo->sources[i].version;
        if (!name && cannot_be_had && json_object_size(versions) == 0)
            name = "(default branch)";
        if (name && !json_object_get(versions, name))
            set_version(versions, name, NULL, cannot_be_had ? VERSION_FAILED : VERSION_LISTED,
                        NULL);
    }
    for (const struct repo_version *w = repo->versions; w; w = w->next)
        if (w->state == VERSION_FETCHING || w->state == VERSION_FAILED)
            set_version(versions, repo_version_label(w), NULL, w->state,
                        w->state == VERSION_FAILED ? error_kept_text(&w->error) : NULL);
    for (size_t i = 0; i < repo->source_count; i++)
        if (repo->sources[i].was_missing && missing_is(repo, &repo->sources[i], listing))
            set_missing(versions, repo, &repo->sources[i], listing);
}

static json_t *versions_json(struct repo *repo, const struct listing *listing, bool is_readable)
{
    json_t *by_name = json_object(), *versions = json_array(), *version;
    const char *name;

    add_listed(by_name, listing);
    if (is_readable)
        versions_each(repo->repository, add_cached, by_name, NULL);
    pthread_mutex_lock(&repo->lock);
    add_known(by_name, repo, listing);
    pthread_mutex_unlock(&repo->lock);
    json_object_foreach (by_name, name, version)
        json_array_append(versions, version);
    json_decref(by_name);
    return versions;
}

static int add_moved(void *data, const char *tag, const struct oid *pinned, const struct oid *now)
{
    char was[OID_HEX_SIZE], is[OID_HEX_SIZE];

    json_array_append_new(data,
                          json_pack("{s:o, s:s, s:s}", "name", status_transfers_text(tag), "pinned",
                                    oid_format(pinned, was), "now", oid_format(now, is)));
    return 0;
}

/* Why a name of it may be ENOSPC; null if it has room. */
static json_t *room_json(const struct mount *mount, const struct repo *repo)
{
    char text[1024];

    if (!atomic_load(&repo->has_no_room))
        return json_null();
    snprintf(text, sizeof text, REPO_NO_ROOM, repo->name, nodes_share(mount->nodes));
    return status_transfers_text(text);
}

/* 0, which is long ago, for a time that lies ahead. */
static int64_t time_of_listing(const struct listing *listing)
{
    return clock_is_ahead(listing->listed_at) ? 0 : listing->listed_at;
}

/* Not less than nothing, if a clock was set back since. */
static int64_t uptime(const struct state *state)
{
    int64_t seconds = (clock_wall() - state->mounted_at) / 1000;

    return seconds > 0 ? seconds : 0;
}

static json_t *repo_json(struct mount *mount, struct repo *repo)
{
    const struct listing *listing = repository_listing_get(repo->repository);
    json_t *json = json_object(), *moved = json_array();
    bool is_readable = publish_reading_begins(mount, repo);

    json_object_set_new(json, "name", status_transfers_text(repo->name));
    json_object_set_new(json, "url", status_transfers_text(repo->shown));
    json_object_set_new(json, "listed_at",
                        listing ? json_integer(time_of_listing(listing)) : json_null());
    pthread_mutex_lock(&repo->lock);
    json_object_set_new(json, "error",
                        repo->error.errnum ? status_transfers_text(error_kept_text(&repo->error))
                                           : room_json(mount, repo));
    pthread_mutex_unlock(&repo->lock);
    json_object_set_new(json, "nodes", json_integer(nodes_charged(mount->nodes, repo->node)));
    json_object_set_new(json, "refs", json_integer(listing ? (json_int_t)listing->count : 0));
    json_object_set_new(json, "versions", versions_json(repo, listing, is_readable));
    if (is_readable)
        versions_moved(repo->repository, add_moved, moved, NULL);
    json_object_set_new(json, "moved", moved);
    if (is_readable)
        publish_reading_ends(mount, repo);
    repository_listing_put(repo->repository, listing);
    return json;
}

/* The lists and sets that are mounted, and why one of them is not as its file says. */
static json_t *sets_json(struct mount *mount)
{
    json_t *sets = json_array();

    pthread_mutex_lock(&mount->lists->lock);
    for (const struct mounted_set *mounted = mount->lists->first; mounted; mounted = mounted->next)
        if (mounted->set.name)
            json_array_append_new(
                sets,
                json_pack("{s:o, s:s?, s:i, s:o}", "name", status_transfers_text(mounted->set.name),
                          "type", type_name(mounted->set.type), "sources",
                          (int)mounted->set.sources.count, "error",
                          mounted->fault ? status_transfers_text(mounted->fault) : json_null()));
    pthread_mutex_unlock(&mount->lists->lock);
    return sets;
}

/* The folders that lists and sets are found in, and why one of them cannot be read. */
static json_t *list_folders_json(struct mount *mount)
{
    json_t *folders = json_array();

    pthread_mutex_lock(&mount->lists->lock);
    for (const struct list_folder *folder = mount->lists->folders; folder; folder = folder->next) {
        const char *fault = folder->fault ? folder->fault : folder->refused;
        json_array_append_new(
            folders, json_pack("{s:o, s:o}", "path", status_transfers_text(folder->path), "error",
                               fault ? status_transfers_text(fault) : json_null()));
    }
    pthread_mutex_unlock(&mount->lists->lock);
    return folders;
}

char *status_make(struct mount *mount)
{
    const struct state *state = mount->state;
    json_t *json = json_object(), *repos = json_array();
    struct repo *repo;

    json_object_set_new(json, "version", json_string(VERSION));
    json_object_set_new(json, "pid", json_integer(getpid()));
    json_object_set_new(json, "supervisor_pid", json_integer(getppid()));
    json_object_set_new(json, "uptime_seconds", json_integer(uptime(state)));
    json_object_set_new(json, "held_by",
                        state->held_by[0] ? status_transfers_text(state->held_by) : json_null());
    json_object_set_new(json, "takeovers", json_integer(atomic_load(&state->takeovers)));
    json_object_set_new(json, "restarts", json_integer(atomic_load(&state->restarts)));
    json_object_set_new(json, "last_restart_cause",
                        state->last_cause[0] ? status_transfers_text(state->last_cause)
                                             : json_null());
    json_object_set_new(json, "reloads", json_integer(atomic_load(&state->reloads)));
    json_object_set_new(json, "reloads_refused",
                        json_integer(atomic_load(&state->reloads_refused)));
    json_object_set_new(json, "reload_refusal",
                        state->reload_refusal[0] ? status_transfers_text(state->reload_refusal)
                                                 : json_null());
    json_object_set_new(json, "offline", json_boolean(mount->settings->offline));
    json_object_set_new(json, "cache", status_transfers_text(cache_folder(mount->cache)));
    json_object_set_new(json, "cache_bytes", json_integer((json_int_t)room_size(mount)));
    json_object_set_new(json, "cache_max",
                        mount->settings->cache_max
                            ? json_integer((json_int_t)mount->settings->cache_max)
                            : json_null());
    json_object_set_new(json, "cache_freed_bytes",
                        json_integer((json_int_t)atomic_load(&state->cache_freed)));
    json_object_set_new(json, "cache_removed_versions",
                        json_integer((json_int_t)atomic_load(&state->cache_removed)));
    json_object_set_new(json, "nodes", json_integer(nodes_taken(mount->nodes)));
    json_object_set_new(json, "max_nodes", json_integer(nodes_max(mount->nodes)));
    json_object_set_new(json, "requests", requests_json(state));
    json_object_set_new(json, "waiting", json_integer((json_int_t)parked_count(mount->parked)));
    json_object_set_new(json, "listings", json_integer((json_int_t)atomic_load(&state->listings)));
    json_object_set_new(json, "fetches", json_integer((json_int_t)atomic_load(&state->fetches)));
    json_object_set_new(json, "fetches_failed",
                        json_integer((json_int_t)atomic_load(&state->fetches_failed)));
    json_object_set_new(json, "bytes_fetched",
                        json_integer((json_int_t)atomic_load(&state->bytes_fetched)));
    json_object_set_new(json, "transfers", status_transfers_json(mount));
    json_object_set_new(json, "sets", sets_json(mount));
    json_object_set_new(json, "list_folders", list_folders_json(mount));
    json_object_set_new(json, "fetch_seconds", fetch_seconds_json(state));
    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++)
        if (repo->in_use)
            json_array_append_new(repos, repo_json(mount, repo));
    json_object_set_new(json, "repositories", repos);

    char *text = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    char *line = NULL;
    json_decref(json);
    /* Blanks make the size one that seldom changes: who reads to the end while the text is made
     * anew does not get the end of another one. */
    int padded = text ? (int)(strlen(text) / PADDING + 1) * PADDING - 1 : 0;
    if (text && asprintf(&line, "%-*s\n", padded, text) < 0)
        line = NULL;
    free(text);
    return line;
}
