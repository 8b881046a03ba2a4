#include "gitcache/fetch/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/starts_with.h"
#include "gitcache/fetch/reception.h"
#include "gitcache/store/pins.h"

static int compare_oids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct oid));
}

struct oid *history_tips(const struct listing *listing, bool tags, size_t *count)
{
    struct oid *tips = calloc(listing->count + 1, sizeof *tips);
    size_t n = 0, kept = 0;

    if (!tips)
        return NULL;
    for (size_t i = 0; i < listing->count; i++)
        if (starts_with(listing->refs[i].name, TAG_PREFIX) == tags)
            tips[n++] = listing->refs[i].peeled;
    qsort(tips, n, sizeof *tips, compare_oids);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !oid_equal(&tips[kept - 1], &tips[i]))
            tips[kept++] = tips[i];
    *count = kept;
    return tips;
}

struct scan {
    struct history_search *searches;
    size_t count;
};

static void compare_commit(void *data, const struct oid *commit)
{
    struct scan *scan = data;
    char hex[OID_HEX_SIZE];

    oid_format(commit, hex);
    for (size_t i = 0; i < scan->count; i++) {
        struct history_search *search = &scan->searches[i];

        if (strncasecmp(hex, search->digits, strlen(search->digits)) != 0 ||
            (search->found && oid_equal(&search->commit, commit)))
            continue;
        search->commit = *commit;
        search->found++;
    }
}

static bool all_found(const struct history_search *searches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!searches[i].found)
            return false;
    return true;
}

static int search_tips(struct incoming *incoming, struct remote *remote,
                       const struct listing *listing, bool tags, struct history_search *searches,
                       size_t count, const struct commit_search_bounds *bounds,
                       const struct watch *watch, unsigned *fetched, struct error *e)
{
    struct fetch_command_request request = {.depth = 0,
                                            .commits_only = true,
                                            .needs_filter = bounds->needs_filter,
                                            .max_pack = bounds->max_bytes};
    struct scan scan = {.searches = searches, .count = count};
    struct oid *tips = history_tips(listing, tags, &request.count);
    int r = 0;

    if (!tips)
        return error_no_memory(e);
    request.wants = tips;
    if (request.count) {
        r = reception_run(incoming, remote, &request, watch, e);
        if (r == 0) {
            ++*fetched;
            r = incoming_each_commit(incoming, compare_commit, &scan, e);
        }
    }
    free(tips);
    return r;
}

static int find(struct incoming *incoming, struct remote *remote, const struct listing *listing,
                struct history_search *searches, size_t count,
                const struct commit_search_bounds *bounds, const struct watch *watch,
                unsigned *fetched, struct error *e)
{
    for (size_t i = 0; i < count; i++)
        searches[i].found = 0;
    int r =
        search_tips(incoming, remote, listing, false, searches, count, bounds, watch, fetched, e);
    if (r == 0 && !all_found(searches, count))
        r = search_tips(incoming, remote, listing, true, searches, count, bounds, watch, fetched,
                        e);
    return r;
}

int history_find(struct repository *repository, struct remote *remote,
                 const struct listing *listing, struct history_search *searches, size_t count,
                 const struct commit_search_bounds *bounds, const struct watch *watch,
                 unsigned *fetched, struct error *e)
{
    struct incoming incoming;
    int r = incoming_open_beside(&incoming, repository, e);

    if (r < 0)
        return r;
    r = find(&incoming, remote, listing, searches, count, bounds, watch, fetched, e);
    incoming_close(&incoming);
    return r;
}
