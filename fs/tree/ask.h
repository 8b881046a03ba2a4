/* ask.h - has a remote asked for something, on behalf of a request or in the background.
 *
 *     reader -> namespace -> ask_* -> the pool's queue -> (thread) refresh_run -> list_refs,
 *     reader <- parked_wake <- publish_repo, version->state <-----------------    repository_fetch
 *
 * Nothing here waits: the call starts the work, or finds it under way, and returns -EAGAIN with
 * ask->work set. The caller waits for that (parked.h), and calls again with the same `struct ask`.
 * An offline mount: EHOSTUNREACH. A reader for whom nothing is fetched (unasked.h): EACCES. While a failure of before makes us back off: its errno. */
#ifndef FS_TREE_ASK_H
#define FS_TREE_ASK_H

#include <sys/types.h>

#include "fs/tree/mount.h"

/* What one request has asked already, so that it asks once and takes the answer. Start with
 * zeroes, but for `thread`. */
struct ask {
    pid_t thread;               /* who asks; 0: somebody in another pid namespace */
    bool is_judged, is_unasked; /* private to unasked.c */
    bool listing;
    unsigned version; /* how often */
    bool damaged;
    unsigned readings; /* that it has started */
    bool reclaim;      /* that places in the node table are used again */
    int64_t since;     /* clock_now() when a name was missing first */
    struct work *work; /* out, with -EAGAIN: what to wait for */
    bool impatient;    /* out, with -EAGAIN: a stale answer will do if the remote is slow */
};

/* The kinds of jobs in the mount's pool; each is about a `struct repo`, but for ASK_PLAN (readahead.h). */
enum ask_job { ASK_LISTING, ASK_VERSIONS, ASK_SEARCHES, ASK_AHEAD, ASK_PLAN };

/* Asks for a repository's listing. -EAGAIN, or an errno if it cannot be asked for. */
int ask_listing(struct mount *mount, struct repo *repo, struct ask *ask);

/* Asks for a version that is not in the cache, once a request; a failure is answered again for a
 * second. -EAGAIN, or the errno of why it cannot be had. */
int ask_version(struct mount *mount, struct repo_version *version, struct ask *ask);

/* Asks for a version of which the cache has damaged objects, once a request. -EAGAIN, -EIO or
 * another errno. */
int ask_damaged(struct mount *mount, struct repo_version *version, struct ask *ask);

/* In the background: a repository's listing, on behalf of a request that does not wait for it; what a branch is at its remote now; all versions that
 * sources name and the cache does not have. What cannot be asked for is left. */
void ask_listing_later(struct mount *mount, struct repo *repo, struct ask *ask);
void ask_newest_later(struct mount *mount, struct repo_version *version);
void ask_sources_later(struct mount *mount);

/* Queues the repository's next batch, unless one is queued or running already. The caller holds
 * repo->lock. 0 or a negative errno. */
int ask_next_batch(struct mount *mount, struct repo *repo);

#endif
