/* mountpoint.h - what is mounted where, and taking it away. */
#ifndef FS_CLI_MOUNTPOINT_H
#define FS_CLI_MOUNTPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/base/error.h"

#define MOUNTPOINT_STATUS ".startpointfs/status.json" /* below a mount point */

/* The absolute path of a folder to mount on, malloc'd; /dev/fd/N as it is. Nothing looks through it: it may be an
 * automount's that waits for us, or a mount that nobody answers. ENOENT, ENOTDIR ... */
int mountpoint_find(const char *path, char **out, struct error *e);

/* Makes way on such a path: a mount of ours whose daemon is dead is cleared. *is_bare: nothing is mounted there, so
 * one may look what lies there. EBUSY: a startpointfs is mounted there and answers, or may yet. */
int mountpoint_clear(const char *path, bool *is_bare, struct error *e);

/* The mount's status.json, parsed: the caller's (json_decref). NULL with a sentence: no
 * startpointfs answers there. */
struct json_t *mountpoint_status(const char *path, struct error *e);

/* The device of the mount on that path (mount_table.h); 0: nothing is mounted there, or that cannot be found out. */
uint64_t mountpoint_device(const char *path);

/* What a mount of FUSE on that path makes of a question. Others are not asked: they are nobody's daemon. */
enum mountpoint_life {
    MOUNTPOINT_OTHER, /* no FUSE, or nothing, is mounted there */
    MOUNTPOINT_ALIVE,
    MOUNTPOINT_DEAD, /* its daemon is gone, or does not answer within some seconds */
};

enum mountpoint_life mountpoint_life(const char *path);

/* Unmounts, as root by itself, else with fusermount3(1). `lazy` also if it is in use. */
int mountpoint_unmount(const char *path, bool lazy, struct error *e);

/* How many entries a mount there hides; 0 also if that cannot be found out. */
size_t mountpoint_entries(const char *path);

#endif
