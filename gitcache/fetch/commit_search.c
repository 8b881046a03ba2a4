#include "gitcache/fetch/commit_search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gitcache/fetch/history.h"
#include "gitcache/fetch/list_refs.h"
#include "gitcache/fetch/reception.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/shallow.h"

int commit_search(struct repository *repository, struct remote *remote, const char *digits,
                  const struct commit_search_bounds *bounds, const struct watch *watch,
                  unsigned *fetched, struct oid *commit, struct error *e)
{
    struct history_search search = {.digits = digits};
    const struct listing *listing = repository_listing_get(repository);
    int r = 0;

    if (!listing) { /* the history's tips are in it */
        r = list_refs(repository, remote, watch, e);
        listing = r < 0 ? NULL : repository_listing_get(repository);
    }
    if (r < 0)
        return r;
    r = listing
            ? history_find_beside(repository, remote, listing, &search, bounds, watch, fetched, e)
            : error_set(e, EIO, "%s is not listed", repository_shown(repository));

    repository_listing_put(repository, listing);
    if (r < 0)
        return r;
    if (search.found > 1)
        return error_set(e, ENOENT,
                         "%s is ambiguous: %u commits of %s begin with it; write more digits",
                         digits, search.found, repository_shown(repository));
    if (search.found == 0)
        return error_set(e, ENOENT, "%s has no commit %s in the history of its branches and tags",
                         repository_shown(repository), digits);
    *commit = search.commit;
    return 0;
}

/* The branches' whole history. */
static int receive_history(struct incoming *incoming, struct remote *remote,
                           const struct watch *watch, struct error *e)
{
    const struct listing *listing = repository_listing_get(incoming->repository);
    struct fetch_command_request request = {.depth = 0, .lines = watch && watch->lines};
    struct oid *tips = listing ? history_tips(listing, false, &request.count) : NULL;
    int r = tips ? 0 : error_no_memory(e);

    repository_listing_put(incoming->repository, listing);
    request.wants = tips;
    if (r == 0)
        r = reception_run(incoming, remote, &request, watch, e);
    free(tips);
    return r;
}

/* Nothing that a server sends is believed. */
static int check_history(const struct incoming *incoming, const struct oid *commit,
                         struct version *out, struct error *e)
{
    const char *shown = repository_shown(incoming->repository);
    char hex[OID_HEX_SIZE];
    struct error inner = {0};
    int r = incoming_check(incoming, commit, out, &inner);

    oid_format(commit, hex);
    if (r == -ENOENT)
        return error_set(e, ENOENT, "%s has no commit %s in the history of its branches", shown,
                         hex);
    if (r < 0)
        return error_set(e, -r, "%s sent %s damaged: %s", shown, hex, inner.text);
    out->kind = VERSION_COMMIT;
    return 0;
}

static int publish_and_pin(struct incoming *incoming, const struct version *version,
                           const struct watch *watch, struct error *e)
{
    struct repository *repository = incoming->repository;
    char ref[sizeof COMMIT_PREFIX + OID_HEX_SIZE], hex[OID_HEX_SIZE];
    int fd = repository_lock(repository, watch, e), r;

    if (fd < 0)
        return fd;
    snprintf(ref, sizeof ref, "%s%s", COMMIT_PREFIX, oid_format(&version->commit, hex));
    r = incoming_publish(incoming, e);
    if (r == 0)
        r = shallow_add(repository, &version->commit, 1, e);
    if (r == 0)
        r = pins_write(repository, ref, &version->commit, version, e);
    close(fd);
    return r;
}

int commit_fetch_with_history(struct repository *repository, struct remote *remote,
                              const struct oid *commit, const struct watch *watch,
                              unsigned *fetched, struct error *e)
{
    struct incoming incoming;
    struct version version;
    int r = incoming_open_beside(&incoming, repository, e);

    if (r < 0)
        return r;
    r = receive_history(&incoming, remote, watch, e);
    if (r == 0) {
        ++*fetched;
        r = check_history(&incoming, commit, &version, e);
    }
    if (r == 0 && watch && watch->checked)
        watch->checked(watch->data);
    if (r == 0)
        r = publish_and_pin(&incoming, &version, watch, e);
    incoming_close(&incoming);
    return r;
}
