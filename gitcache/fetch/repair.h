/* repair.h - replacing what is damaged in the cache. Private to gitcache/. */
#ifndef GITCACHE_FETCH_REPAIR_H
#define GITCACHE_FETCH_REPAIR_H

#include "gitcache/net/remote.h"
#include "gitcache/store/repository.h"

/* Mends the repository as far as its own disk goes (mend.h), and fetches the pinned versions that are
 * not whole then once more, at the commits they are pinned to. The caller has the repository's lock.
 * Counts packs that were transferred into *fetched. */
int repair_run(struct repository *repository, struct remote *remote, const struct watch *watch,
               unsigned *fetched, struct error *e);

#endif
