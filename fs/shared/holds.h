/* holds.h - which nodes the kernel knows: told in an answer, and not forgotten since.
 *
 * They are counted in shared memory, for a unit as a whole: a checkout with everything in it, or a
 * single node above that. The count is never too small, whenever a worker dies: it goes up before the
 * answer is written, and down after the kernel's word is read (or the answer was not taken). A death in
 * between leaves it too large, so that the few units that were being answered about then are kept for
 * good; nothing can make good for that, but it needs a death each. */
#ifndef FS_SHARED_HOLDS_H
#define FS_SHARED_HOLDS_H

#include "fs/shared/nodes.h"

/* Before the kernel is told a node's number. The caller is inside (sweep.h). */
void node_hold(struct nodes *nodes, uint32_t index);

/* The kernel has forgotten a number so many times, or was not told it after all. */
void node_forget(struct nodes *nodes, uint64_t id, uint64_t count);

/* What is counted for the node's unit. */
uint64_t node_holds(const struct nodes *nodes, uint32_t index);

#endif
