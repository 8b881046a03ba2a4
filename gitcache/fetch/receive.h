/* receive.h - jobs whose objects are known: fetched, checked, pinned. Private to gitcache/fetch/. */
#ifndef GITCACHE_FETCH_RECEIVE_H
#define GITCACHE_FETCH_RECEIVE_H

#include "gitcache/fetch/jobs.h"

/* Fetches, checks and pins all jobs that have an object to ask for: in one pack, or if that fails
 * for a reason that may be one version's alone, each in a pack of its own. Those are finished then;
 * but commits that the server does not give by their ids become RESOLVE_DIGITS. The caller has the
 * repository's lock.
 *
 * Written are, in this order: the pack, `shallow`, the refs; each is on the disk before the next. */
void receive_jobs(struct jobs *jobs);

/* RESOLVE_DIGITS that are known to be in the history, though the server does not give them by their ids: they
 * come with all of it, which is kept. The caller has no lock; it is taken once all has arrived and was checked. */
void receive_with_history(struct jobs *jobs);

#endif
