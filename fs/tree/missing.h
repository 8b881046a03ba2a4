/* missing.h - versions that a source names and the remote, as far as it is known, does not have. */
#ifndef FS_TREE_MISSING_H
#define FS_TREE_MISSING_H

#include "fs/tree/mount.h"

/* Whether a source names a tag or branch that is neither listed nor cached. False while no listing
 * (may be NULL) is known. The caller holds repo->lock. */
bool missing_is(struct repo *repo, const struct repo_source *source, const struct listing *listing);

/* "1.0.9 is no tag or branch of bash-bats; nearest: 1.2.0-4, 1.2.1-7": malloc'd; NULL: out of
 * memory. */
char *missing_text(const struct repo *repo, const struct repo_source *source,
                   const struct listing *listing);

/* Asks, in the background, for a new listing of each repository whose known one lacks what a source names: a tag may be newer
 * than that, and only then it is known to be missing. Call it once the lists are shown, and nobody waits for them. */
void missing_ask_later(struct mount *mount);

/* Logs what is missing now, each once. */
void missing_report(struct mount *mount, struct repo *repo);

#endif
