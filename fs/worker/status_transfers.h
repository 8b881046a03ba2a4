/* status_transfers.h - what a mount is fetching now, for status.json. Private to fs/worker/. */
#ifndef FS_WORKER_STATUS_TRANSFERS_H
#define FS_WORKER_STATUS_TRANSFERS_H

#include "fs/tree/mount.h"

/* An array: of each repository the listing that is asked for, and the versions that come together. */
struct json_t *status_transfers_json(struct mount *mount);

/* JSON wants UTF-8; a tag's name need not be: what is none becomes '?'. */
struct json_t *status_transfers_text(const char *text);

#endif
