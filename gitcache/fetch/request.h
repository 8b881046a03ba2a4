/* request.h - one version that repository_fetch shall get, and what became of it. */
#ifndef GITCACHE_FETCH_REQUEST_H
#define GITCACHE_FETCH_REQUEST_H

#include <stdbool.h>

#include "gitcache/base/error.h"
#include "gitcache/store/versions.h"

struct version_request {
    const char *name;   /* as for versions_find */
    const char *commit; /* as for versions_find */
    /* A branch: what it is at the remote now, though an older commit is cached. Lists anew. */
    bool newest;
    /* What the cache has is damaged (tree_read or blob_read said EIO): every pack is checked, and
     * what needs a damaged one is fetched again, at the commits that are pinned. */
    bool again;
    /* A commit that is neither listed nor given by its id is not looked for in the history: ENOENT, and
     * needs_search is set. */
    bool no_search;
    bool needs_search;      /* out */
    int status;             /* out: 0 or negative errno */
    struct version version; /* out, where status is 0 */
    struct error error;     /* out, where it is not */
};

#endif
