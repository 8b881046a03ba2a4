#include "gitcache/store/gc_repository.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/store/gc_packs.h"
#include "gitcache/store/last_read.h"
#include "gitcache/store/odb.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/pins_mend.h"
#include "gitcache/store/reach.h"
#include "gitcache/store/refs.h"
#include "gitcache/store/repository_state.h"
#include "gitcache/store/skeleton.h"

#define NANOSECONDS ((int64_t)1000000000)

/* A ref, ours or (git lets anybody put one there) not. */
struct gc_ref {
    char *name;
    struct oid target; /* what it holds: a commit or a tag object */
    struct oid commit; /* of ours */
    bool ours;
    bool goes;
};

struct gc_collection {
    struct gc *gc;
    struct repository *repository;
    struct gc_ref *refs;
    size_t count;
    struct oid_set needed; /* every object of what stays */
    struct oid_set gone;   /* the commits of what goes */
    struct error *e;       /* of the reading of refs */
};

/* A ref whose objects cannot be read may be all that names them: then nothing is removed. */
static int add_ref(void *data, const char *name, const struct oid *target)
{
    struct gc_collection *collection = data;
    struct gc_ref *refs, ref = {.name = NULL};
    struct version version;
    enum version_kind kind;
    int r = 0;

    if (!target)
        return error_set(collection->e, EIO, "its ref %s cannot be read", name);
    ref.target = *target;
    ref.ours = pins_kind(name, &kind);
    if (ref.ours)
        r = pins_find(collection->repository, name, &version, collection->e);
    if (r == -ENOENT)
        return error_set(collection->e, EIO, "its ref %s names no commit", name);
    if (r < 0)
        return r;
    if (ref.ours)
        ref.commit = version.commit;
    refs = reallocarray(collection->refs, collection->count + 1, sizeof *refs);
    if (refs)
        collection->refs = refs;
    ref.name = refs ? strdup(name) : NULL;
    if (!ref.name)
        return error_no_memory(collection->e);
    refs[collection->count++] = ref;
    return 0;
}

static int read_refs(struct gc_collection *collection, struct error *e)
{
    struct repository *repository = collection->repository;
    int r = 0;

    collection->e = e;
    if (!collection->gc->options->dry_run) {
        r = skeleton_mend(repository->cache, repository->folder, repository->shown, e);
        if (r == 0)
            r = pins_mend(repository, e);
    }
    return r < 0 ? r : refs_each(repository->folder, add_ref, collection, e);
}

static bool is_named(const struct gc_collection *collection, const struct oid *commit)
{
    const struct gc *gc = collection->gc;

    for (size_t i = 0; i < gc->count; i++)
        if (oid_equal(&gc->sources[i].commit, commit) &&
            strcmp(gc->sources[i].folder, collection->repository->folder) == 0)
            return true;
    return false;
}

/* By the time at which it was last read, and whether it comes again. */
static bool may_go(const struct gc_collection *collection, const struct gc_ref *ref)
{
    const char *folder = collection->repository->folder;
    const struct gc *gc = collection->gc;
    int64_t read_at = last_read_at(folder, ref->name);

    if (read_at >= gc->before)
        return false;
    return !gc->makes_room ||
           (read_at <= gc->cutoff &&
            gc->options->returns(gc->options->data, folder, ref->name, &ref->target));
}

static int keep(struct gc_collection *collection, struct gc_ref *ref, struct error *e)
{
    git_odb *odb;
    int r = odb_get(&odb, collection->repository, e);

    ref->goes = false;
    if (r < 0)
        return r;
    r = reach_add(&collection->needed, odb, &ref->target, e);
    odb_put(collection->repository);
    return r;
}

/* Says of each ref whether it goes, and finds what the others need. */
static int decide(struct gc_collection *collection, struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < collection->count && r == 0; i++) {
        struct gc_ref *ref = &collection->refs[i];
        ref->goes = ref->ours && !is_named(collection, &ref->commit) && may_go(collection, ref);
        if (!ref->goes)
            r = keep(collection, ref, e);
    }
    return r;
}

/* Its folder below the cache's. */
static const char *shown_folder(const struct gc_collection *collection)
{
    const char *rest = collection->repository->folder + strlen(cache_folder(collection->gc->cache));
    return rest + strspn(rest, "/");
}

