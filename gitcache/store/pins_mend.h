/* pins_mend.h - makes a repository's refs and their record say the same again. Private to
 * gitcache/store/. */
#ifndef GITCACHE_STORE_PINS_MEND_H
#define GITCACHE_STORE_PINS_MEND_H

#include "gitcache/base/error.h"
#include "gitcache/store/repository.h"

/* Writes what one of the two lost or has damaged, by what can be read of both, and says what it mended.
 * The caller has the repository's file lock. */
int pins_mend(struct repository *repository, struct error *e);

#endif
