/* cache.h - the folder that keeps every fetched version for good.
 *
 * A cache is a folder with one bare git repository per remote, in a sub-folder named after the URL:
 *
 *     CACHE/https/github.com/cyber-dojo-start-points/python-unittest.git/
 *         objects/pack/            a pack for each fetch, whole in itself
 *         shallow                  the commits whose parents were not fetched
 *         refs/tags/3.7.4-19       a pinned tag; a ref that is there is complete
 *         refs/heads/main          a branch, at the commit it was last switched to
 *         refs/startpointfs/ID     a pinned commit, ID its 40 digits
 *         startpointfs-listing     the remote's refs when it last answered
 *
 * Ordinary git commands can read all of it. Order of writing: objects, shallow, fsync, ref.
 * At most one process writes a repository (flock on startpointfs-lock); readers take no lock.
 *
 * `struct cache` and `struct repository` may be used by any number of threads at once. Functions
 * here never touch the network unless they take a `struct remote`.
 */
#ifndef GITCACHE_STORE_CACHE_H
#define GITCACHE_STORE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/base/error.h"
#include "gitcache/base/listing.h"
#include "gitcache/base/oid.h"
#include "gitcache/net/remote.h"

struct cache;
struct repository;

/* Opens (and makes, mode 0755, unless read_only) a cache folder. A folder that can't be written is
 * opened read-only by itself. */
int cache_open(struct cache **out, const char *folder, bool read_only, struct error *e);
void cache_close(struct cache *cache); /* after its repositories */
const char *cache_folder(const struct cache *cache);
bool cache_is_read_only(const struct cache *cache);

enum version_kind { VERSION_TAG, VERSION_BRANCH, VERSION_COMMIT };

/* A version that is in the cache, whole. */
struct version {
    enum version_kind kind;
    struct oid commit;
    struct oid tree;
    int64_t time; /* the committer's time, seconds since the epoch */
};

/* Opens the cached repository of a URL; nothing is made on disk before the first fetch or listing.
 * Always succeeds but for ENOMEM and a damaged cache folder (EIO). */
int repository_open(struct repository **out, struct cache *cache, const char *url, struct error *e);
void repository_close(struct repository *repository);
const char *repository_url(const struct repository *repository);
/* The bare repository's folder. */
const char *repository_folder(const struct repository *repository);

/* A further branch that remote listings shall include. Idempotent. */
int repository_name_branch(struct repository *repository, const char *branch);

/* The newest listing that is known: from the last repository_list, else from the cache, else NULL.
 * Counted: give it back with repository_listing_put. Never waits. */
const struct listing *repository_listing_get(struct repository *repository);
void repository_listing_put(struct repository *repository, const struct listing *listing);

/* Asks the remote for its refs and keeps the answer, in memory and (unless read-only) on disk. */
int repository_list(struct repository *repository, struct remote *remote, const struct watch *watch,
                    struct error *e);

/* Every version in the cache, for listings: calls `visit` with its name as a folder shows it (tag
 * or branch name, 40 digits for a commit) until one returns non-zero, which is then returned. */
int repository_versions(struct repository *repository,
                        int (*visit)(void *data, const char *name, const struct version *version),
                        void *data, struct error *e);

/* Finds a version in the cache; never touches the network. `name` is a tag, a branch or 7 to 40 hex
 * digits; NULL means the default branch. `commit` (40 digits or NULL) is what it must be pinned to:
 * a version pinned otherwise, or not there, is ENOENT. A tag wins over a branch, and both over a
 * commit id. An abbreviation that fits several cached commits is ENOENT with a sentence that says
 * so. */
int repository_find(struct repository *repository, const char *name, const char *commit,
                    struct version *out, struct error *e);

/* One version that repository_fetch shall get. */
struct version_request {
    const char *name;   /* as for repository_find */
    const char *commit; /* as for repository_find */
    /* A branch: what it is at the remote now, though an older commit is cached. Lists anew. */
    bool newest;
    /* What the cache has is damaged (tree_read or blob_read said EIO): every pack is checked, and
     * what needs a damaged one is fetched again, at the commits that are pinned. */
    bool again;
    int status;             /* out: 0 or negative errno */
    struct version version; /* out, where status is 0 */
    struct error error;     /* out, where it is not */
};

/* Makes versions present: from the cache, else resolved with the listing (asking the remote for one
 * where none is known, or the name is not in the one known), else by commit id; then fetched, all
 * together in one request, at depth 1, checked (the tip is what was asked for, everything its tree
 * reaches is there), pinned. A tag or commit that is already pinned is never fetched again and
 * never moved; where `commit` asks for another one than the name is pinned to, that is fetched by
 * its id and becomes a version of its own (VERSION_COMMIT). A branch is moved by `newest` alone. A
 * read-only cache: EROFS for what it lacks. Waits for other processes that write this repository,
 * until watch->cancelled says so. Returns 0 if every status is 0, else the first failing status.
 * `fetched`, if not NULL, counts the packs that were transferred. */
int repository_fetch(struct repository *repository, struct remote *remote,
                     struct version_request *requests, size_t count, const struct watch *watch,
                     unsigned *fetched, struct error *e);

/* A pinned tag that the newest listing shows elsewhere. Calls visit for each. */
int repository_moved(struct repository *repository,
                     int (*visit)(void *data, const char *tag, const struct oid *pinned,
                                  const struct oid *now),
                     void *data, struct error *e);

#endif
