#include "gitcache/store/gc_packs.h"

#include <errno.h>
#include <stdlib.h>

#include "gitcache/base/library.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/odb.h"
#include "gitcache/store/pack.h"
#include "gitcache/store/repository_state.h"
#include "gitcache/store/shallow.h"

#define MANY_PACKS 20
#define SMALL_PACK \
    ((uint64_t)16 << 20) /* larger ones stay as they are: packing takes time and memory */

struct pack_collection {
    struct repository *repository;
    const struct gc_packs *request;
    uint32_t *holders; /* for each needed object, how many packs that stay hold it */
    struct packs packs;
};

/* One pass over a pack's objects. */
struct visit {
    struct pack_collection *collection;
    struct pack *pack;
};

static uint32_t *holders_of(const struct pack_collection *collection, const git_oid *id)
{
    struct oid oid;

    library_oid_from_git(&oid, id);
    size_t place = oid_set_find(collection->request->needed, &oid);
    return place == OID_SET_NONE ? NULL : &collection->holders[place];
}

/* A commit that is neither needed nor among those that go now: a branch was there once, and who
 * opened it then may read on. */
static bool may_be_open(const struct visit *visit, const git_oid *id)
{
    git_object_t type = GIT_OBJECT_INVALID;
    struct oid oid;
    size_t size;

    library_oid_from_git(&oid, id);
    if (oid_set_find(visit->collection->request->gone, &oid) != OID_SET_NONE)
        return false;
    return git_odb_read_header(&size, &type, visit->pack->odb, id) != 0 ||
           type == GIT_OBJECT_COMMIT;
}

static int count_object(const git_oid *id, void *data)
{
    struct visit *visit = data;
    uint32_t *holders = holders_of(visit->collection, id);

    visit->pack->objects++;
    if (holders) {
        visit->pack->needed++;
        ++*holders;
    } else if (visit->collection->request->in_use && !visit->pack->stays &&
               visit->pack->written_at > visit->collection->request->closed_until) {
        visit->pack->stays = may_be_open(visit, id);
    }
    return 0;
}

static int is_last_copy(const git_oid *id, void *data)
{
    struct visit *visit = data;
    const uint32_t *holders = holders_of(visit->collection, id);

    return holders && *holders == 1;
}

static int let_go(const git_oid *id, void *data)
{
    struct visit *visit = data;
    uint32_t *holders = holders_of(visit->collection, id);

    if (holders)
        --*holders;
    return 0;
}

static int compare_packs(const void *a, const void *b)
{
    size_t x = ((const struct pack *)a)->needed, y = ((const struct pack *)b)->needed;
    return (x > y) - (x < y);
}

/* Calls visit for each object until one returns 1, which is returned. A count that ended early would make a
 * pack look emptier than it is, and it would go: so that is an error. */
static int each_object(struct pack_collection *collection, struct pack *pack,
                       git_odb_foreach_cb visit_object, struct error *e)
{
    struct visit visit = {collection, pack};
    int r = git_odb_foreach(pack->odb, visit_object, &visit);

    return r < 0 ? library_error(e, r, "the pack %s cannot be read", pack->base) : r;
}

/* Drops a pack if nothing that is needed is in it alone. */
static int drop_if_spare(struct pack_collection *collection, struct pack *pack, struct error *e)
{
    int r = each_object(collection, pack, is_last_copy, e);

    if (r != 0)
        return r < 0 ? r : 0;
    r = each_object(collection, pack, let_go, e);
    pack->dropped = r == 0;
    return r;
}

/* Drops every pack without which all that is needed is still there; the emptiest first. */
static int choose(struct pack_collection *collection, struct error *e)
{
    struct packs *packs = &collection->packs;
    int r = 0;

    for (size_t i = 0; i < packs->count && r == 0; i++) {
        packs->items[i].stays = packs->items[i].keep;
        r = each_object(collection, &packs->items[i], count_object, e);
    }
    if (packs->count)
        qsort(packs->items, packs->count, sizeof *packs->items, compare_packs);
    for (size_t i = 0; i < packs->count && r == 0; i++)
        if (!packs->items[i].stays)
            r = drop_if_spare(collection, &packs->items[i], e);
    return r;
}

