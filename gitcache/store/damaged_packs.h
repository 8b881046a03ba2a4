/* damaged_packs.h - packs of a cached repository that do not pass their check. Private to gitcache/.
 *
 * Set aside, a pack keeps its files, but nobody reads it: its index has another name. Then it is
 * either put back, as parts of it may be good, or removed. The caller has the repository's lock. */
#ifndef GITCACHE_STORE_DAMAGED_PACKS_H
#define GITCACHE_STORE_DAMAGED_PACKS_H

#include "gitcache/base/oid_set.h"
#include "gitcache/store/repository.h"

/* Checks every pack whole, and sets aside those that are damaged or cannot be checked. */
int damaged_packs_set_aside(struct repository *repository, struct error *e);
void damaged_packs_put_back(struct repository *repository);
int damaged_packs_remove(struct repository *repository, struct error *e);

/* Adds to the set what those pins hold that are not whole without them. */
int damaged_packs_find_pins(struct repository *repository, struct oid_set *broken, struct error *e);

#endif
