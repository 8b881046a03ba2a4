/* refs.h - the refs of a bare repository, as files: a file each, or packed by somebody's git.
 * Private to gitcache/store.
 *
 * Read and written without libgit2, which opens whatever stands in a ref's place (a FIFO keeps it
 * waiting) and reads no ref at all where the configuration is damaged. What is written is plain
 * git's, and git's locks are kept. */
#ifndef GITCACHE_STORE_REFS_H
#define GITCACHE_STORE_REFS_H

#include "gitcache/base/error.h"
#include "gitcache/base/oid.h"

/* Reads one. ENOENT: there is none (or a symbolic one, which is none of ours); EIO: what is there is
 * damaged: it is empty, no id, or no plain file. */
int refs_read(const char *folder, const char *ref, struct oid *out, struct error *e);

/* Calls visit for each ref until one returns non-zero, which is then returned; target is NULL for
 * a damaged one. */
int refs_each(const char *folder,
              int (*visit)(void *data, const char *ref, const struct oid *target), void *data,
              struct error *e);

/* Writes one durably, whatever stands there. The caller has the repository's lock: a lock on the ref
 * was left by a process that died. */
int refs_write(const char *folder, const char *ref, const struct oid *target, struct error *e);

/* Removes one; 0 also if it is not there. The caller has the repository's lock. */
int refs_remove(const char *folder, const char *ref, struct error *e);

#endif