static int remove_ref(struct gc_collection *collection, struct gc_ref *ref, struct error *e)
{
    const struct gc_options *options = collection->gc->options;
    int64_t read_at = last_read_at(collection->repository->folder, ref->name);
    int r = 0;

    if (!options->dry_run)
        r = pins_remove(collection->repository, ref->name, e);
    if (r == 0 && oid_set_add(&collection->gone, &ref->commit))
        r = error_no_memory(e);
    if (r == 0 && options->removed && read_at > collection->gc->said_until)
        options->removed(options->data, shown_folder(collection), pins_name(ref->name),
                         read_at / NANOSECONDS);
    return r;
}

/* What may be open counts as read just now: when its mount ends, the days begin. So does what was read
 * at a time that lies ahead: nobody knows when that was, and it shall not stay for ever, nor go at once
 * because this machine's clock is the one that is wrong. */
static void touch_open(struct gc_collection *collection, const struct gc_ref *ref)
{
    const char *folder = collection->repository->folder;
    int64_t at = last_read_at(folder, ref->name);

    if (!collection->gc->options->dry_run && !collection->gc->makes_room &&
        (at >= collection->gc->oldest || last_read_lies_ahead(at)))
        last_read_touch(folder, ref->name);
}

static int remove_those_that_go(struct gc_collection *collection, struct error *e)
{
    struct gc_report *report = collection->gc->report;
    int r = 0;

    /* Who began to read since we decided keeps what they read. */
    for (size_t i = 0; i < collection->count && r == 0; i++)
        if (collection->refs[i].goes && !may_go(collection, &collection->refs[i]))
            r = keep(collection, &collection->refs[i], e);
    for (size_t i = 0; i < collection->count && r == 0; i++) {
        struct gc_ref *ref = &collection->refs[i];
        if (ref->goes)
            r = remove_ref(collection, ref, e);
        else if (ref->ours)
            touch_open(collection, ref);
        if (r == 0 && ref->ours)
            ++*(ref->goes ? &report->removed : &report->kept);
    }
    return r;
}

/* Nobody begins to read meanwhile. */
static int remove_refs(struct gc_collection *collection, struct error *e)
{
    const char *folder = collection->repository->folder;
    int lock = last_read_lock(folder, LOCK_EX), r;
    struct timespec packed;

    if (lock < 0)
        return error_set(e, -lock, "it cannot be locked: %s", strerror(-lock));
    last_read_of_packed(folder, &packed);
    r = remove_those_that_go(collection, e);
    if (!collection->gc->options->dry_run)
        last_read_set_packed(folder, &packed);
    close(lock);
    return r;
}

static int collect(struct gc_collection *collection, struct error *e)
{
    struct gc *gc = collection->gc;
    const struct gc_packs packs = {
        .needed = &collection->needed,
        .gone = &collection->gone,
        .in_use = gc->oldest != INT64_MAX,
        .makes_room = gc->makes_room,
        .closed_until = gc->makes_room ? gc->cutoff : INT64_MIN,
        .dry_run = gc->options->dry_run,
    };
    int r = read_refs(collection, e);

    if (r == 0)
        r = decide(collection, e);
    if (r == 0)
        r = remove_refs(collection, e);
    if (r == 0)
        r = gc_packs(collection->repository, &packs, &gc->report->bytes, e);
    for (size_t i = 0; i < collection->count; i++)
        free(collection->refs[i].name);
    free(collection->refs);
    oid_set_release(&collection->needed);
    oid_set_release(&collection->gone);
    return r;
}

static bool no_patience(void *data)
{
    (void)data;
    return true;
}

int gc_repository(struct gc *gc, const char *folder, struct error *e)
{
    const struct watch watch = {.cancelled = no_patience};
    struct gc_collection collection = {.gc = gc};
    char *path = disk_path(folder, LOCK_FILE);
    int lock = path ? disk_lock(path, &watch, e) : error_no_memory(e), r;

    free(path);
    if (lock == -ECANCELED)
        return error_set(e, EBUSY, "something is being fetched into it just now");
    if (lock < 0)
        return lock;
    r = repository_open_folder(&collection.repository, gc->cache, folder, e);
    if (r == 0) {
        r = collect(&collection, e);
        repository_close(collection.repository);
    }
    close(lock);
    return r;
}
