#include "gitcache/store/gc_room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gitcache/base/disk.h"
#include "gitcache/store/cache_walk.h"
#include "gitcache/store/gc_reserve.h"
#include "gitcache/store/gc_state.h"
#include "gitcache/store/last_read.h"
#include "gitcache/store/pack.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/refs.h"
#include "gitcache/store/repository_state.h"

/* What may go: a version, or a pack that no version needs (a branch was there once). */
struct gc_candidate {
    char *folder;
    char *ref; /* NULL: a pack */
    struct oid target;
    int64_t read_at; /* nanoseconds since the epoch; a pack: when it was written */
};

struct gc_candidates {
    struct gc *gc;
    struct gc_candidate *items;
    size_t count, room;
    const char *folder; /* whose refs are being read */
    size_t versions;    /* of it */
    int64_t *packs;     /* of it: when they were written */
    size_t pack_count;
};

static int add(struct gc_candidates *candidates, const char *ref, const struct oid *target,
               int64_t read_at)
{
    struct gc_candidate *items = candidates->items;

    if (candidates->count == candidates->room) {
        candidates->room = candidates->room ? 2 * candidates->room : 64;
        items = reallocarray(items, candidates->room, sizeof *items);
        if (!items)
            return -ENOMEM;
        candidates->items = items;
    }
    struct gc_candidate candidate = {
        .folder = strdup(candidates->folder), .ref = ref ? strdup(ref) : NULL, .read_at = read_at};
    if (target)
        candidate.target = *target;
    items[candidates->count++] = candidate;
    return candidate.folder && (candidate.ref || !ref) ? 0 : -ENOMEM;
}

static int add_ref(void *data, const char *ref, const struct oid *target)
{
    struct gc_candidates *candidates = data;
    enum version_kind kind;
    int64_t read_at;

    if (!target || !pins_kind(ref, &kind))
        return 0;
    candidates->versions++;
    read_at = last_read_at(candidates->folder, ref);
    return read_at < candidates->gc->before ? add(candidates, ref, target, read_at) : 0;
}

