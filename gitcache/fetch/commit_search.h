/* commit_search.h - finding a commit in a remote's history, beside everything else: nobody waits meanwhile
 * for the repository's lock. */
#ifndef GITCACHE_FETCH_COMMIT_SEARCH_H
#define GITCACHE_FETCH_COMMIT_SEARCH_H

#include "gitcache/net/remote.h"
#include "gitcache/store/repository.h"

/* How far a search may go. */
struct commit_search_bounds {
    bool needs_filter;  /* only where the server can send commits without their files */
    uint64_t max_bytes; /* of a pack: the branches' history, and the tags' */
};

/* Finds the commit whose id begins so (7 to 40 digits) in the history of the branches and tags that the
 * listing shows. Nothing of what is transferred is kept. Counts packs into *fetched. 0 and *commit; ENOENT:
 * there is none, or there are several; EOPNOTSUPP: the server has no filter; EFBIG: the history is larger
 * than the bound; or what failed. */
int commit_search(struct repository *repository, struct remote *remote, const char *digits,
                  const struct commit_search_bounds *bounds, const struct watch *watch,
                  unsigned *fetched, struct oid *commit, struct error *e);

#endif
