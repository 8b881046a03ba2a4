#include "gitcache/fetch/commit_search.h"

#include <errno.h>

#include "gitcache/fetch/history.h"
#include "gitcache/fetch/list_refs.h"

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
    r = listing ? history_find(repository, remote, listing, &search, 1, bounds, watch, fetched, e)
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
