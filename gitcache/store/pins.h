/* pins.h - the refs that say which versions a cached repository has whole. Private to gitcache/.
 *
 * A pin is a ref on disk; what this process has seen of them is kept in memory. */
#ifndef GITCACHE_STORE_PINS_H
#define GITCACHE_STORE_PINS_H

#include <stdbool.h>

#include "gitcache/store/versions.h"

#define TAG_PREFIX    "refs/tags/"
#define BRANCH_PREFIX "refs/heads/"
#define COMMIT_PREFIX "refs/startpointfs/"

struct pin {
    char *ref;         /* full name */
    struct oid target; /* what the ref holds: a tag object or a commit */
    struct version version;
};

/* Finds a ref, in memory, else on disk. ENOENT (e untouched) if there is none; EIO if it, or
 * what it names, is damaged. */
int pins_find(struct repository *repository, const char *ref, struct version *out, struct error *e);
/* Calls visit for each ref in memory until one returns non-zero. Holds the repository's `lock` shared. */
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
bool pins_kind(const char *ref, enum version_kind *out);
/* The name as a folder shows it: behind the prefix. */
const char *pins_name(const char *ref);

#endif
