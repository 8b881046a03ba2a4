/* politeness.h - how often one host is asked, by all threads together, and when it is not asked at
 * all: a host that answers 429, or 503 or 403 with Retry-After, is left alone until then.
 *
 * Any number of threads may use it at once; its lock is held for no wait. */
#ifndef GITCACHE_NET_POLITENESS_H
#define GITCACHE_NET_POLITENESS_H

#include "gitcache/base/error.h"
#include "gitcache/base/watch.h"

struct politeness;

/* NULL: out of memory. */
struct politeness *politeness_new(void);
void politeness_free(struct politeness *politeness);

/* Before each request: waits for its turn (15 a second, the first two hundred at once). EBUSY, with the
 * time, if the host wants to be left alone; ECANCELED. `who` is the repository's URL as shown. */
int politeness_wait(struct politeness *politeness, const char *url, const char *who,
                    const struct watch *watch, struct error *e);

/* The host of this URL wants to be left alone for so long. */
void politeness_pause(struct politeness *politeness, const char *url, long seconds);

#endif
