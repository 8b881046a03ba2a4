/* versions.h - the versions that a cached repository has: finding one by name, and telling of all. */
#ifndef GITCACHE_STORE_VERSIONS_H
#define GITCACHE_STORE_VERSIONS_H

#include <stdint.h>

#include "gitcache/base/oid.h"
#include "gitcache/store/repository.h"

enum version_kind { VERSION_TAG, VERSION_BRANCH, VERSION_COMMIT };

/* A version that is in the cache, whole. */
struct version {
    enum version_kind kind;
    struct oid commit;
    struct oid tree;
    int64_t time; /* the committer's time, seconds since the epoch */
};

/* Finds a version in the cache; never touches the network. `name` is a tag, a branch or 7 to 40 hex
 * digits; NULL means the default branch. `commit` (40 digits or NULL) is what it must be pinned to:
 * a version pinned otherwise, or not there, is ENOENT. A tag wins over a branch, and both over a
 * commit id. An abbreviation that fits several cached commits is ENOENT with a sentence that says
 * so. EIO: it is in the cache, but damaged; ENOMEM. */
int versions_find(struct repository *repository, const char *name, const char *commit,
                  struct version *out, struct error *e);

/* Calls `visit` for every version, with its name as a folder shows it (tag or branch name, 40 digits
 * for a commit), until one returns non-zero, which is then returned. */
int versions_each(struct repository *repository,
                  int (*visit)(void *data, const char *name, const struct version *version),
                  void *data, struct error *e);

/* Calls visit for each pinned tag that the newest listing shows elsewhere. */
int versions_moved(struct repository *repository,
                   int (*visit)(void *data, const char *tag, const struct oid *pinned,
                                const struct oid *now),
                   void *data, struct error *e);

#endif
