/* publish.h - what the root and the repositories' folders show: from sources, listings and the cache
 * to folders. */
#ifndef FS_TREE_PUBLISH_H
#define FS_TREE_PUBLISH_H

#include "fs/tree/mount.h"
#include "gitcache/base/source_list.h"

/* Makes the root, with nothing in it but the control folder. 0 or a negative errno. */
int publish_root(struct mount *mount, struct error *e);

/* Makes the mount show these sources' repositories; those that no source names any more leave the
 * root. Called at the start, and when a list has changed. Their folders are made when somebody first
 * looks into them, so that many repositories cost little. 0 or a negative errno. */
int publish_sources(struct mount *mount, const struct source_list *sources, struct error *e);

/* Brings a repository's folder up to date with its listing, sources and cache. 0 or a negative
 * errno; -EIO also where the repository is left out. */
int publish_repo(struct mount *mount, struct repo *repo);
/* The same, unless this worker has done so already. */
int publish_repo_once(struct mount *mount, struct repo *repo);

/* Around what reads a repository in the cache as a whole: damage may kill the worker. False, and its
 * failure says so: two have died of it already, so it is left out for a minute. */
bool publish_reading_begins(struct mount *mount, struct repo *repo);
void publish_reading_ends(struct mount *mount, struct repo *repo);
/* The same for who has read only a part of it, such as its listing: that nobody died of this says nothing of
 * the rest. */
void publish_reading_ends_early(struct mount *mount, struct repo *repo);

#endif
