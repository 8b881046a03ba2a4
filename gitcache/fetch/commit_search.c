#include "gitcache/fetch/commit_search.h"

#include <errno.h>

#include "gitcache/fetch/history.h"

int commit_search(struct repository *repository, struct remote *remote, const char *digits,
                  const struct commit_search_bounds *bounds, const struct watch *watch,
                  unsigned *fetched, struct oid *commit, struct error *e)
{
    const struct listing *listing = repository_listing_get(repository);
    struct history_search search = {.digits = digits};
    int r = listing ? history_find_beside(repository, remote, listing, &search, bounds, watch,
                                          fetched, e)
                    : error_set(e, EIO, "%s is not listed", repository_shown(repository));

    repository_listing_put(repository, listing);
    if (r < 0)
        return r;
    if (search.found > 1)
        return error_set(e, ENOENT, "%s begins the ids of %u commits of %s; write more digits",
                         digits, search.found, repository_shown(repository));
    if (search.found == 0)
        return error_set(e, ENOENT, "%s has no commit %s in the history of its branches and tags",
                         repository_shown(repository), digits);
    *commit = search.commit;
    return 0;
}