static int note_pack(void *data, const char *base, struct error *e)
{
    struct gc_candidates *candidates = data;
    int64_t *packs = reallocarray(candidates->packs, candidates->pack_count + 1, sizeof *packs);
    struct stat st;
    char *path;

    if (packs)
        candidates->packs = packs;
    if (!packs || asprintf(&path, "%s.pack", base) < 0)
        return error_no_memory(e);
    if (stat(path, &st) == 0)
        packs[candidates->pack_count++] =
            (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    free(path);
    return 0;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Where there are more packs than versions, the oldest may be what a branch has left. */
static int add_packs(struct gc_candidates *candidates, const char *folder, struct error *e)
{
    const struct repository place = {.folder = (char *)folder};

    candidates->pack_count = 0;
    int r = pack_each(&place, ".pack", note_pack, candidates, e);
    if (candidates->pack_count > candidates->versions)
        qsort(candidates->packs, candidates->pack_count, sizeof *candidates->packs, compare_times);
    for (size_t i = candidates->versions; i < candidates->pack_count && r == 0; i++) {
        int64_t written_at = candidates->packs[i - candidates->versions];
        if (written_at < candidates->gc->before)
            r = add(candidates, NULL, NULL, written_at);
    }
    return r;
}

/* A repository that cannot be read has no candidates. */
static int add_repository(void *data, const char *folder, struct error *e)
{
    struct gc_candidates *candidates = data;
    struct error why = {0};
    int r;

    candidates->folder = folder;
    candidates->versions = 0;
    r = refs_each(folder, add_ref, candidates, &why);
    if (r == 0)
        r = add_packs(candidates, folder, &why);
    return r == -ENOMEM ? error_no_memory(e) : 0;
}

static int compare_candidates(const void *a, const void *b)
{
    return compare_times(&((const struct gc_candidate *)a)->read_at,
                         &((const struct gc_candidate *)b)->read_at);
}

static void release(struct gc_candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++) {
        free(candidates->items[i].folder);
        free(candidates->items[i].ref);
    }
    free(candidates->items);
    free(candidates->packs);
}

/* From `next` on, takes so many as may go; marks them in `taken`. Returns how many. */
static size_t take(struct gc_candidates *candidates, size_t wanted, size_t *next, bool *taken)
{
    const struct gc_options *options = candidates->gc->options;
    size_t count = 0;

    for (; *next < candidates->count && count < wanted; ++*next) {
        const struct gc_candidate *candidate = &candidates->items[*next];
        taken[*next] = !candidate->ref || options->returns(options->data, candidate->folder,
                                                           candidate->ref, &candidate->target);
        count += taken[*next];
        if (taken[*next])
            candidates->gc->cutoff = candidate->read_at;
    }
    return count;
}

static bool is_first_of_folder(const struct gc_candidates *candidates, const bool *taken,
                               size_t begin, size_t i)
{
    for (size_t j = begin; j < i; j++)
        if (taken[j] && strcmp(candidates->items[j].folder, candidates->items[i].folder) == 0)
            return false;
    return true;
}

/* Each repository that has one of those, once. */
static void collect(struct gc_candidates *candidates, const bool *taken, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        if (taken[i] && is_first_of_folder(candidates, taken, begin, i))
            gc_collect(candidates->gc, candidates->items[i].folder, NULL);
}

/* So many more, by what those before have freed. */
static size_t how_many(uint64_t missing, uint64_t freed, size_t gone, size_t count)
{
    uint64_t each = gone ? freed / gone : 0, many = each ? missing / each + 1 : gone + 1;

    return many > count / 4 + 1 ? count / 4 + 1 : (size_t)many;
}

static int remove_oldest(struct gc_candidates *candidates, uint64_t bytes, bool *taken)
{
    struct gc *gc = candidates->gc;
    size_t next = 0, gone = 0;

    while (gc->report->bytes < bytes && next < candidates->count) {
        size_t begin = gc->options->dry_run ? 0 : next;

        gc->said_until = gc->cutoff;
        gone +=
            take(candidates,
                 how_many(bytes - gc->report->bytes, gc->report->bytes, gone, candidates->count),
                 &next, taken);
        if (gc->options->dry_run) /* nothing has gone: what was told before is counted again */
            *gc->report = (struct gc_report){.removed = 0};
        collect(candidates, taken, begin, next);
    }
    return 0;
}

int gc_room_begin(struct gc **out, struct cache *cache, unsigned seconds, bool spares_mounts,
                  struct error *e)
{
    struct gc *gc = NULL;
    int r = gc_open(&gc, cache, e);
    int64_t users = r == 0 ? gc->oldest : 0;

    if (r == 0 && !spares_mounts)
        r = gc_see_users(gc, false, &users, e);
    if (r < 0) {
        gc_end(gc);
        return r;
    }
    gc->makes_room = true;
    gc_keep_since(gc, seconds, users);
    *out = gc;
    return 0;
}

int gc_room_make(struct gc *gc, uint64_t bytes, const struct gc_options *options,
                 struct gc_report *report, struct error *e)
{
    struct gc_candidates candidates = {.gc = gc};
    bool *taken = NULL;
    int r;

    *report = (struct gc_report){.removed = 0};
    gc->options = options;
    gc->report = report;
    gc->cutoff = gc->said_until = INT64_MIN;
    if (!options->dry_run && !gc_reserve_is_enough(gc->cache))
        return error_set(e, ENOSPC,
                         "the cache %s has no room for what must be written to remove anything: %s",
                         cache_folder(gc->cache), strerror(ENOSPC));
    r = cache_walk(gc->cache, add_repository, &candidates, e);
    if (r == 0 && !(taken = calloc(candidates.count + 1, sizeof *taken)))
        r = error_no_memory(e);
    if (r == 0) {
        if (candidates.count)
            qsort(candidates.items, candidates.count, sizeof *candidates.items, compare_candidates);
        r = remove_oldest(&candidates, bytes, taken);
    }
    free(taken);
    release(&candidates);
    return r;
}
