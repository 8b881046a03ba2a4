/* room.h - keeps the cache from filling the disk: what no source names and was read longest ago goes.
 *
 *     room's thread:  the cache is larger than cache_max=  -> gc, down to nine tenths of it
 *     a fetch thread: a write met a full disk -> room_make -> gc -> the fetch once more
 *
 * Nothing goes that its remote could not bring back, so that offline nothing goes at all; who has a file of
 * a version open that went reads on, from a version that is fetched again. */
#ifndef FS_TREE_ROOM_H
#define FS_TREE_ROOM_H

#include "fs/tree/mount.h"

/* NULL: out of memory. */
struct room *room_new(struct mount *mount);

/* Starts the thread, once the mount answers. Without one there is no limit. */
void room_start(struct room *room);

/* Ends it. False: it has not ended after so many milliseconds; then the room stays. NULL is allowed. */
bool room_stop(struct room *room, int patience);
/* After room_stop, and when nothing is fetched or read any more. */
void room_free(struct room *room);

/* So many bytes have come. Never waits. */
void room_fetched(struct mount *mount, uint64_t bytes);

/* A version that stays, since the room is for reading it. */
struct room_spared {
    struct repo *repo;
    struct oid commit;
};

/* The disk is full: frees so many bytes, or what there is. True if something went, by this call or another
 * thread's meanwhile: then what has failed is worth another try. Waits, also for remotes: not for threads
 * that answer the kernel. `spared` may be NULL. */
bool room_make(struct mount *mount, uint64_t bytes, const struct room_spared *spared);

/* What the cache takes on disk, as it was seen last; 0: not yet. */
uint64_t room_size(const struct mount *mount);

#endif
