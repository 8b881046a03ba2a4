/* watch.h - a thread that reloads the lists when their files change (inotify(7)), or when it is
 * told to. */
#ifndef FS_WORKER_WATCH_H
#define FS_WORKER_WATCH_H

#include "fs/tree/mount.h"

struct watch;

/* Starts it. NULL: it can't be; lists are then reloaded on SIGHUP only, and the log says so. */
struct watch *watch_open(struct mount *mount);
void watch_close(struct watch *watch);

/* Reloads soon, on the watch's thread. Safe in a signal handler. */
void watch_reload(struct watch *watch);

#endif
