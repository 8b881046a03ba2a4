#include "gitcache/store/mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/base/regular.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/known_pins.h"
#include "gitcache/store/odb.h"
#include "gitcache/store/pack.h"
#include "gitcache/store/pack_file.h"
#include "gitcache/store/pins_mend.h"
#include "gitcache/store/reach.h"
#include "gitcache/store/repository_state.h"
#include "gitcache/store/shallow.h"

#define SCRATCH     "startpointfs-check"
#define BUFFER_SIZE ((size_t)128 << 10)

/* ---- packs ---- */

/* Indexes a pack into the scratch folder. */
static int index_pack(git_indexer *indexer, const char *pack)
{
    git_indexer_progress progress = {0};
    char *buffer = malloc(BUFFER_SIZE);
    struct stat st;
    int fd = regular_open(pack, O_RDONLY, &st, NULL), r = -1;
    ssize_t n = 1;

    if (fd >= 0 && buffer) {
        for (r = 0; r == 0 && (n = read(fd, buffer, BUFFER_SIZE)) > 0;)
            r = git_indexer_append(indexer, buffer, (size_t)n, &progress);
        if (r == 0)
            r = n < 0 ? -1 : git_indexer_commit(indexer, &progress);
    }
    if (fd >= 0)
        close(fd);
    free(buffer);
    return r;
}

/* Makes a pack's index again. False if the pack itself is damaged, or the disk full. */
static bool make_index(const char *scratch, const char *base)
{
    git_indexer *indexer = NULL;
    char *pack = NULL, *index = NULL, *made = NULL;
    bool good = false;

    if (asprintf(&pack, "%s.pack", base) < 0)
        pack = NULL;
    if (asprintf(&index, "%s.idx", base) < 0)
        index = NULL;
    if (pack && index && git_indexer_new(&indexer, scratch, 0444, NULL, NULL) == 0 &&
        index_pack(indexer, pack) == 0 &&
        asprintf(&made, "%s/pack-%s.idx", scratch, git_indexer_name(indexer)) >= 0) {
        disk_remove(index);
        good = rename(made, index) == 0 && pack_file_is_good(base, NULL);
    }
    git_indexer_free(indexer);
    free(made);
    free(index);
    free(pack);
    return good;
}

struct packs_check {
    struct mend *mend;
    char *scratch;
};

static int add_bad(struct mend *mend, const char *base)
{
    char **bad = reallocarray(mend->bad, mend->bad_count + 1, sizeof *bad), *copy = strdup(base);

    if (bad)
        mend->bad = bad;
    if (!bad || !copy) {
        free(copy);
        return -ENOMEM;
    }
    bad[mend->bad_count++] = copy;
    return 0;
}

static int check_pack(void *data, const char *base, struct error *e)
{
    struct packs_check *check = data;
    const struct repository *repository = check->mend->repository;
    struct error why = {0};

    if (pack_file_is_good(base, &why))
        return 0;
    if (why.errnum != EIO && why.errnum != ENOENT)
        return error_set(e, why.errnum, "%s", why.text);
    if (make_index(check->scratch, base)) {
        cache_say(repository->cache,
                  "%s: the index of a pack was damaged; made again from the pack",
                  repository->shown);
        return 0;
    }
    cache_say(repository->cache, "%s: %s", repository->shown, why.text);
    return add_bad(check->mend, base) < 0 ? error_no_memory(e) : 0;
}

/* An index without a pack is worth nothing. */
static int check_index(void *data, const char *base, struct error *e)
{
    struct packs_check *check = data;
    struct stat st;
    char *pack;
    int r = 0;

    if (asprintf(&pack, "%s.pack", base) < 0)
        return error_no_memory(e);
    if (lstat(pack, &st) < 0 && errno == ENOENT && add_bad(check->mend, base) < 0)
        r = error_no_memory(e);
    free(pack);
    return r;
}

