/* operations.h - the FUSE operations: find the node, ask the name space, reply once.
 *
 * What the kernel is told, so that it asks as little as possible (fuse(4), fuse_lowlevel.h):
 *  - open and opendir: ENOSYS once; then it opens by itself, keeps pages, and caches listings.
 *  - xattrs, access, locks: not there at all; it asks each once.
 *  - below a tag or commit: names (also missing ones) and attributes are good for ever.
 *  - a branch's top-level names, and attributes of folders that can change: one second.
 *  - a repository whose listing is old: an mtime that differs, so that its cached listing is
 * dropped and `ls` reaches us.
 */
#ifndef FS_WORKER_OPERATIONS_H
#define FS_WORKER_OPERATIONS_H

struct fuse_lowlevel_ops;

/* For fuse_session_new with a `struct worker *` as user data. */
extern const struct fuse_lowlevel_ops operations;

#endif
