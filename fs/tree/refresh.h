/* refresh.h - what a fetch thread does for a mount: asks a remote for a listing or for versions,
 * shows what has come, and wakes those who wait for it. */
#ifndef FS_TREE_REFRESH_H
#define FS_TREE_REFRESH_H

#include "fs/tree/mount.h"

struct remote;
struct repo_version;
struct version_request;

/* What the pool runs: `data` is the mount, `subject` a struct repo, `kind` an enum ask_job. remote
 * NULL: out of memory. Returns true. */
bool refresh_run(void *data, void *subject, int kind, struct remote *remote);

/* Records what became of a version, shows a branch's new commit, and ends its work; who waits for it is not
 * woken yet. */
void refresh_finish(struct mount *mount, struct repo_version *version,
                    const struct version_request *request);

#endif
