/* pins.h - the refs that say which versions a cached repository has whole. Private to gitcache/.
 *
 * A pin is a ref on disk (refs.h) and a line in a record with a checksum (pin_record.h), which stands
 * in where the ref is damaged; what this process has seen of them is kept in memory (known_pins.h). */
#ifndef GITCACHE_STORE_PINS_H
#define GITCACHE_STORE_PINS_H

#include <stdbool.h>

#include "gitcache/store/versions.h"

#define TAG_PREFIX    "refs/tags/"
#define BRANCH_PREFIX "refs/heads/"
#define COMMIT_PREFIX "refs/startpointfs/"

/* Nothing was ever cached of the repository: a list may name thousands of those, and one look is enough for each. */
bool pins_are_absent(struct repository *repository);
/* Finds a pin, in memory, else on disk. ENOENT without a sentence: there is none, or it names no
 * commit. EIO: it is there, and it or its commit is damaged; ENOMEM; what the system says. */
int pins_find(struct repository *repository, const char *ref, struct version *out, struct error *e);
/* Reads all refs from disk; other processes may have added some or moved branches. What is damaged
 * is passed over, and mended if that can be done without waiting or a remote. */
int pins_scan(struct repository *repository, struct error *e);
/* Mends what a finding has shown to be amiss, once a process, and only if nobody has the lock: it waits for
 * no one, but for the disk. Not with the repository's file lock. */
void pins_mend_if_wanted(struct repository *repository);
/* Writes a pin, durably, after all it needs is on disk. Moves it if it is a branch; else EEXIST if it
 * is there with another target. The caller has the repository's file lock. */
int pins_write(struct repository *repository, const char *ref, const struct oid *target,
               const struct version *version, struct error *e);
/* Calls visit for each pin on disk, also if its commit cannot be read, until one returns non-zero,
 * which is then returned. `target` is NULL where the ref is damaged and no record knows better;
 * `recorded`: the record says so, too. */
int pins_each_on_disk(struct repository *repository,
                      int (*visit)(void *data, const char *ref, const struct oid *target,
                                   bool recorded),
                      void *data, struct error *e);
/* Removes a pin from disk. The caller has the repository's file lock. */
int pins_remove(struct repository *repository, const char *ref, struct error *e);

/* The kind that a ref's name says; false if it is none of ours. */
bool pins_kind(const char *ref, enum version_kind *out);
/* The name as a folder shows it: behind the prefix. */
const char *pins_name(const char *ref);

#endif
