/* repair.h - replacing what is damaged in the cache. Private to gitcache/fetch/. */
#ifndef GITCACHE_FETCH_REPAIR_H
#define GITCACHE_FETCH_REPAIR_H

#include "gitcache/net/remote.h"
#include "gitcache/store/repository.h"

/* Checks every pack of the repository; takes damaged ones out of use and fetches the pinned
 * versions that need them once more, at the commits they are pinned to. If that fails, the damaged
 * packs are put back, as parts of them may be good. The caller has the repository's lock. Counts
 * packs that were transferred into *fetched. */
int repair_packs(struct repository *repository, struct remote *remote, const struct watch *watch,
                 unsigned *fetched, struct error *e);

#endif
