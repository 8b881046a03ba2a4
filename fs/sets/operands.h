/* operands.h - the last look at sources that were given on a command line, before anything is done
 * with them. */
#ifndef FS_SETS_OPERANDS_H
#define FS_SETS_OPERANDS_H

#include "fs/settings.h"
#include "gitcache/base/source_list.h"

/* ENOENT for a path without a version at which there is nothing, neither on disk nor in the cache:
 * most likely a list whose name has a mistake in it. A repository that is gone is served from the
 * cache. Sources that stand in lists are not looked at. */
int operands_check(const struct settings *settings, const struct source_list *sources,
                   struct error *e);

#endif
