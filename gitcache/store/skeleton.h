/* skeleton.h - what makes a folder a bare repository, besides objects and refs. Private to
 * gitcache/store. */
#ifndef GITCACHE_STORE_SKELETON_H
#define GITCACHE_STORE_SKELETON_H

#include "gitcache/store/cache.h"

/* Bytes that a file of a repository may have which is no pack: what is larger is damaged. */
#define SKELETON_FILE_MOST ((size_t)256 << 20)

/* Writes it into an empty folder, durably. */
int skeleton_write(const char *folder, struct error *e);

/* Whether skeleton_mend would have nothing to do. */
bool skeleton_is_sound(const char *folder);

/* Makes again what is missing or damaged in a repository's folder, and removes what stands in the
 * place of our files and is none; says so. `shown` names the repository. The caller has its lock. */
int skeleton_mend(const struct cache *cache, const char *folder, const char *shown,
                  struct error *e);

#endif
