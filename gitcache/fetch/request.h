/* request.h - one version that repository_fetch shall get, and what became of it. */
#ifndef GITCACHE_FETCH_REQUEST_H
#define GITCACHE_FETCH_REQUEST_H

#include <stdbool.h>

#include "gitcache/base/error.h"
#include "gitcache/store/versions.h"

/* What becomes of a commit that the remote neither lists nor gives by its id. */
enum unlisted {
    UNLISTED_SEARCH,      /* it is looked for in the remote's history */
    UNLISTED_LEAVE,       /* ENOENT, and needs_search is set */
    UNLISTED_WITH_HISTORY /* it is known to be in the history, and comes with all of it */
};

struct version_request {
    const char *name;   /* as for versions_find */
    const char *commit; /* as for versions_find */
    /* A branch: what it is at the remote now, though an older commit is cached. Lists anew. */
    bool newest;
    /* What the cache has is damaged (tree_read or blob_read said EIO): every pack is checked, and
     * what needs a damaged one is fetched again, at the commits that are pinned. */
    bool again;
    enum unlisted unlisted;
    bool needs_search;      /* out */
    int status;             /* out: 0 or negative errno */
    struct version version; /* out, where status is 0 */
    struct error error;     /* out, where it is not */
};

#endif
