#include "gitcache/store/pins_mend.h"

#include <errno.h>

#include "gitcache/store/commit.h"
#include "gitcache/store/odb.h"
#include "gitcache/store/pin_record.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/refs.h"
#include "gitcache/store/repository_state.h"

/* 1, 0, or a negative errno where that cannot be known. */
static int can_be_read(struct repository *repository, const struct oid *target, struct error *e)
{
    struct commit commit;
    git_odb *odb;
    int r = odb_get(&odb, repository, e);

    if (r == 0) {
        r = commit_load(odb, target, &commit, e);
        odb_put(repository);
    }
    return r == 0 ? 1 : r == -EIO || r == -ENOENT ? 0 : r;
}

struct mending {
    struct repository *repository;
    struct pin_record record;
    bool changed;
    struct error *e;
};

/* `was`: damaged, or not there. */
static int restore_ref(struct mending *mending, const char *ref, const struct oid *target,
                       const char *was)
{
    int r = refs_write(mending->repository->folder, ref, target, mending->e);

    if (r == 0)
        cache_say(mending->repository->cache, "%s: the ref of %s was %s; written again",
                  mending->repository->shown, pins_name(ref), was);
    return r;
}

static int mend_ref(void *data, const char *ref, const struct oid *target)
{
    struct mending *mending = data;
    const struct oid *recorded = pin_record_find(&mending->record, ref);
    enum version_kind kind;

    if (!pins_kind(ref, &kind) || (target && recorded && oid_equal(target, recorded)))
        return 0;
    int can = 0;
    if (recorded && kind != VERSION_BRANCH)
        can = can_be_read(mending->repository, recorded, mending->e);
    if (can < 0)
        return can;
    if (can)
        return restore_ref(mending, ref, recorded, "damaged");
    can = target ? can_be_read(mending->repository, target, mending->e) : 0;
    if (can < 0)
        return can;
    if (can) {
        mending->changed = true;
        return pin_record_set(&mending->record, ref, target) < 0 ? error_no_memory(mending->e) : 0;
    }
    return recorded ? restore_ref(mending, ref, recorded, "damaged") : 0;
}

static int mend_lost_refs(struct mending *mending)
{
    struct oid there;
    int r = 0;

    for (size_t i = 0; i < mending->record.count && r == 0; i++) {
        const struct pin_record_item *item = &mending->record.items[i];

        r = refs_read(mending->repository->folder, item->ref, &there, mending->e);
        if (r != -ENOENT) {
            r = r == -EIO ? 0 : r;
            continue;
        }
        /* Without its commit it was removed by a gc that kept no record. */
        r = can_be_read(mending->repository, &item->target, mending->e);
        if (r > 0)
            r = restore_ref(mending, item->ref, &item->target, "not there");
    }
    return r;
}

int pins_mend(struct repository *repository, struct error *e)
{
    struct mending mending = {.repository = repository, .e = e};
    int r = pin_record_load(&mending.record, repository->folder, e);

    if (r == -ENOENT || r == -EIO) {
        mending.changed = true;
        r = 0;
    }
    if (r == 0)
        r = refs_each(repository->folder, mend_ref, &mending, e);
    if (r == 0)
        r = mend_lost_refs(&mending);
    if (r == 0 && mending.changed)
        r = pin_record_save(&mending.record, repository->folder, e);
    pin_record_release(&mending.record);
    return r;
}
