/* repository.h - the cached repository of one URL: where it lies, and what its remote last listed.
 *
 * Any number of threads may use a `struct repository` at once. Nothing here touches the network. At
 * most one process writes a repository (repository_lock); readers take no lock. */
#ifndef GITCACHE_STORE_REPOSITORY_H
#define GITCACHE_STORE_REPOSITORY_H

#include <stddef.h>

#include "gitcache/base/error.h"
#include "gitcache/base/listing.h"
#include "gitcache/base/watch.h"
#include "gitcache/store/cache.h"

struct repository;

/* Opens the cached repository of a URL; nothing is made on disk before the first fetch or listing.
 * Always succeeds but for ENOMEM and a damaged cache folder (EIO). */
int repository_open(struct repository **out, struct cache *cache, const char *url, struct error *e);
void repository_close(struct repository *repository);

struct cache *repository_cache(const struct repository *repository);
const char *repository_url(const struct repository *repository);
/* The URL without credentials, for sentences. */
const char *repository_shown(const struct repository *repository);
/* The bare repository's folder. */
const char *repository_folder(const struct repository *repository);

/* Forgets packs that are open, so that those which were removed take no room any more. */
void repository_close_packs(struct repository *repository);

/* A further branch that remote listings shall include. Idempotent. */
int repository_name_branch(struct repository *repository, const char *branch);
/* A copy of those branches, as other threads may name some meanwhile. 0 or -ENOMEM; on success the
 * caller gives it to repository_free_branches. */
int repository_copy_branches(struct repository *repository, char ***out, size_t *count);
void repository_free_branches(char **branches, size_t count);

/* The newest listing that is known: kept by this process, else from the cache, else NULL. Counted:
 * give it back with repository_listing_put. Never waits, but for a small file of the cache the first time. */
const struct listing *repository_listing_get(struct repository *repository);
void repository_listing_put(struct repository *repository, const struct listing *listing);
/* After it has said NULL: 0 if there is none; or why the cache's could not be read just now (-ENOMEM, -EMFILE, -ENFILE), which
 * is tried again the next time. */
int repository_listing_fault(struct repository *repository);
/* Keeps what the remote has answered, in memory and (unless read-only) on disk; a disk that fails
 * is no reason to hide it. Takes ownership of what *listing holds on success. ENOMEM. */
int repository_keep_listing(struct repository *repository, struct listing *listing,
                            struct error *e);

/* Takes the lock of the one process that writes the repository, which is made on disk if need be.
 * Waits until it is free, or the watch is cancelled (ECANCELED). Returns a descriptor, which close()
 * unlocks, or a negative errno. */
int repository_lock(struct repository *repository, const struct watch *watch, struct error *e);

#endif
