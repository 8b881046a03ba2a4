/* holder.h - a process that does nothing but hold descriptors of mounts, so that a mount outlives its
 * supervisor.
 *
 * A supervisor gives it four descriptors (held.h) and stays connected. When it dies, they are still here, and
 * the kernel keeps the mount; the next supervisor takes them. Only root and the user that the holder runs as
 * are heard (SO_PEERCRED). Nothing is allocated once it runs, and nothing but the C library is used. */
#ifndef FS_SUPERVISOR_HOLDER_H
#define FS_SUPERVISOR_HOLDER_H

#include "gitcache/base/error.h"

/* Listens at that path, in place of a socket that nobody listens at any more, and serves until SIGTERM or
 * SIGINT. 0 or a negative errno. EADDRINUSE: another holder does. */
int holder_run(const char *path, struct error *e);

#endif
