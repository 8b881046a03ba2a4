/* sizes.h - corrects files' sizes that were told while the cache was damaged.
 *
 * A size comes from bytes with a checksum behind them, so that no flipped bit makes a wrong one. Who
 * writes a pack anew, checksums and all, can: what its reader gets is EIO then, as no object fits its id.
 * After such a repair the sizes are looked at once more, and the kernel is told to ask again. */
#ifndef FS_TREE_SIZES_H
#define FS_TREE_SIZES_H

#include "fs/tree/mount.h"

/* Compares the size of each file of the repository that is known by now with what the cache says, which
 * has just been mended. Takes as long as reading all packed bytes of them: call it where that may be.
 * Those that are converted are left out: their size was found by reading them, and so is right. */
void sizes_correct(struct mount *mount, const struct repo *repo);

#endif