static int check_packs(struct mend *mend, struct error *e)
{
    struct packs_check check = {mend, disk_path(mend->repository->folder, SCRATCH)};
    int r = check.scratch ? 0 : error_no_memory(e);

    if (r == 0) {
        disk_remove(check.scratch);
        r = disk_make_folders(check.scratch, e);
    }
    if (r == 0)
        r = pack_each(mend->repository, ".pack", check_pack, &check, e);
    if (r == 0)
        r = pack_each(mend->repository, ".idx", check_index, &check, e);
    if (check.scratch)
        disk_remove(check.scratch);
    free(check.scratch);
    return r;
}

/* ---- versions ---- */

struct good_packs {
    const struct mend *mend;
    git_odb *odb;
};

static int add_good(void *data, const char *base, struct error *e)
{
    struct good_packs *good = data;

    for (size_t i = 0; i < good->mend->bad_count; i++)
        if (strcmp(good->mend->bad[i], base) == 0)
            return 0;
    return checked_odb_add_pack(good->odb, good->mend->repository->cache, base, e);
}

/* An odb of what is known to be sound. */
static int open_good(const struct mend *mend, git_odb **out, struct error *e)
{
    struct good_packs good = {.mend = mend};
    char *objects = disk_path(mend->repository->folder, "objects");
    int r = objects && git_odb_new(&good.odb) == 0 ? 0 : error_no_memory(e);

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
        cache_say(repository->cache, "%s: the ref of %s is damaged; taken anew from the remote",
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
    int r = open_good(mend, &check.good, e);

    if (r == 0)
        r = pins_each_on_disk(mend->repository, check_pin, &check, e);
    git_odb_free(check.good);
    return r;
}

int mend_begin(struct mend **out, struct repository *repository, struct error *e)
{
    struct mend *mend = calloc(1, sizeof *mend);
    int r = mend ? 0 : error_no_memory(e);

    if (r < 0)
        return r;
    mend->repository = repository;
    r = check_packs(mend, e);
    odb_reopen(repository);
    if (r == 0)
        r = pins_mend(repository, e);
    if (r == 0)
        r = find_wants(mend, e);
    if (r < 0)
        mend_end(mend, false, NULL);
    else
        *out = mend;
    return r;
}

int mend_check(const struct mend *mend, const struct incoming *incoming, size_t want,
               struct error *e)
{
    struct version version;

    return incoming_check(incoming, &mend->wants[want].target, &version, e);
}

int mend_give_up(struct mend *mend, size_t want, struct error *e)
{
    const struct repository *repository = mend->repository;
    const char *ref = mend->wants[want].ref;

    cache_say(repository->cache,
              "%s: what the ref of %s names is nowhere; taken anew from the remote",
              repository->shown, pins_name(ref));
    return pins_remove(mend->repository, ref, e);
}

/* A pack of that name may have been received anew since. */
static void remove_bad(const struct mend *mend)
{
    static const char *const suffixes[] = {".idx", ".pack", ".rev", ".bitmap"};

    for (size_t i = 0; i < mend->bad_count; i++) {
        if (pack_file_is_good(mend->bad[i], NULL))
            continue;
        for (size_t n = 0; n < sizeof suffixes / sizeof *suffixes; n++) {
            char *path;
            if (asprintf(&path, "%s%s", mend->bad[i], suffixes[n]) < 0)
                continue;
            disk_remove(path);
            free(path);
        }
    }
}

int mend_end(struct mend *mend, bool done, struct error *e)
{
    int r = 0;

    if (done) {
        remove_bad(mend);
        r = shallow_mend(mend->repository, e);
    }
    odb_reopen(mend->repository);
    for (size_t i = 0; i < mend->count; i++)
        free(mend->wants[i].ref);
    for (size_t i = 0; i < mend->bad_count; i++)
        free(mend->bad[i]);
    free(mend->wants);
    free(mend->bad);
    free(mend);
    return r;
}
