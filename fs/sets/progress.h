/* progress.h - telling people how a fetch of many versions goes on, on stderr.
 *
 * On a terminal a few lines are drawn anew several times a second, also while nothing arrives: a bar, done/all, bytes, their
 * rate and the time left; then the fetches that have run longest, with what their servers say. Elsewhere each version gets a
 * line when it is there or has failed. Safe for many threads.
 *
 *     progress_new -> progress_begin -> (bytes, says) -> progress_end   for each transfer
 *                  -> progress_done                                     for each version
 *                  -> progress_free: nothing is drawn any more */
#ifndef FS_SETS_PROGRESS_H
#define FS_SETS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/terminal.h"

struct progress;

/* A transfer under way, as progress shows it: the caller's, unchanged between begin and end. */
struct progress_transfer {
    struct progress_transfer *next; /* all are private */
    const char *name;               /* borrowed */
    int64_t began_at;
    uint64_t bytes;
    char says[80];
};

struct progress_options {
    bool quiet; /* nothing is shown */
    bool lines; /* elsewhere than on a terminal: also what the servers say */
    bool
        asks; /* remotes are asked for their listings; shown on a terminal only: no version is done by it */
    enum colour colour;
};

/* `all` versions are to come. NULL: out of memory. */
struct progress *progress_new(size_t all, const struct progress_options *options);
/* Takes away what was drawn. NULL is allowed. */
void progress_free(struct progress *progress);

/* Whether anybody will see what the servers say. */
bool progress_wants_lines(const struct progress *progress);

void progress_begin(struct progress *progress, struct progress_transfer *transfer,
                    const char *name);
void progress_end(struct progress *progress, struct progress_transfer *transfer);
/* So many bytes have arrived by now. */
void progress_bytes(struct progress *progress, struct progress_transfer *transfer, uint64_t bytes);
/* What the server says of its own progress; whatever bytes these are. */
void progress_says(struct progress *progress, struct progress_transfer *transfer, const char *line);

/* A sentence about something that works, but not as it should: a line of its own. */
void progress_note(struct progress *progress, const char *sentence);

/* One version is done; `how` is "fetched", "failed" and the like. */
void progress_done(struct progress *progress, const char *name, const char *how);

#endif
