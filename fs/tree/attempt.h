/* attempt.h - one attempt to get something from a remote, on a fetch thread: what those who wait see
 * of it, when it is stopped, and what the next worker needs to know if this one dies of it.
 *
 *     begin -> (progress, while it is received) -> (checked, when all was read) -> end */
#ifndef FS_TREE_ATTEMPT_H
#define FS_TREE_ATTEMPT_H

#include "fs/tree/mount.h"
#include "gitcache/base/watch.h"

#define ATTEMPT_MAX 256 /* versions that are fetched together */

/* Members are private to attempt.c but for the first three. */
struct attempt {
    struct watch watch; /* for the call that does the work */
    uint64_t bytes;     /* received so far */
    size_t count;
    struct mount *mount;
    struct work *works[ATTEMPT_MAX];
    uint64_t keys[ATTEMPT_MAX]; /* what the next worker knows them by */
    bool receiving, on_trial;
};

/* Start with these: an attempt is for some works. version NULL: the default branch, "": the
 * listing. */
void attempt_init(struct attempt *attempt, struct mount *mount);
void attempt_add(struct attempt *attempt, struct work *work, struct repo *repo,
                 const char *version);

/* Whether workers may have died of that version: then it is fetched alone. */
bool attempt_is_suspect(struct mount *mount, struct repo *repo, const char *version);

/* 0, and attempt_end must follow; -EIO with a sentence: workers have died of it, and it is not tried
 * for a while. */
int attempt_begin(struct attempt *attempt, struct error *e);
void attempt_end(struct attempt *attempt);

#endif
