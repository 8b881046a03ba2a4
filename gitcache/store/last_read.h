/* last_read.h - the time at which a version was last read: that of its ref's file. */
#ifndef GITCACHE_STORE_LAST_READ_H
#define GITCACHE_STORE_LAST_READ_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "gitcache/store/versions.h"

/* A version that versions_find gave is about to be read: for now it stays. -ENOENT if gc has
 * removed it since it was found; it has been forgotten then, and can be fetched again. */
int last_read_now(struct repository *repository, const struct version *version);

/* What follows is gc's.
 *
 * Holds gc and readers apart for the moment in which one looks at times and removes refs, and the
 * other touches them. `how` is LOCK_SH or LOCK_EX. A descriptor, or a negative errno. */
int last_read_lock(const char *repository_folder, int how);

/* Sets the time to now. False if the ref has no file of its own. */
bool last_read_touch(const char *repository_folder, const char *ref);

/* Refs that git has packed share one file, and one time. Taking a ref out of it is no reading of
 * the others: who does that takes the time before (if that lies ahead: now), and sets it again. Nothing
 * happens where there is no such file. */
void last_read_of_packed(const char *repository_folder, struct timespec *out);
void last_read_set_packed(const char *repository_folder, const struct timespec *time);

/* Nanoseconds since the epoch; INT64_MAX if that cannot be known. */
int64_t last_read_at(const char *repository_folder, const char *ref);

/* Whether that lies ahead: it was written by a clock that was wrong, or the clock is wrong now. */
bool last_read_lies_ahead(int64_t at);

#endif
