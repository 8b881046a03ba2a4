/* readahead.h - fetches the rest of a list once readers have asked for two of its versions.
 *
 * Who reads a list's versions one after the other would wait for each. So:
 *
 *     ask_version -> readahead_missed -> (ASK_PLAN) readahead_plan: two of one list? its others get `ahead`
 *                                     -> (ASK_AHEAD, when nobody waits) readahead_take -> as any fetch
 *
 * Only what sources name is fetched so, a thousand versions of a list at most, each once in a worker's life, and one
 * list at most once a minute. A reader who comes meanwhile gets the version that he wants as if it was not planned. From
 * a host where three such fetches in a row have failed nothing more is fetched ahead for a minute. */
#ifndef FS_TREE_READAHEAD_H
#define FS_TREE_READAHEAD_H

#include "fs/tree/mount.h"

struct readahead;

/* NULL: out of memory. */
struct readahead *readahead_new(void);
void readahead_free(struct readahead *readahead);

/* A reader has asked for a version that the cache does not have. Waits for nothing. */
void readahead_missed(struct mount *mount, const struct repo_version *version);

/* On a pool's thread: looks whether there is something to fetch ahead by now. */
void readahead_plan(struct mount *mount);

/* On a pool's thread: queues a few versions of the repository that are to be fetched ahead. True: the caller has
 * the repository's next batch, and runs it; readahead_ended must follow. */
bool readahead_take(struct mount *mount, struct repo *repo);
void readahead_ended(struct mount *mount, struct repo *repo);

/* After a batch: there may be more. The caller holds repo->lock. */
void readahead_more(struct mount *mount, struct repo *repo);

#endif
