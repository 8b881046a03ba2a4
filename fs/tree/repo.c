#include "fs/tree/repo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/url.h"

#define BACKOFF_FIRST 1000
#define BACKOFF_LAST  60000

static void version_free(struct repo_version *version)
{
    free(version->name);
    free(version->commit);
    free(version->nodes);
    error_forget(&version->error);
    free(version);
}

void repo_free(struct repo *repo)
{
    if (!repo)
        return;
    while (repo->versions) {
        struct repo_version *next = repo->versions->next;
        version_free(repo->versions);
        repo->versions = next;
    }
    repo_forget_sources(repo);
    free(repo->searches);
    free(repo->moved_told);
    shown_put(repo->names_shown);
    version_nodes_release(&repo->version_nodes);
    if (repo->repository)
        repository_close(repo->repository);
    pthread_mutex_destroy(&repo->trees);
    pthread_mutex_destroy(&repo->folders);
    pthread_mutex_destroy(&repo->lock);
    free(repo->name);
    free(repo->shown);
    free(repo->host);
    error_forget(&repo->error);
    free(repo);
}

int repo_new(struct repo **out, struct cache *cache, const char *name, const char *url,
             uint32_t node, struct error *e)
{
    struct repo *repo = calloc(1, sizeof *repo);
    char text[4096];
    int r;

    if (!repo)
        return error_no_memory(e);
    pthread_mutex_init(&repo->trees, NULL);
    pthread_mutex_init(&repo->folders, NULL);
    pthread_mutex_init(&repo->lock, NULL);
    version_nodes_init(&repo->version_nodes);
    repo->node = node;
    repo->name = strdup(name);
    repo->shown = strdup(url_display(url, text, sizeof text));
    repo->host = strdup(url_host(url, text, sizeof text));
    if (!repo->name || !repo->shown || !repo->host) {
        repo_free(repo);
        return error_no_memory(e);
    }
    r = repository_open(&repo->repository, cache, url, e);
    if (r < 0) {
        repo_free(repo);
        return r;
    }
    *out = repo;
    return 0;
}

