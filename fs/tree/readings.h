/* readings.h - reads folders and files of cached versions on threads of their own, because a
 * repository decides what that costs.
 *
 * A reading is of one node: a version's top folder, a folder below, or a file. One serves everybody
 * who waits for it. Threads are bounded, and so are those that work for one repository: none takes
 * another's. A reading ends early when everybody who waited for it is gone; one that goes beyond its
 * budget (`timeout` of a processor's time) fails, and is not tried again while this worker lives. One that takes longer than a
 * moment goes on with a lower priority, and takes turns with others of that kind on half of the processors.
 *
 * As with a remote (ask.h), the call starts a reading or finds it under way, and returns -EAGAIN
 * with ask->work set; called again after that, it answers. */
#ifndef FS_TREE_READINGS_H
#define FS_TREE_READINGS_H

#include "fs/tree/ask.h"
#include "fs/tree/blobs.h"

struct readings;

/* NULL: out of memory. */
struct readings *readings_new(struct mount *mount);
/* Ends what is being read. As pool_stop. */
bool readings_stop(struct readings *readings, int patience);
/* Waits until nothing is being read. */
void readings_drain(struct readings *readings);

/* Sees to it that a version's node shows that version. -EAGAIN; 0 if it has a checkout; or an errno:
 * ENOENT (gc has removed it just now), EIO (the cache is damaged), EFBIG (it takes too long). */
int readings_open_version(struct mount *mount, uint32_t node, struct repo_version *of,
                          const struct version *version, struct ask *ask);

/* The same for a version that nobody has asked for: if the cache has it. */
void readings_open_ahead(struct mount *mount, uint32_t node, struct repo_version *of);

/* Whether a version's node is being read: -EAGAIN, or 0. */
int readings_join(struct mount *mount, uint32_t node, struct ask *ask);

/* In the background: has a branch's node show that version. */
void readings_switch_later(struct mount *mount, uint32_t node, struct repo_version *of,
                           const struct version *version);

/* Sees to it that a folder's children are there. What seems to be cheap is read at once. -EAGAIN, 0 or an errno. */
int readings_open_tree(struct mount *mount, uint32_t node, struct ask *ask);

/* A file's or symlink's bytes; give them back with blobs_put. What is known to be cheap is read at
 * once. 0, -EAGAIN or an errno: EFBIG (above max_file, or it takes too long), EIO (damaged). */
int readings_get_blob(struct mount *mount, uint32_t node, struct ask *ask, struct blob **out);

/* Has the node table swept for what can be used again (reclaim.h). -EAGAIN or -ENOMEM. */
int readings_reclaim(struct mount *mount, struct ask *ask);

/* Calls `visit` for each node that is being read or will be. It may not call anything here. */
void readings_each(struct mount *mount, void (*visit)(void *data, uint32_t node), void *data);

/* Forgets that a reading of the node has failed: what it read is about to be fetched again. */
void readings_forget_failure(struct mount *mount, uint32_t node);

#endif
