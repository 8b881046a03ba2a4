/* gather.h - fetching all versions of a list into the cache, many at once, with progress: what
 * `fetch`, `create`, `check` and `update` begin with.
 *
 * Sources of one repository go in one request; repositories go to a pool's threads. */
#ifndef FS_SETS_GATHER_H
#define FS_SETS_GATHER_H

#include "fs/settings.h"
#include "gitcache/base/source_list.h"
#include "gitcache/store/versions.h"

/* What became of one source, in the order of the list. */
struct gather_item {
    const struct source *source;
    struct repository *repository;
    struct version version; /* where status is 0 */
    int status;             /* 0 or negative errno; -ECANCELED: interrupted */
    struct error error;
    bool fetched; /* it came over the network just now */
    bool moved;   /* a tag that is elsewhere at the remote now; only with `listings` */
    struct oid moved_to;
};

struct gather {
    struct gather_item *items;
    size_t count;
    size_t failed;
    struct cache *cache;
    struct gather_work *private;
};

struct gather_options {
    bool newest;   /* branches: what they are at the remote now, but offline */
    bool listings; /* ask each remote for its tags, to see which have moved */
    bool asks;     /* that is all this is for: progress says so */
    bool
        lines; /* with progress, elsewhere than on a terminal: also what the servers say of theirs */
    bool progress; /* on stderr: progress.h */
};

/* Fetches what is missing. 0 also if single sources failed (look at their status); a negative errno
 * if nothing could be begun, or -EINTR after SIGINT or SIGTERM: what has arrived by then is in the
 * cache. On any return, gather_release. */
int gather_run(struct gather *out, const struct settings *settings,
               const struct source_list *sources, const struct gather_options *options,
               struct error *e);
void gather_release(struct gather *gathering);

#endif
