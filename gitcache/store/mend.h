/* mend.h - what is damaged in a cached repository, mended as far as its own disk goes. Private to
 * gitcache/.
 *
 * Every pack is checked, byte by byte (mend_packs.h). An index is made again from a pack that is sound;
 * refs and the record of pins from each other. What then is still not whole has to come from the remote, at the
 * commits that are pinned:
 *
 *     mend_begin(&mend, repository, &error)
 *     receive mend->wants, if there are any; look at them with mend_check
 *     publish them; mend_give_up what cannot be had and was never recorded
 *     mend_end(mend, whether all that could be had is there)
 *
 * Damaged packs stay until the end, as parts of them may be good. The caller has the repository's
 * lock all the time. */
#ifndef GITCACHE_STORE_MEND_H
#define GITCACHE_STORE_MEND_H

#include "gitcache/store/incoming.h"
#include "gitcache/store/mend_packs.h"
#include "gitcache/store/repository.h"

struct mend_want {
    char *ref;
    struct oid target; /* what the ref holds: a tag object or a commit */
    /* The record of pins says so, too. Else a flipped digit may have made it: if the remote has no
     * such object, the ref is worth nothing. */
    bool recorded;
};

struct mend {
    struct repository *repository;
    struct mend_want *wants;
    size_t count, room;
    struct mend_packs packs;
};

int mend_begin(struct mend **out, struct repository *repository, struct error *e);

/* EIO with a sentence, unless what is received makes these versions whole. */
int mend_check(const struct mend *mend, const struct incoming *incoming, size_t first, size_t count,
               struct error *e);

/* Removes a pin of which the remote has nothing: the version is a new one then. */
int mend_give_up(struct mend *mend, size_t want, struct error *e);

/* `done`: what was damaged has been replaced, and is removed. Frees mend. */
int mend_end(struct mend *mend, bool done, struct error *e);

#endif
