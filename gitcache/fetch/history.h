/* history.h - finding a commit by the first digits of its id. Private to gitcache/. */
#ifndef GITCACHE_FETCH_HISTORY_H
#define GITCACHE_FETCH_HISTORY_H

#include "gitcache/fetch/commit_search.h"
#include "gitcache/net/remote.h"
#include "gitcache/store/repository.h"

/* One search: `digits` (7 to 40) in, the commit out. */
struct history_search {
    const char *digits;
    struct oid commit;
    unsigned found; /* different commits that begin so: 0, 1, or more */
};

/* Fetches the history (commits alone, where the server can) of the branches in the listing, then,
 * if a search is still without an answer, of its tags; nothing of it is kept. Takes no lock: it goes on
 * beside others who may hold it. Counts packs into *fetched. */
int history_find(struct repository *repository, struct remote *remote,
                 const struct listing *listing, struct history_search *searches, size_t count,
                 const struct commit_search_bounds *bounds, const struct watch *watch,
                 unsigned *fetched, struct error *e);

/* The tips of a listing's branches and HEAD, or of its tags, each once. Owned; NULL if out of
 * memory. */
struct oid *history_tips(const struct listing *listing, bool tags, size_t *count);

#endif
