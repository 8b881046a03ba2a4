/* status.h - what the mount knows and does, as JSON: the text of .startpointfs/status.json. */
#ifndef FS_WORKER_STATUS_H
#define FS_WORKER_STATUS_H

#include "fs/tree/mount.h"

/* Malloc'd, ends with a newline; NULL: out of memory. Never waits, never touches the network. */
char *status_make(struct mount *mount);

#endif
