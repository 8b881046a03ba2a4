/* takeover.h - whether what is held of a mount is one that a supervisor can go on with. */
#ifndef FS_SUPERVISOR_TAKEOVER_H
#define FS_SUPERVISOR_TAKEOVER_H

#include "fs/shared/state.h"
#include "fs/supervisor/custody.h"

/* Looks at what `custody` has found, for a mount on its mount point with these options of FUSE ("" if none): the memory
 * must have this program's layout and be sane, the descriptor be that of a mount that is still there, and lie at that
 * place. 0. Else a negative errno with a sentence, and nothing is held any more: the mount that it was is taken
 * away. */
int takeover_check(struct custody *custody, const char *options, struct error *e);

#endif
