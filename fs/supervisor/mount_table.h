/* mount_table.h - what is mounted where, from /proc/self/mountinfo alone: nothing here opens, lists or stats
 * what is mounted, so nothing waits for it, and no automount is triggered. Nothing is allocated. */
#ifndef FS_SUPERVISOR_MOUNT_TABLE_H
#define FS_SUPERVISOR_MOUNT_TABLE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct mount_row {
    uint64_t device;      /* makedev(3) of what is mounted; 0: nothing is */
    char type[64];        /* fuse.startpointfs, autofs, ... */
    uint32_t owner;       /* who has made it, if it is FUSE's (user_id=); else root */
    char point[PATH_MAX]; /* as the kernel knows it */
};

/* What is mounted on that very folder (an absolute path without symlinks), the uppermost if there are several. 1;
 * 0 if nothing is; a negative errno. */
int mount_table_find(const char *mountpoint, struct mount_row *row);

/* Calls `visit` for each row of a process's table ("self", or its number) until it returns non-zero: that, 0, or
 * a negative errno. */
int mount_table_each(const char *process, int (*visit)(void *data, const struct mount_row *row),
                     void *data);

#endif
