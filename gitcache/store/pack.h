/* pack.h - one pack of a cached repository, by itself. Private to gitcache/store/. */
#ifndef GITCACHE_STORE_PACK_H
#define GITCACHE_STORE_PACK_H

#include <git2.h>
#include <stdbool.h>
#include <stdint.h>

#include "gitcache/base/oid_set.h"
#include "gitcache/store/repository.h"

struct pack {
    char *base;         /* its path without .pack */
    git_odb *odb;       /* its objects alone */
    uint64_t bytes;     /* of all its files */
    int64_t written_at; /* nanoseconds since the epoch */
    bool keep;          /* somebody has put a .keep beside it */
    /* For gc_packs.c: */
    size_t objects, needed;
    bool stays, dropped;
    bool is_new; /* it came to be what was written anew */
};

struct packs {
    struct cache *cache;
    struct pack *items;
    size_t count;
};

/* Calls act(data, base, e) for each file of the repository's pack folder with that suffix; base is
 * the file's path without it. Ends at the first that does not return 0, and returns that. */
int pack_each(const struct repository *repository, const char *suffix,
              int (*act)(void *data, const char *base, struct error *e), void *data,
              struct error *e);

/* Opens all packs of a repository. On failure, too, pack_close_all. */
int pack_open_all(struct packs *packs, const struct repository *repository, struct error *e);
void pack_close_all(struct packs *packs);

/* An odb with everything but the packs that are dropped. */
int pack_open_rest(git_odb **out, const struct packs *packs, const struct repository *repository,
                   struct error *e);

/* Writes a new pack with those objects of an odb that are in the set (NULL: with all), reads each from it,
 * and puts it beside the old ones. *bytes is its size. */
int pack_write(git_odb *from, const struct oid_set *objects, struct repository *repository,
               struct packs *packs, uint64_t *bytes, struct error *e);

/* Removes its files, the index first: without it, git passes a pack over. */
int pack_remove(const struct pack *pack, struct error *e);

/* Removes what is left of packs without an index, which are none: a removal was interrupted, or a writing. What is to be
 * kept stays, and what is younger than an hour: git may be writing it. */
int pack_remove_leftovers(const struct repository *repository, struct error *e);

/* Removes what git derives from packs, when somebody lets it maintain the cache: it would be wrong once a
 * pack has gone. */
int pack_remove_derived(const struct repository *repository, struct error *e);

#endif
