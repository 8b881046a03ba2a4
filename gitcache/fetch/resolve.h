/* resolve.h - from a version's name to what the remote shall be asked for. Private to gitcache/. */
#ifndef GITCACHE_FETCH_RESOLVE_H
#define GITCACHE_FETCH_RESOLVE_H

#include "gitcache/fetch/request.h"

enum resolve_state {
    RESOLVE_NONE = 0, /* not in the listing, and no commit id */
    RESOLVE_LISTED,   /* the listing has it */
    RESOLVE_ID,       /* a whole commit id that the listing does not have: ask for it */
    RESOLVE_DIGITS, /* the beginning of an id that the listing does not have: search the history */
};

struct resolved {
    enum resolve_state state;
    enum version_kind kind;
    struct oid want;   /* what to ask for: a commit or a tag object */
    struct oid commit; /* the commit that this is, as far as the listing tells */
    char *ref;         /* where it will be pinned; owned */
};

/* Resolves a request with a listing (NULL: none is known). ENOENT with a sentence for a name that
 * several listed commits begin with; else 0 (state says how far that got) or ENOMEM. */
int resolve_request(struct resolved *out, const struct version_request *request,
                    const struct listing *listing, const char *shown, struct error *e);

/* A commit id that was found. */
int resolve_to_commit(struct resolved *target, const struct oid *commit, struct error *e);

void resolve_release(struct resolved *target);

#endif
