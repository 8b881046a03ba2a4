/* cache_mode.h - the mode of the cache's folder, where somebody has asked for one. */
#ifndef FS_CLI_CACHE_MODE_H
#define FS_CLI_CACHE_MODE_H

#include "fs/settings.h"
#include "gitcache/base/error.h"

/* Makes the cache's folder, and gives it the mode that the settings ask for; does nothing if they
 * ask for none. */
int cache_mode_apply(const struct settings *settings, struct error *e);

#endif
