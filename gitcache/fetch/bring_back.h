/* bring_back.h - tells whether a version that is removed from the cache could be fetched again.
 *
 * The remote is asked, once for each repository: it must answer, and still have a tag or branch where the
 * cache has it. A commit that was fetched by its id counts as there while the remote answers. A host that
 * does not answer is not asked for its other repositories. For one thread at a time. */
#ifndef GITCACHE_FETCH_BRING_BACK_H
#define GITCACHE_FETCH_BRING_BACK_H

#include <stdbool.h>

#include "gitcache/base/error.h"
#include "gitcache/base/oid.h"
#include "gitcache/base/watch.h"
#include "gitcache/net/settings.h"

struct bring_back;

/* The settings are copied; the watch is borrowed, and may be NULL. */
int bring_back_new(struct bring_back **out, const char *cache_folder,
                   const struct net_settings *settings, const struct watch *watch, struct error *e);
void bring_back_free(struct bring_back *bring_back);

/* `folder` is the repository's in the cache; `url` where it came from, or NULL: what the folder's name
 * says. `ref` is the version's full name there, `target` what it holds. False also when it cannot be
 * told. */
bool bring_back_can(struct bring_back *bring_back, const char *folder, const char *url,
                    const char *ref, const struct oid *target);

#endif
