/* repository_fetch.h - makes versions present: finds them in the cache, or asks the remote for them.
 *
 *     1. What the cache has is answered at once: no lock, no network.
 *     2. The rest is resolved with the listing that is known; the remote is asked for a new one if
 *        there is none, or it lacks a name, or the newest is wanted.
 *     3. With the repository's lock in hand, look again: another process may have fetched.
 *     4. All that is left comes in one pack. If that fails for a reason that may be one version's
 *        alone, each comes in a pack of its own: one bad version spoils no other.
 *     5. Commit ids that the listing does not show, and the server does not give, are looked for
 *        in its history; the lock is given back for that. */
#ifndef GITCACHE_FETCH_REPOSITORY_FETCH_H
#define GITCACHE_FETCH_REPOSITORY_FETCH_H

#include <stddef.h>

#include "gitcache/fetch/request.h"
#include "gitcache/net/remote.h"

/* Gets every version at depth 1, checked (the tip is what was asked for, everything its tree reaches
 * is there), and pinned. A tag or commit that is already pinned is never fetched again and never
 * moved; where `commit` asks for another one than the name is pinned to, that is fetched by its id
 * and becomes a version of its own (VERSION_COMMIT). A branch is moved by `newest` alone. A
 * read-only cache: EROFS for what it lacks. Waits for other processes that write this repository,
 * until the watch is cancelled. Returns 0 if every status is 0, else the first failing status.
 * `fetched`, if not NULL, counts the packs that were transferred. */
int repository_fetch(struct repository *repository, struct remote *remote,
                     struct version_request *requests, size_t count, const struct watch *watch,
                     unsigned *fetched, struct error *e);

#endif
