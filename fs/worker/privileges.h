/* privileges.h - what a worker gives up before it takes the first request.
 *
 * It parses what strangers send, so it shall not be able to do more than its work needs:
 *  - No program that it starts (ssh, git credential) gains privileges by being setuid
 * (no_new_privs).
 *  - Of root's capabilities it keeps CAP_DAC_READ_SEARCH, to read other users' repositories, and
 * CAP_DAC_OVERRIDE only where the cache is somebody else's, to write there. It cannot mount, nor
 * unmount: that is for the supervisor alone.
 *  - It is not dumpable: credentials in its memory end up in no core file, and no other process of
 * the same user reads them (ptrace(2), /proc/PID/mem). What it starts is dumpable again. */
#ifndef FS_WORKER_PRIVILEGES_H
#define FS_WORKER_PRIVILEGES_H

#include "gitcache/base/error.h"

/* Call after the cache and the log are open, and before any thread is started: capabilities belong
 * to threads. 0 or a negative errno. */
int privileges_drop(const char *cache_folder, struct error *e);

#endif
