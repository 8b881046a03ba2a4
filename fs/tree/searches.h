/* searches.h - commits that somebody looks up and no list names: looked for beside all fetches, seldom, and
 * within a bound; what is missing is remembered.
 *
 *     lookup -> searches_ask -> the pool's queue -> searches_run: by the id -> in the history -> fetched
 *     lookup <- parked_wake <---------------------- found: it is in the cache; missing: remembered
 *
 * Anybody can make up ids: nothing here grows with their number. */
#ifndef FS_TREE_SEARCHES_H
#define FS_TREE_SEARCHES_H

#include "fs/tree/ask.h"
#include "fs/tree/mount.h"

struct remote;

/* Has a commit looked for. -EAGAIN with ask->work; -ENOENT: it is known to be missing; or the errno of why
 * it cannot be had. A found one is in the cache. */
int searches_ask(struct mount *mount, struct repo *repo, const char *digits, struct ask *ask);

/* For a version that a list names, which was fetched in vain: its work goes on. 0 or a negative errno. */
int searches_add_version(struct mount *mount, struct repo_version *version);

/* What a fetch thread does for a job ASK_SEARCHES: one search. */
void searches_run(struct mount *mount, struct repo *repo, struct remote *remote);

/* The remote has been listed: if it shows other refs than before, what was missing may be there. */
void searches_listed(struct repo *repo);

#endif
