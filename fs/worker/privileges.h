/* privileges.h - what a worker gives up before it takes the first request.
 *
 * It parses what strangers send, so it shall not be able to do more than its work needs:
 *  - No program that it starts (ssh, git credential) gains privileges by being setuid
 * (no_new_privs).
 *  - Of root's capabilities it keeps none, but for CAP_DAC_OVERRIDE where the cache is somebody else's, to write
 * there, and CAP_DAC_READ_SEARCH where a list that it was given can be read with that only. It cannot mount, nor
 * unmount: that is for the supervisor alone. Its launcher keeps CAP_DAC_READ_SEARCH: git reads other users'
 * repositories with it, where safe.directory allows that.
 *  - It is not dumpable: credentials in its memory end up in no core file, and no other process of
 * the same user reads them (ptrace(2), /proc/PID/mem). What it starts is dumpable again. */
#ifndef FS_WORKER_PRIVILEGES_H
#define FS_WORKER_PRIVILEGES_H

#include <stdbool.h>

#include "gitcache/base/error.h"

/* Call these three in this order, after the cache and the log are open, and before any thread is started:
 * capabilities belong to threads. 0 or a negative errno.
 *
 * Goes on with no more rights than a file's mode gives. */
int privileges_begin(struct error *e);
/* Sets *(bool *)data if the list, or folder of lists, cannot be read so. 0. */
int privileges_find_beyond(void *data, const char *path, bool is_folder);
/* Gives up for good what is not needed. */
int privileges_drop(const char *cache_folder, bool lists_are_beyond, struct error *e);

/* The same for a launcher, all in one. */
int privileges_drop_launcher(struct error *e);

#endif
