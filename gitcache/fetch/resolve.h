/* resolve.h - from a version's name to what the remote shall be asked for. Private to gitcache/. */
#ifndef GITCACHE_FETCH_RESOLVE_H
#define GITCACHE_FETCH_RESOLVE_H

#include "gitcache/fetch/request.h"

enum target_state {
    TARGET_NONE,   /* not in the listing, and no commit id */
    TARGET_LISTED, /* the listing has it */
    TARGET_ID,     /* a whole commit id that the listing does not have: ask for it */
    TARGET_DIGITS, /* the beginning of an id that the listing does not have: search the history */
};

struct target {
    enum target_state state;
    enum version_kind kind;
    struct oid want;   /* what to ask for: a commit or a tag object */
    struct oid commit; /* the commit that this is, as far as the listing tells */
    char *ref;         /* where it will be pinned; owned */
};

/* Resolves a request with a listing (NULL: none is known). ENOENT with a sentence for a name that
 * several listed commits begin with; else 0 (state says how far that got) or ENOMEM. */
int target_resolve(struct target *out, const struct version_request *request,
                   const struct listing *listing, const char *shown, struct error *e);

/* A commit id that was found. */
int target_set_commit(struct target *target, const struct oid *commit, struct error *e);

void target_release(struct target *target);

#endif
