#include "gitcache/fetch/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/library.h"
#include "gitcache/store/incoming.h"
#include "gitcache/store/repository_state.h"

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
        if ((strncmp(listing->refs[i].name, TAG_PREFIX, strlen(TAG_PREFIX)) == 0) == tags)
            tips[n++] = listing->refs[i].peeled;
    qsort(tips, n, sizeof *tips, compare_oids);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !oid_equal(&tips[kept - 1], &tips[i]))
            tips[kept++] = tips[i];
    *count = kept;
    return tips;
}

struct scan {
    git_odb *odb;
    struct history_search *searches;
    size_t count;
};

static bool is_commit(git_odb *odb, const git_oid *id)
{
    git_object_t type;
    size_t size;

    return git_odb_read_header(&size, &type, odb, id) == 0 && type == GIT_OBJECT_COMMIT;
}

static int compare_object(const git_oid *id, void *data)
{
    struct scan *scan = data;
    char hex[OID_HEX_SIZE];
    struct oid oid;

    oid_from_git(&oid, id);
    oid_format(&oid, hex);
    for (size_t i = 0; i < scan->count; i++) {
        struct history_search *search = &scan->searches[i];

        if (strncasecmp(hex, search->digits, strlen(search->digits)) != 0)
            continue;
        if ((search->found && oid_equal(&search->commit, &oid)) || !is_commit(scan->odb, id))
            continue;
        search->commit = oid;
        search->found++;
    }
    return 0;
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
                       size_t count, const struct watch *watch, unsigned *fetched, struct error *e)
{
    struct fetch_command_request request = {.depth = 0, .commits_only = true};
    struct scan scan = {.odb = incoming->odb, .searches = searches, .count = count};
    struct oid *tips = history_tips(listing, tags, &request.count);
    int r = 0;

    if (!tips)
        return error_no_memory(e);
    request.wants = tips;
    if (request.count) {
        r = incoming_receive(incoming, remote, &request, watch, e);
        if (!r) {
            ++*fetched;
            if (git_odb_foreach(incoming->odb, compare_object, &scan))
                r = error_set(e, EIO, "can't read the history of %s", incoming->repository->shown);
        }
    }
    free(tips);
    return r;
}

int history_find(struct repository *repository, struct remote *remote,
                 const struct listing *listing, struct history_search *searches, size_t count,
                 const struct watch *watch, unsigned *fetched, struct error *e)
{
    struct incoming incoming;
    int r = incoming_open(&incoming, repository, e);

    if (r)
        return r;
    for (size_t i = 0; i < count; i++)
        searches[i].found = 0;
    r = search_tips(&incoming, remote, listing, false, searches, count, watch, fetched, e);
    if (!r && !all_found(searches, count))
        r = search_tips(&incoming, remote, listing, true, searches, count, watch, fetched, e);
    incoming_close(&incoming);
    return r;
}
