/* suspect.h - whether a request is tried: not if three workers died of it, or of one like it. */
#ifndef FS_WORKER_SUSPECT_H
#define FS_WORKER_SUSPECT_H

#include <stddef.h>

#include "fs/tree/mount.h"

/* A request of `size` bytes has been read. The first one that is given up is a line in the log. */
enum crash_verdict suspect_judge(struct mount *mount, const struct request_header *request,
                                 size_t size);

#endif
