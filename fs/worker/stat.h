/* stat.h - what stat(2) says of a node, and for how long. */
#ifndef FS_WORKER_STAT_H
#define FS_WORKER_STAT_H

#include <sys/stat.h>

#include "fs/tree/ask.h"
#include "fs/worker/worker.h"

#define FOR_EVER 1e9 /* seconds */

/* Fills st and the time for which it is good. 0 or a negative errno; -EAGAIN for a control file whose
 * text needs the network (as in ask.h). With `ask` NULL nothing is asked for: such a file shows the
 * size of its last text. */
int stat_fill(struct worker *worker, uint32_t node, struct ask *ask, struct stat *st,
              double *timeout);

/* For how long a name found (or missed) in this folder is good. */
double stat_entry_timeout(const struct mount *mount, uint32_t folder, uint32_t child);
double stat_missing_timeout(const struct mount *mount, uint32_t folder);

/* The inode number to show for a folder's "..". */
uint64_t stat_parent(const struct mount *mount, uint32_t node);

#endif
