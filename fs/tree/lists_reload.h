/* lists_reload.h - finds out what has changed in the lists and sets since they were read last. */
#ifndef FS_TREE_LISTS_RELOAD_H
#define FS_TREE_LISTS_RELOAD_H

#include "fs/tree/mount.h"

/* Reads all lists and sets anew, and shows what has changed. Faults are logged and kept for
 * status.json. Returns how many lists and folders could not be read, or shown, so that it is
 * worth trying again before anybody says that they have changed. */
size_t lists_reload(struct mount *mount);
/* The same for a mount that does not answer yet: what its sources lack is asked for once it does (missing.h). -ENOMEM if
 * something could not be read or shown for want of memory: the mount would look empty. */
int lists_load(struct mount *mount, struct error *e);

#endif
