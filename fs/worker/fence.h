/* fence.h - what a worker can still reach once it serves.
 *
 * It parses what strangers send. Should one of them take it over, then it can write its cache, read its lists and sets,
 * what the network's libraries need (certificates, the resolver's files), and nothing else of the disk; it
 * starts no process, and makes no system call that a file system has no use for. Its launcher (launcher.h) stands
 * outside. A kernel without Landlock or seccomp is said in the log, and no reason not to serve. */
#ifndef FS_WORKER_FENCE_H
#define FS_WORKER_FENCE_H

#include "fs/log.h"
#include "fs/worker/worker.h"

struct fence;

/* Gives up what privileges.h names, and closes the fence. `cache` is the cache's folder. Call before any thread is
 * started, and when what lies outside is open. `log` and `start` are borrowed. 0 or a negative errno. */
int fence_close(struct fence **out, const struct worker_start *start, const char *cache,
                struct log *log, struct error *e);
void fence_free(struct fence *fence);

/* Whether something has come that this worker should be able to open and cannot: the next worker can. Any thread. */
bool fence_is_outdated(struct fence *fence);
/* The same for who asks often: looks at most once a second, and says no else. */
bool fence_is_outdated_now_and_then(struct fence *fence);

#endif