static bool same_string(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

int repo_add_source(struct repo *repo, const struct source *source)
{
    struct repo_source said = {.kind = source->kind};
    int r = 0;

    pthread_mutex_lock(&repo->lock);
    for (size_t i = 0; i < repo->source_count; i++)
        if (same_string(repo->sources[i].version, source->version) &&
            same_string(repo->sources[i].commit, source->commit))
            goto out;
    struct repo_source *all = realloc(repo->sources, (repo->source_count + 1) * sizeof *all);
    if (all)
        repo->sources = all;
    said.version = source->version ? strdup(source->version) : NULL;
    said.commit = source->commit ? strdup(source->commit) : NULL;
    if (!all || (source->version && !said.version) || (source->commit && !said.commit)) {
        free(said.version);
        free(said.commit);
        r = -ENOMEM;
        goto out;
    }
    repo->sources[repo->source_count++] = said;
    if (source->kind == SOURCE_NAMED)
        r = repository_name_branch(repo->repository, said.version);
out:
    pthread_mutex_unlock(&repo->lock);
    return r;
}

void repo_forget_sources(struct repo *repo)
{
    pthread_mutex_lock(&repo->lock);
    for (size_t i = 0; i < repo->source_count; i++) {
        free(repo->sources[i].version);
        free(repo->sources[i].commit);
    }
    free(repo->sources);
    repo->sources = NULL;
    repo->source_count = 0;
    pthread_mutex_unlock(&repo->lock);
}

struct repo_version *repo_version_get_locked(struct repo *repo, const char *name,
                                             const char *commit)
{
    struct repo_version *version = repo->versions;

    while (version && !(same_string(version->name, name) && same_string(version->commit, commit)))
        version = version->next;
    if (version)
        return version;
    version = calloc(1, sizeof *version);
    if (!version)
        return NULL;
    version->repo = repo;
    version->name = name ? strdup(name) : NULL;
    version->commit = commit ? strdup(commit) : NULL;
    if ((name && !version->name) || (commit && !version->commit)) {
        version_free(version);
        return NULL;
    }
    version->next = repo->versions;
    repo->versions = version;
    return version;
}

struct repo_version *repo_version_get(struct repo *repo, const char *name, const char *commit)
{
    pthread_mutex_lock(&repo->lock);
    struct repo_version *version = repo_version_get_locked(repo, name, commit);
    pthread_mutex_unlock(&repo->lock);
    return version;
}

/* What sources say that a version must be; NULL if they do not say, or not the same. */
static const char *pin_of(const struct repo *repo, const char *name)
{
    const char *pin = NULL;
    bool differ = false;

    for (size_t i = 0; i < repo->source_count; i++) {
        const struct repo_source *source = &repo->sources[i];
        if (!same_string(source->version, name) || source->kind != SOURCE_NAMED)
            continue;
        differ |= !source->commit || (pin && strcmp(pin, source->commit) != 0);
        pin = source->commit;
    }
    return differ ? NULL : pin;
}

struct repo_version *repo_version_named(struct repo *repo, const char *name)
{
    pthread_mutex_lock(&repo->lock);
    struct repo_version *version = repo_version_get_locked(repo, name, pin_of(repo, name));
    pthread_mutex_unlock(&repo->lock);
    return version;
}

const char *repo_version_label(const struct repo_version *version)
{
    return version->name ? version->name : "(default branch)";
}

int repo_version_add_node(struct repo_version *version, uint32_t node)
{
    int r = 0;

    pthread_mutex_lock(&version->repo->lock);
    for (size_t i = 0; i < version->node_count; i++)
        if (version->nodes[i] == node)
            goto out;
    uint32_t *nodes = realloc(version->nodes, (version->node_count + 1) * sizeof *nodes);
    if (nodes) {
        version->nodes = nodes;
        version->nodes[version->node_count++] = node;
    } else {
        r = -ENOMEM;
    }
out:
    pthread_mutex_unlock(&version->repo->lock);
    return r;
}

struct repo_version *repo_version_of_node(struct repo *repo, uint32_t node)
{
    struct repo_version *version;

    pthread_mutex_lock(&repo->lock);
    for (version = repo->versions; version; version = version->next)
        for (size_t i = 0; i < version->node_count; i++)
            if (version->nodes[i] == node)
                goto out;
out:
    pthread_mutex_unlock(&repo->lock);
    return version;
}

void repo_forget_nodes(struct repo *repo, bool (*is_gone)(void *data, uint32_t node), void *data)
{
    pthread_mutex_lock(&repo->lock);
    for (struct repo_version *version = repo->versions; version; version = version->next) {
        size_t kept = 0;
        for (size_t i = 0; i < version->node_count; i++)
            if (!is_gone(data, version->nodes[i]))
                version->nodes[kept++] = version->nodes[i];
        version->node_count = kept;
    }
    pthread_mutex_unlock(&repo->lock);
}

uint32_t *repo_version_nodes(struct repo_version *version, size_t *count)
{
    pthread_mutex_lock(&version->repo->lock);
    uint32_t *nodes = calloc(version->node_count + 1, sizeof *nodes);
    if (nodes && version->node_count)
        memcpy(nodes, version->nodes, version->node_count * sizeof *nodes);
    *count = version->node_count;
    pthread_mutex_unlock(&version->repo->lock);
    return nodes;
}

bool repo_succeeded(struct repo *repo)
{
    pthread_mutex_lock(&repo->lock);
    bool news = repo->failures > 0;
    repo->failures = 0;
    repo->retry_at = 0;
    error_forget(&repo->error);
    pthread_mutex_unlock(&repo->lock);
    return news;
}

bool repo_failed(struct repo *repo, const struct error *error)
{
    int64_t pause = BACKOFF_FIRST;

    pthread_mutex_lock(&repo->lock);
    bool news = repo->failures == 0 || strcmp(error_kept_text(&repo->error), error->text) != 0;
    for (unsigned i = 0; i < repo->failures && pause < BACKOFF_LAST; i++)
        pause *= 2;
    repo->failures++;
    error_keep(&repo->error, error);
    repo->retry_at = clock_now() + (pause < BACKOFF_LAST ? pause : BACKOFF_LAST);
    pthread_mutex_unlock(&repo->lock);
    return news;
}

int repo_backoff(struct repo *repo)
{
    int r = 0;

    pthread_mutex_lock(&repo->lock);
    if (repo->retry_at > clock_now())
        r = -repo->error.errnum;
    pthread_mutex_unlock(&repo->lock);
    return r;
}

struct shown *repo_shown(struct repo *repo)
{
    pthread_mutex_lock(&repo->lock);
    struct shown *shown = shown_hold(repo->names_shown);
    pthread_mutex_unlock(&repo->lock);
    return shown;
}

struct shown *repo_show(struct repo *repo, struct shown *shown)
{
    pthread_mutex_lock(&repo->lock);
    struct shown *before = repo->names_shown;
    repo->names_shown = shown;
    pthread_mutex_unlock(&repo->lock);
    return before;
}

bool repo_has_no_room(struct repo *repo)
{
    return !atomic_exchange(&repo->has_no_room, true);
}

int64_t repo_listing_age(struct repo *repo)
{
    const struct listing *listing = repository_listing_get(repo->repository);
    int64_t age = -1;

    if (!listing)
        return age;
    age = clock_wall() / 1000 - listing->listed_at;
    if (clock_is_ahead(listing->listed_at))
        age = INT32_MAX;
    repository_listing_put(repo->repository, listing);
    return age < 0 ? 0 : age;
}
