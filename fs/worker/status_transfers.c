#include "fs/worker/status_transfers.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/repo.h"
#include "gitcache/base/clock.h"

#define NAMED_MOST 20 /* versions of one transfer; of the others it only says how many there are */

json_t *status_transfers_text(const char *text)
{
    json_t *json = json_string(text);

    if (!json) {
        char *copy = strdup(text);
        for (char *c = copy; c && *c; c++)
            if ((unsigned char)*c >= 0x80)
                *c = '?';
        json = copy ? json_string(copy) : NULL;
        free(copy);
    }
    return json ? json : json_null();
}

/* Whether a fetch thread is at it: it does not only stand in a queue. */
static bool is_under_way(const struct work *work)
{
    return atomic_load(&work->running) && atomic_load(&work->began_at);
}

static double seconds_since(int64_t when)
{
    int64_t passed = when ? clock_now() - when : 0;
    return passed > 0 ? (double)passed / 1000 : 0;
}

/* `versions` is taken over; of a listing it is empty. */
static void add(json_t *transfers, const struct repo *repo, const char *what, json_t *versions,
                size_t count, const struct work *work)
{
    json_array_append_new(transfers,
                          json_pack("{s:o, s:s, s:o, s:I, s:I, s:f, s:f, s:I}", "repository",
                                    status_transfers_text(repo->name), "what", what, "versions",
                                    versions, "count", (json_int_t)count, "bytes",
                                    (json_int_t)atomic_load(&work->bytes), "seconds",
                                    seconds_since(atomic_load(&work->began_at)), "silent_seconds",
                                    seconds_since(atomic_load(&work->progress_at)), "waiting",
                                    (json_int_t)atomic_load(&work->waiting)));
}

/* What was begun at the same time comes together. */
static void add_versions_with(json_t *transfers, struct repo *repo, struct repo_version *first)
{
    int64_t began_at = atomic_load(&first->work.began_at);
    json_t *names = json_array();
    size_t count = 0;

    for (struct repo_version *v = first; v; v = v->next)
        if (is_under_way(&v->work) && atomic_load(&v->work.began_at) == began_at &&
            count++ < NAMED_MOST)
            json_array_append_new(names, status_transfers_text(repo_version_label(v)));
    add(transfers, repo, "versions", names, count, &first->work);
}

static bool was_added(const struct repo *repo, const struct repo_version *version)
{
    for (const struct repo_version *v = repo->versions; v != version; v = v->next)
        if (is_under_way(&v->work) &&
            atomic_load(&v->work.began_at) == atomic_load(&version->work.began_at))
            return true;
    return false;
}

json_t *status_transfers_json(struct mount *mount)
{
    json_t *transfers = json_array();
    struct repo *repo;

    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++) {
        if (is_under_way(&repo->listing))
            add(transfers, repo, "listing", json_array(), 0, &repo->listing);
        pthread_mutex_lock(&repo->lock);
        for (struct repo_version *v = repo->versions; v; v = v->next)
            if (is_under_way(&v->work) && !was_added(repo, v))
                add_versions_with(transfers, repo, v);
        pthread_mutex_unlock(&repo->lock);
    }
    return transfers;
}