/* Packs anew what stays of packs that hold more; the old ones can be dropped then. */
static int shrink(struct pack_collection *collection, int64_t *freed, struct error *e)
{
    const struct gc_packs *request = collection->request;
    int r = 0;

    for (size_t i = 0; i < collection->packs.count && r == 0; i++) {
        struct pack *pack = &collection->packs.items[i];
        uint64_t bytes = 0;

        if ((request->in_use && !request->makes_room) || pack->stays || pack->dropped ||
            pack->needed == pack->objects)
            continue;
        if (request->dry_run) {
            *freed += (int64_t)(pack->bytes / pack->objects * (pack->objects - pack->needed));
            continue;
        }
        r = pack_write(pack->odb, request->needed, collection->repository, &collection->packs,
                       &bytes, e);
        pack->dropped = r == 0;
        *freed -= (int64_t)bytes;
        if (request->makes_room && r == -ENOSPC) /* others go all the same */
            r = 0;
    }
    return r;
}

/* Versions come in a pack each: a folder of hundreds makes every look for an object longer, for git too. */
static bool is_small(const struct pack *pack)
{
    return !pack->keep && !pack->dropped && !pack->is_new && pack->bytes <= SMALL_PACK;
}

static int open_small(git_odb **out, const struct packs *packs, struct error *e)
{
    int r = git_odb_new(out) ? error_no_memory(e) : 0;

    for (size_t i = 0; i < packs->count && r == 0; i++)
        if (is_small(&packs->items[i]))
            r = checked_odb_add_pack(*out, packs->cache, packs->items[i].base, e);
    return r;
}

/* Makes one of the small ones, if there are many, with all that is in them: who reads what is in an old one
 * looks again, and finds the new one. */
static int combine(struct pack_collection *collection, int64_t *freed, struct error *e)
{
    struct packs *packs = &collection->packs;
    size_t small = 0;

    for (size_t i = 0; i < packs->count; i++)
        small += is_small(&packs->items[i]);
    if (small < MANY_PACKS || collection->request->dry_run || collection->request->makes_room)
        return 0;
    git_odb *odb = NULL;
    uint64_t bytes = 0;
    int r = open_small(&odb, packs, e);

    if (r == 0)
        r = pack_write(odb, NULL, collection->repository, packs, &bytes, e);
    git_odb_free(odb);
    for (size_t i = 0; i < packs->count && r == 0; i++)
        packs->items[i].dropped = packs->items[i].dropped || is_small(&packs->items[i]);
    *freed -= (int64_t)bytes;
    return r;
}

static int drop(struct pack_collection *collection, struct error *e)
{
    git_odb *rest;
    int r = pack_open_rest(&rest, &collection->packs, collection->repository, e);

    if (r < 0)
        return r;
    /* Once for before and after, so that a crash in between does no harm; then exactly. */
    r = shallow_rewrite(collection->repository, rest, true, e);
    if (r == 0)
        r = pack_remove_derived(collection->repository, e);
    for (size_t i = 0; i < collection->packs.count && r == 0; i++)
        if (collection->packs.items[i].dropped && !collection->packs.items[i].is_new)
            r = pack_remove(&collection->packs.items[i], e);
    if (r == 0)
        r = shallow_rewrite(collection->repository, rest, false, e);
    git_odb_free(rest);
    odb_reopen(collection->repository);
    return r;
}

int gc_packs(struct repository *repository, const struct gc_packs *request, uint64_t *bytes,
             struct error *e)
{
    struct pack_collection collection = {.repository = repository, .request = request};
    int64_t freed = 0;
    size_t dropped = 0;
    int r = 0;

    collection.holders = calloc(request->needed->count + 1, sizeof *collection.holders);
    if (!collection.holders)
        r = error_no_memory(e);
    if (r == 0)
        r = pack_open_all(&collection.packs, repository, e);
    if (r == 0) {
        r = choose(&collection, e);
        if (r == 0)
            r = shrink(&collection, &freed, e);
        if (r == 0)
            r = combine(&collection, &freed, e);
    }
    for (size_t i = 0; i < collection.packs.count && r == 0; i++)
        if (collection.packs.items[i].dropped && !collection.packs.items[i].is_new) {
            freed += (int64_t)collection.packs.items[i].bytes;
            dropped++;
        }
    if (r == 0 && dropped && !request->dry_run)
        r = drop(&collection, e);
    if (r == 0 && !request->dry_run)
        r = pack_remove_leftovers(repository, e);
    if (r == 0 && freed > 0)
        *bytes += (uint64_t)freed;
    pack_close_all(&collection.packs);
    free(collection.holders);
    return r;
}
