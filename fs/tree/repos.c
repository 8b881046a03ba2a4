#include "fs/tree/repos.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/url.h"

#define BACKOFF_FIRST 1000
#define BACKOFF_LAST  60000

void repos_init(struct repos *repos)
{
    memset(repos, 0, sizeof *repos);
    pthread_rwlock_init(&repos->lock, NULL);
}

static void wanted_free(struct wanted *wanted)
{
    free(wanted->name);
    free(wanted->commit);
    free(wanted->nodes);
    free(wanted);
}

static void repo_free(struct repo *repo)
{
    if (!repo)
        return;
    while (repo->wanted) {
        struct wanted *next = repo->wanted->next;
        wanted_free(repo->wanted);
        repo->wanted = next;
    }
    repo_forget_named(repo);
    if (repo->repository)
        repository_close(repo->repository);
    pthread_mutex_destroy(&repo->trees);
    pthread_mutex_destroy(&repo->folders);
    pthread_mutex_destroy(&repo->lock);
    free(repo->name);
    free(repo->shown);
    free(repo->host);
    free(repo);
}

void repos_release(struct repos *repos)
{
    for (size_t i = 0; i < repos->count; i++)
        repo_free(repos->items[i]);
    free(repos->items);
    pthread_rwlock_destroy(&repos->lock);
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
    repo->node = node;
    repo->in_use = true;
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

int repos_add(struct repos *repos, struct repo *repo)
{
    int r = 0;

    pthread_rwlock_wrlock(&repos->lock);
    struct repo **items = realloc(repos->items, (repos->count + 1) * sizeof *items);
    if (items) {
        repos->items = items;
        repos->items[repos->count++] = repo;
    } else {
        r = -ENOMEM;
    }
    pthread_rwlock_unlock(&repos->lock);
    return r;
}

struct repo *repos_find(struct repos *repos, uint32_t node)
{
    struct repo *found = NULL;

    pthread_rwlock_rdlock(&repos->lock);
    for (size_t i = 0; i < repos->count && !found; i++)
        if (repos->items[i]->node == node)
            found = repos->items[i];
    pthread_rwlock_unlock(&repos->lock);
    return found;
}

struct repo *repos_at(struct repos *repos, size_t i)
{
    pthread_rwlock_rdlock(&repos->lock);
    struct repo *repo = i < repos->count ? repos->items[i] : NULL;
    pthread_rwlock_unlock(&repos->lock);
    return repo;
}

static bool same_string(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

int repo_name_version(struct repo *repo, const struct source *source)
{
    struct named named = {.kind = source->kind};
    int r = 0;

    pthread_mutex_lock(&repo->lock);
    for (size_t i = 0; i < repo->named_count; i++)
        if (same_string(repo->named[i].name, source->version) &&
            same_string(repo->named[i].commit, source->commit))
            goto out;
    struct named *all = realloc(repo->named, (repo->named_count + 1) * sizeof *all);
    if (all)
        repo->named = all;
    named.name = source->version ? strdup(source->version) : NULL;
    named.commit = source->commit ? strdup(source->commit) : NULL;
    if (!all || (source->version && !named.name) || (source->commit && !named.commit)) {
        free(named.name);
        free(named.commit);
        r = -ENOMEM;
        goto out;
    }
    repo->named[repo->named_count++] = named;
    if (source->kind == SOURCE_NAMED)
        r = repository_name_branch(repo->repository, named.name);
out:
    pthread_mutex_unlock(&repo->lock);
    return r;
}

void repo_forget_named(struct repo *repo)
{
    pthread_mutex_lock(&repo->lock);
    for (size_t i = 0; i < repo->named_count; i++) {
        free(repo->named[i].name);
        free(repo->named[i].commit);
    }
    free(repo->named);
    repo->named = NULL;
    repo->named_count = 0;
    pthread_mutex_unlock(&repo->lock);
}

char *repo_pin(struct repo *repo, const char *name)
{
    const char *pin = NULL;
    bool differ = false;

    pthread_mutex_lock(&repo->lock);
    for (size_t i = 0; i < repo->named_count; i++) {
        const struct named *named = &repo->named[i];
        if (!same_string(named->name, name) || named->kind != SOURCE_NAMED)
            continue;
        differ |= !named->commit || (pin && strcmp(pin, named->commit) != 0);
        pin = named->commit;
    }
    char *copy = pin && !differ ? strdup(pin) : NULL;
    pthread_mutex_unlock(&repo->lock);
    return copy;
}

struct wanted *repo_want(struct repo *repo, const char *name, const char *commit)
{
    struct wanted *wanted;

    pthread_mutex_lock(&repo->lock);
    for (wanted = repo->wanted; wanted; wanted = wanted->next)
        if (same_string(wanted->name, name) && same_string(wanted->commit, commit))
            goto out;
    wanted = calloc(1, sizeof *wanted);
    if (!wanted)
        goto out;
    wanted->repo = repo;
    wanted->name = name ? strdup(name) : NULL;
    wanted->commit = commit ? strdup(commit) : NULL;
    if ((name && !wanted->name) || (commit && !wanted->commit)) {
        wanted_free(wanted);
        wanted = NULL;
        goto out;
    }
    wanted->next = repo->wanted;
    repo->wanted = wanted;
out:
    pthread_mutex_unlock(&repo->lock);
    return wanted;
}

int wanted_add_node(struct wanted *wanted, uint32_t node)
{
    int r = 0;

    pthread_mutex_lock(&wanted->repo->lock);
    for (size_t i = 0; i < wanted->node_count; i++)
        if (wanted->nodes[i] == node)
            goto out;
    uint32_t *nodes = realloc(wanted->nodes, (wanted->node_count + 1) * sizeof *nodes);
    if (nodes) {
        wanted->nodes = nodes;
        wanted->nodes[wanted->node_count++] = node;
    } else {
        r = -ENOMEM;
    }
out:
    pthread_mutex_unlock(&wanted->repo->lock);
    return r;
}

bool repo_succeeded(struct repo *repo)
{
    pthread_mutex_lock(&repo->lock);
    bool news = repo->failures > 0;
    repo->failures = 0;
    repo->retry_at = 0;
    repo->error.errnum = 0;
    pthread_mutex_unlock(&repo->lock);
    return news;
}

bool repo_failed(struct repo *repo, const struct error *error)
{
    int64_t pause = BACKOFF_FIRST;

    pthread_mutex_lock(&repo->lock);
    bool news = repo->failures == 0 || strcmp(repo->error.text, error->text) != 0;
    for (unsigned i = 0; i < repo->failures && pause < BACKOFF_LAST; i++)
        pause *= 2;
    repo->failures++;
    repo->error = *error;
    repo->retry_at = clock_now() + (pause < BACKOFF_LAST ? pause : BACKOFF_LAST);
    pthread_mutex_unlock(&repo->lock);
    return news;
}

int repo_backoff(struct repo *repo, struct error *error)
{
    int r = 0;

    pthread_mutex_lock(&repo->lock);
    if (repo->retry_at > clock_now()) {
        r = -repo->error.errnum;
        if (error)
            *error = repo->error;
    }
    pthread_mutex_unlock(&repo->lock);
    return r;
}

int64_t repo_listing_age(struct repo *repo)
{
    const struct listing *listing = repository_listing_get(repo->repository);
    int64_t age = -1;

    if (!listing)
        return age;
    age = clock_wall() / 1000 - listing->listed_at;
    repository_listing_put(repo->repository, listing);
    return age < 0 ? 0 : age;
}
