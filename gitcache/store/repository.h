/* repository.h - what the files behind cache.h share. Private to gitcache/.
 *
 *     repository.c        opening, the listing, the folder and the odb
 *     pins.c              the refs that say which versions are whole
 *     versions.c          a name -> a version of the cache
 *     repository_fetch.c  makes versions present, by means of:
 *       resolve.c           a name -> what to ask the remote for
 *       receive.c           asks for it, checks it, pins it
 *       search.c            commit ids that must be looked for
 *       history.c           the history in which they are
 *       incoming.c          a pack on its way into the cache
 *       verify.c            is everything there that a version needs?
 *       shallow.c           tells git where the history is cut
 *       repair.c            replaces what is damaged
 *
 * Three locks, none of them held while another is taken, or while anything waits for a network:
 * `lock` and `refs_lock` for microseconds, `odb_lock` shared while one object is read.
 */
#ifndef GITCACHE_STORE_REPOSITORY_H
#define GITCACHE_STORE_REPOSITORY_H

#include <git2.h>
#include <pthread.h>
#include <stdatomic.h>

#include "gitcache/store/cache.h"
#include "gitcache/store/commit.h"

#define TAG_PREFIX    "refs/tags/"
#define BRANCH_PREFIX "refs/heads/"
#define COMMIT_PREFIX "refs/startpointfs/"

struct pin {
    char *ref;         /* full name */
    struct oid target; /* what the ref holds: a tag object or a commit */
    struct version version;
};

struct shared_listing {
    struct listing listing; /* first, so that a pointer to it is one to this */
    atomic_uint users;
};

struct repository {
    struct cache *cache;
    char *url;
    char *shown; /* url without credentials, for sentences */
    char *folder;

    pthread_rwlock_t lock; /* protects what follows */
    struct pin *pins;      /* sorted by ref; what this process has seen of the refs on disk */
    size_t pin_count, pin_room;
    struct shared_listing *listing;
    char **branches; /* that listings shall include */
    size_t branch_count;

    pthread_mutex_t refs_lock; /* protects refs, and its use */
    git_repository *refs;      /* NULL until the folder is there */

    pthread_rwlock_t odb_lock; /* protects the pointer; the odb itself is for all threads */
    git_odb *odb;              /* NULL until the folder is there */
};

/* The file whose lock the one process holds that writes the repository (disk_lock). */
#define LOCK_FILE "startpointfs-lock"

/* Opens what lies in a folder of the cache, whatever its URL was; repository_url is then the
 * folder. */
int repository_open_folder(struct repository **out, struct cache *cache, const char *folder,
                           struct error *e);

/* Makes the bare repository's folder if it is not there. Safe against other processes doing so. */
int repository_make(struct repository *repository, struct error *e);

/* Takes odb_lock shared and hands out the odb; NULL (and no lock) while there is no repository.
 * Give it back with repository_odb_put. */
git_odb *repository_odb_get(struct repository *repository);
void repository_odb_put(struct repository *repository);
/* Forgets open packs, so that damaged ones which were replaced are not read on. */
void repository_odb_reopen(struct repository *repository);

/* Finds a ref, in memory, else on disk. False if there is none; ENOMEM and damage count as none. */
bool pins_find(struct repository *repository, const char *ref, struct version *out);
/* Calls visit for each ref in memory until one returns non-zero. Holds `lock` shared. */
int pins_each(struct repository *repository, int (*visit)(void *data, const struct pin *pin),
              void *data);
/* Reads all refs from disk; other processes may have added some or moved branches. */
int pins_scan(struct repository *repository, struct error *e);
/* Writes a ref, durably, after all it needs is on disk. Moves it if it is a branch, else it must
 * not exist. The caller has the repository's file lock. */
int pins_write(struct repository *repository, const char *ref, const struct oid *target,
               const struct version *version, struct error *e);
/* Forgets what memory knows of a ref. */
void pins_forget(struct repository *repository, const char *ref);
/* Removes a ref from disk. The caller has the repository's file lock. */
int pins_remove(struct repository *repository, const char *ref, struct error *e);
void pins_release(struct repository *repository);

/* The kind that a ref's name says; false if it is none of ours. */
bool pin_kind(const char *ref, enum version_kind *out);
/* The name as a folder shows it: behind the prefix. */
const char *pin_name(const char *ref);

/* EIO with a sentence that says what, unless every object that the tree reaches is in the odb. */
int verify_tree(git_odb *odb, const struct oid *tree, struct error *e);

#endif
