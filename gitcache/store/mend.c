#include "gitcache/store/mend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/disk.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/known_pins.h"
#include "gitcache/store/odb.h"
#include "gitcache/store/pack.h"
#include "gitcache/store/pins_mend.h"
#include "gitcache/store/reach.h"
#include "gitcache/store/repository_state.h"
#include "gitcache/store/shallow.h"

/* ---- versions ---- */

struct good_packs {
    const struct mend *mend;
    git_odb *odb;
};

static int add_good(void *data, const char *base, struct error *e)
{
    struct good_packs *good = data;

    if (mend_packs_is_bad(&good->mend->packs, base))
        return 0;
    return checked_odb_add_pack(good->odb, good->mend->repository->cache, base, e);
}

/* An odb of what is known to be sound; before it, what is received (NULL: nothing). */
static int open_good(const struct mend *mend, const struct incoming *incoming, git_odb **out,
                     struct error *e)
{
    struct good_packs good = {.mend = mend};
    char *objects = disk_path(mend->repository->folder, "objects");
    int r = objects && git_odb_new(&good.odb) == 0 ? 0 : error_no_memory(e);

    if (r == 0 && incoming)
        r = checked_odb_add(good.odb, mend->repository->cache, incoming->folder, e);
    if (r == 0)
        r = pack_each(mend->repository, ".idx", add_good, &good, e);
    if (r == 0)
        r = checked_odb_add_loose(good.odb, objects, e);
    free(objects);
    if (r < 0)
        git_odb_free(good.odb);
    else
        *out = good.odb;
    return r;
}

static int check_version(git_odb *odb, const struct oid *target, struct error *e)
{
    struct commit commit;
    int r = commit_load(odb, target, &commit, e);

    return r ? r : reach_check(odb, &commit.tree, e);
}

struct pins_check {
    struct mend *mend;
    git_odb *good;
    struct error *e;
};

static int add_want(struct mend *mend, const char *ref, const struct oid *target, bool recorded)
{
    struct mend_want *want;

    if (mend->count == mend->room) {
        size_t room = mend->room ? 2 * mend->room : 16;
        struct mend_want *wants = reallocarray(mend->wants, room, sizeof *wants);

        if (!wants)
            return -ENOMEM;
        mend->wants = wants;
        mend->room = room;
    }
    want = &mend->wants[mend->count];
    *want = (struct mend_want){strdup(ref), *target, recorded};
    if (!want->ref)
        return -ENOMEM;
    mend->count++;
    return 0;
}

static int check_pin(void *data, const char *ref, const struct oid *target, bool recorded)
{
    struct pins_check *check = data;
    struct repository *repository = check->mend->repository;
    int r;

    if (!target) { /* nobody knows what it was */
        cache_say(repository->cache, "%s: the ref of %s is damaged; taken again from the remote",
                  repository->shown, pins_name(ref));
        return pins_remove(repository, ref, check->e);
    }
    r = check_version(check->good, target, check->e);
    if (r == 0 || r == -ENOENT) /* none: it names no commit, and is no version */
        return 0;
    if (r != -EIO)
        return r;
    known_pins_forget(repository, ref);
    return add_want(check->mend, ref, target, recorded) < 0 ? error_no_memory(check->e) : 0;
}

static int find_wants(struct mend *mend, struct error *e)
{
    struct pins_check check = {.mend = mend, .e = e};
    int r = open_good(mend, NULL, &check.good, e);

    if (r == 0)
        r = pins_each_on_disk(mend->repository, check_pin, &check, e);
    git_odb_free(check.good);
    return r;
}

static void forget_wants(struct mend *mend)
{
    for (size_t i = 0; i < mend->count; i++)
        free(mend->wants[i].ref);
    mend->count = 0;
}

/* Nothing explains so far what a reader met, or what a version lacks. */
static int look_deeper(struct mend *mend, struct error *e)
{
    int r = mend_packs_check_objects(&mend->packs, e);

    odb_reopen(mend->repository);
    if (r < 0 || !mend->packs.count)
        return r;
    forget_wants(mend);
    return find_wants(mend, e);
}

int mend_begin(struct mend **out, struct repository *repository, struct error *e)
{
    struct mend *mend = calloc(1, sizeof *mend);

    if (!mend)
        return error_no_memory(e);
    mend->repository = repository;
    mend->packs.repository = repository;
    int r = mend_packs_check(&mend->packs, e);
    odb_reopen(repository);
    if (r == 0)
        r = pins_mend(repository, e);
    if (r == 0)
        r = find_wants(mend, e);
    if (r == 0 && !mend->packs.count && (mend->count || !mend->packs.found))
        r = look_deeper(mend, e);
    if (r < 0)
        mend_end(mend, false, NULL);
    else
        *out = mend;
    return r;
}

/* What is damaged says of objects that it has them: so that is left out. */
int mend_check(const struct mend *mend, const struct incoming *incoming, size_t first, size_t count,
               struct error *e)
{
    git_odb *odb = NULL;
    int r = open_good(mend, incoming, &odb, e);

    for (size_t i = first; i < first + count && r == 0; i++)
        r = check_version(odb, &mend->wants[i].target, e);
    git_odb_free(odb);
    return r;
}

int mend_give_up(struct mend *mend, size_t want, struct error *e)
{
    const struct repository *repository = mend->repository;
    const char *ref = mend->wants[want].ref;

    cache_say(repository->cache,
              "%s: the ref of %s names something that is nowhere; taken again from the remote",
              repository->shown, pins_name(ref));
    return pins_remove(mend->repository, ref, e);
}

int mend_end(struct mend *mend, bool done, struct error *e)
{
    int r = 0;

    if (done) {
        r = mend_packs_remove(&mend->packs, e);
        if (r == 0)
            r = shallow_mend(mend->repository, e);
    }
    odb_reopen(mend->repository);
    forget_wants(mend);
    mend_packs_release(&mend->packs);
    free(mend->wants);
    free(mend);
    return r;
}
