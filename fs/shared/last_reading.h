/* last_reading.h - memory that keeps what the lists said when they were last read without a fault,
 * so that the next worker can go on with it.
 *
 * A memfd that the supervisor makes and every worker inherits. It has room for two readings: a new
 * one goes beside the newest, and becomes the newest with one short write at the end. A worker that
 * is killed meanwhile leaves the one before. Nothing is mapped, so nothing that another process
 * does to the memory can kill its reader. */
#ifndef FS_SHARED_LAST_READING_H
#define FS_SHARED_LAST_READING_H

#include <stddef.h>

#include "gitcache/base/error.h"

/* Makes the memory, empty; its descriptor, or a negative errno. */
int last_reading_create(struct error *e);

/* Keeps these bytes as the newest reading. One writer at a time. 0 or a negative errno: then the
 * one before is still there. */
int last_reading_put(int fd, const void *bytes, size_t size);

/* A copy of the newest reading, the caller's; a NUL stands behind it. -ENOENT: there is none yet;
 * -EPROTO: another version of this program wrote it; -EIO: it is damaged; or another errno. */
int last_reading_get(int fd, char **bytes, size_t *size);

#endif
