#include "fs/tree/missing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/ask.h"
#include "fs/tree/publish.h"
#include "gitcache/base/starts_with.h"
#include "gitcache/base/version_order.h"

static const char tags[] = "refs/tags/";

bool missing_is(struct repo *repo, const struct repo_source *source, const struct listing *listing)
{
    return listing && source->kind == SOURCE_NAMED && !source->commit &&
           !listing_find_version(listing, source->version) &&
           versions_find(repo->repository, source->version, NULL, &(struct version){0}, NULL) < 0;
}

/* The tags that stand right before and after a name in the order of versions; NULL: there is none. */
static void find_neighbours(const struct listing *listing, const char *name, const char **before,
                            const char **after)
{
    *before = *after = NULL;
    for (size_t i = 0; i < listing->count; i++) {
        if (!starts_with(listing->refs[i].name, tags))
            continue;
        const char *tag = listing->refs[i].name + strlen(tags);
        const char **nearest = version_order(tag, name) < 0 ? before : after;
        int order = *nearest ? version_order(tag, *nearest) : 0;
        if (!*nearest || (nearest == before ? order > 0 : order < 0))
            *nearest = tag;
    }
}

char *missing_text(const struct repo *repo, const struct repo_source *source,
                   const struct listing *listing)
{
    const char *before, *after;
    char *text;

    find_neighbours(listing, source->version, &before, &after);
    if (asprintf(&text, "%s is no tag or branch of %s%s%s%s%s", source->version, repo->name,
                 before || after ? "; nearest: " : "", before ? before : "",
                 before && after ? ", " : "", after ? after : "") < 0)
        return NULL;
    return text;
}

static bool lacks_something(struct repo *repo)
{
    const struct listing *listing = repository_listing_get(repo->repository);
    bool lacks = false;

    pthread_mutex_lock(&repo->lock);
    for (size_t i = 0; i < repo->source_count && !lacks; i++)
        lacks = missing_is(repo, &repo->sources[i], listing);
    pthread_mutex_unlock(&repo->lock);
    repository_listing_put(repo->repository, listing);
    return lacks;
}

void missing_ask_later(struct mount *mount)
{
    struct repo *repo;

    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++) {
        if (!repo->in_use || !publish_reading_begins(mount, repo))
            continue;
        bool lacks = lacks_something(repo);
        publish_reading_ends_early(mount, repo);
        if (lacks)
            ask_listing_later(mount, repo, &(struct ask){0});
    }
}

void missing_report(struct mount *mount, struct repo *repo)
{
    const struct listing *listing = repository_listing_get(repo->repository);

    pthread_mutex_lock(&repo->lock);
    for (size_t i = 0; i < repo->source_count; i++) {
        struct repo_source *source = &repo->sources[i];
        bool is_missing = missing_is(repo, source, listing);
        char *text =
            is_missing && !source->was_missing ? missing_text(repo, source, listing) : NULL;
        if (text)
            log_warning(mount->log, "%s", text);
        source->was_missing = is_missing;
        free(text);
    }
    pthread_mutex_unlock(&repo->lock);
    repository_listing_put(repo->repository, listing);
}
