/* search.h - jobs that name a commit which the listing does not show: found in the remote's history.
 * Private to gitcache/fetch/. */
#ifndef GITCACHE_FETCH_SEARCH_H
#define GITCACHE_FETCH_SEARCH_H

#include "gitcache/fetch/jobs.h"

/* Looks for the jobs' RESOLVE_DIGITS in the remote's history: those that are found become RESOLVE_ID, the others
 * are finished. (Those that are known to be there are left.) The caller has no lock. */
void search_jobs(struct jobs *jobs);

#endif
