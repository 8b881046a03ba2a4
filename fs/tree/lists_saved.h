/* lists_saved.h - what is mounted, kept in memory that outlives the worker (last_reading.h): the
 * next one begins with it, whatever has become of the lists. */
#ifndef FS_TREE_LISTS_SAVED_H
#define FS_TREE_LISTS_SAVED_H

#include "fs/tree/lists.h"

/* Keeps all lists, sets and single sources as they were last read without a fault. The caller holds
 * lists->lock. 0 or a negative errno: then the ones before are kept still. */
int lists_saved_write(const struct lists *lists, int fd);

/* Fills the empty *lists with what is kept. Each source is parsed anew, as a line of a list is. 0;
 * ENOENT: nothing is kept; EPROTO: another version kept it; EIO: it is damaged; ENOMEM. On failure
 * *lists is empty. */
int lists_saved_read(struct lists *lists, int fd, struct error *e);

#endif
