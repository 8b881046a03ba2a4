/* mend_packs.h - what is damaged among a repository's packs and loose objects. Private to gitcache/.
 *
 * A pack is bad whose checksum does not fit, or whose index is none and cannot be made again. An object
 * of its own file that does not hash to its name goes at once: there is nothing in it to be had.
 *
 * Checksums can be right and the objects wrong all the same: where somebody wrote the pack, or its index,
 * so. That is looked for where no bad pack explains what a reader met or what a version lacks, as it takes long: each pack is
 * indexed once more, and the index compared. One that differs is set aside under another name, so that
 * what is fetched can take its place. */
#ifndef GITCACHE_STORE_MEND_PACKS_H
#define GITCACHE_STORE_MEND_PACKS_H

#include "gitcache/store/repository.h"

struct mend_packs {
    struct repository *repository;
    struct bad_pack *bad;
    size_t count;
    bool found; /* any damage, also what is mended by now */
};

struct bad_pack {
    char *base; /* without .pack */
    bool is_aside;
};

/* Looks at all; what is bad is in packs->bad. The caller has the repository's lock. */
int mend_packs_check(struct mend_packs *packs, struct error *e);

/* Looks at what no checksum shows. */
int mend_packs_check_objects(struct mend_packs *packs, struct error *e);

bool mend_packs_is_bad(const struct mend_packs *packs, const char *base);

/* Removes what is bad; but not a pack that was received anew since, under the same name, nor one of which that
 * is not known. */
int mend_packs_remove(const struct mend_packs *packs, struct error *e);

void mend_packs_release(struct mend_packs *packs);

#endif
