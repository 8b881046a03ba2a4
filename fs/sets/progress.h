/* progress.h - telling people how a fetch of many versions goes on, on stderr.
 *
 * On a terminal one line is rewritten: [done/all], what is being fetched, bytes. Elsewhere each
 * version gets a line when it is there or has failed. Safe for many threads. */
#ifndef FS_SETS_PROGRESS_H
#define FS_SETS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress;

/* `all` versions are to come. quiet: nothing is shown. NULL: out of memory. */
struct progress *progress_new(size_t all, bool quiet);
/* Takes the line away. */
void progress_free(struct progress *progress);

/* More bytes have arrived for what `name` says. */
void progress_bytes(struct progress *progress, const char *name, uint64_t bytes);
/* What the server says of its own progress. */
void progress_line(struct progress *progress, const char *name, const char *line);
/* One version is done; `how` is "fetched", "cached" or the failure's sentence. */
void progress_done(struct progress *progress, const char *name, const char *how);

#endif
