/* list_watch.h - a thread that reloads the lists when their files change (inotify(7)), or when it is
 * told to. */
#ifndef FS_WORKER_LIST_WATCH_H
#define FS_WORKER_LIST_WATCH_H

#include "fs/worker/worker.h"

struct list_watch;

/* Starts it; the start's `reloaded` is called on its thread each time the lists have been read. What this worker's fence
 * keeps from it is for the next worker: then it drains the connection. NULL: it cannot be started; lists are then read
 * again by the next worker only, and the log says so. */
struct list_watch *list_watch_open(struct worker *worker);
void list_watch_close(struct list_watch *watch);

/* Reloads soon, on the watch's thread. Safe in a signal handler. */
void list_watch_reload(struct list_watch *watch);

#endif
