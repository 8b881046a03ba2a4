/* unmount.h - takes a mount away, without asking whoever serves it. */
#ifndef FS_SUPERVISOR_UNMOUNT_H
#define FS_SUPERVISOR_UNMOUNT_H

#include <stdbool.h>

/* Unmounts, as root by itself, else with fusermount3(1); `lazy` also if it is in use: whoever is inside stays there. 0
 * or a negative errno; fusermount3 gives no other reason than EINVAL. */
int unmount_at(const char *path, bool lazy);

#endif
