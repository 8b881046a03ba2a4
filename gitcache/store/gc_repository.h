/* gc_repository.h - gc of one repository. Private to gitcache/store/. */
#ifndef GITCACHE_STORE_GC_REPOSITORY_H
#define GITCACHE_STORE_GC_REPOSITORY_H

#include "gitcache/store/gc_state.h"

/* Removes what goes, and counts it in gc->report. EBUSY: something is being fetched into it; EIO:
 * something that stays is damaged. Nothing has been removed then. */
int gc_repository(struct gc *gc, const char *folder, struct error *e);

#endif
