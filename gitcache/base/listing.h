/* listing.h - what a remote answered when asked for its refs: tags, the branches that sources name,
 * HEAD. A listing is immutable once it is made. */
#ifndef GITCACHE_BASE_LISTING_H
#define GITCACHE_BASE_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "gitcache/base/error.h"
#include "gitcache/base/oid.h"

struct ref {
    const char *name;  /* "refs/tags/3.7.4-19", "refs/heads/main" or "HEAD" */
    struct oid oid;    /* what the ref names: for an annotated tag the tag object */
    struct oid peeled; /* the commit behind a tag object; else the same as oid */
};

struct listing {
    struct ref *refs; /* sorted by name (strcmp), no name twice */
    size_t count;
    char *head;        /* the branch that HEAD names, "refs/heads/trunk"; NULL if unknown */
    char *server;      /* what the network learnt of the server, for the network; NULL: nothing */
    int64_t listed_at; /* when the remote answered; seconds since the epoch */
    /* Read from a file without a checksum, as versions before 0.2 wrote it: shown, but a flipped digit
     * may be in it, and nothing is pinned by it. */
    bool unproven;
    struct listing_names *names; /* the refs' names; private to listing.c */
};

/* Appends a ref; the name (a copy is made) must be HEAD, or valid below refs/tags/ or refs/heads/:
 * others are left out silently, since a server's odd names never become folders. ENOMEM. */
int listing_add(struct listing *listing, const char *name, const struct oid *oid,
                const struct oid *peeled);
/* Sorts, drops repeated names. Call once, after the last listing_add. */
void listing_finish(struct listing *listing);
void listing_release(struct listing *listing);

/* The ref of that full name, or NULL. Borrowed. */
const struct ref *listing_find(const struct listing *listing, const char *name);
/* refs/tags/NAME, else refs/heads/NAME, else NULL: a tag wins over a branch. */
const struct ref *listing_find_version(const struct listing *listing, const char *version);
/* What a source without a tag means: refs/heads/master, else refs/heads/main, else the branch that
 * HEAD names, else HEAD itself (detached).
 * NULL if there is none. */
const struct ref *listing_default(const struct listing *listing);

/* The text that is kept in the cache, and back. `format` returns an owned string or NULL (ENOMEM);
 * `parse` accepts only what format makes (EIO for anything else: the file is damaged). */
char *listing_format(const struct listing *listing, size_t *length);
int listing_parse(struct listing *out, const char *text, size_t length, struct error *e);

#endif
