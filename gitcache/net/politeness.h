/* politeness.h - how often one host is asked, by all threads together, and when it is not asked at
 * all: a host that answers 429, or 503 or 403 with Retry-After, is left alone until then. Also how many
 * ask it at once: one that drops connections has too many of them.
 *
 * Any number of threads may use it at once; its lock is held for no wait. */
#ifndef GITCACHE_NET_POLITENESS_H
#define GITCACHE_NET_POLITENESS_H

#include <stdbool.h>

#include "gitcache/base/error.h"
#include "gitcache/base/watch.h"

struct politeness;

/* `rate`: requests a second to one host; 0: any number. NULL: out of memory. */
struct politeness *politeness_new(unsigned rate);
void politeness_free(struct politeness *politeness);

/* Before each request: waits for its turn (`rate` a second, the first two hundred at once). EBUSY, with the
 * time, if the host wants to be left alone; ECANCELED. `who` is the repository's URL as shown. */
int politeness_wait(struct politeness *politeness, const char *url, const char *who,
                    const struct watch *watch, struct error *e);

/* Before a command: true if few enough are under way with this host; politeness_leave ends it. */
bool politeness_may_enter(struct politeness *politeness, const char *url);

/* The same, and waits for it. 0 or ECANCELED. Who waits keeps no connection, or all might wait for
 * each other. */
int politeness_enter(struct politeness *politeness, const char *url, const char *who,
                     const struct watch *watch, struct error *e);

/* Ends a command. `was_dropped`: the connection was lost before an answer began; if others were under way,
 * fewer are from now on (more again after a while without), and true says that another try is worth
 * it. */
bool politeness_leave(struct politeness *politeness, const char *url, bool was_dropped);

/* True while fewer connections are to be kept than there may be: close those that rest. */
bool politeness_is_crowded(struct politeness *politeness, const char *url);

/* The host of this URL wants to be left alone for so long. */
void politeness_pause(struct politeness *politeness, const char *url, long seconds);

#endif
