#include "gitcache/store/pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/base/starts_with.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/known_pins.h"
#include "gitcache/store/odb.h"
#include "gitcache/store/pins_mend.h"
#include "gitcache/store/refs.h"
#include "gitcache/store/repository_state.h"
#include "gitcache/store/shallow.h"
#include "gitcache/store/skeleton.h"

bool pins_kind(const char *ref, enum version_kind *out)
{
    if (starts_with(ref, TAG_PREFIX))
        *out = VERSION_TAG;
    else if (starts_with(ref, BRANCH_PREFIX))
        *out = VERSION_BRANCH;
    else if (starts_with(ref, COMMIT_PREFIX))
        *out = VERSION_COMMIT;
    else
        return false;
    return true;
}

const char *pins_name(const char *ref)
{
    return strchr(ref + strlen("refs/"), '/') + 1;
}

/* Makes a ref that stands on disk known. -ENOENT: it is none of ours, or names no commit; -EIO: its
 * commit is damaged or missing. */
static int learn(struct repository *repository, const char *ref, const struct oid *target,
                 struct version *out, struct error *e)
{
    enum version_kind kind;
    struct commit commit;
    struct oid known;
    git_odb *odb;
    int r;

    if (!pins_kind(ref, &kind))
        return -ENOENT;
    if (known_pins_find(repository, ref, &known, out) && oid_equal(&known, target))
        return 0;
    r = odb_get(&odb, repository, e);
    if (r < 0)
        return r;
    r = commit_load(odb, target, &commit, e);
    odb_put(repository);
    if (r < 0)
        return r;
    *out = (struct version){kind, commit.id, commit.tree, commit.time};
    return known_pins_add(repository, ref, target, out) < 0 ? error_no_memory(e) : 0;
}

/* Reads the record again if it was written since; the caller holds record_lock. -ENOENT, -EIO: there
 * is no record that could be believed. */
static int load_record(struct repository *repository, struct error *e)
{
    struct regular_stamp now = {.device = 0};
    struct pin_record record;
    char *path = disk_path(repository->folder, PIN_RECORD_FILE);
    struct stat st;
    int r;

    if (!path)
        return error_no_memory(e);
    if (lstat(path, &st) == 0)
        now = regular_stamp_of(&st);
    free(path);
    if (now.inode && regular_stamp_equal(&now, &repository->record_stamp))
        return 0;
    r = pin_record_load(&record, repository->folder, e);
    pin_record_release(&repository->record);
    repository->record = record;
    repository->record_stamp = r == 0 ? now : (struct regular_stamp){.device = 0};
    return r;
}

/* The same; one that is damaged or not there is empty then. */
static int load_record_if_any(struct repository *repository, struct error *e)
{
    int r = load_record(repository, e);

    return r == -ENOENT || r == -EIO ? 0 : r;
}

/* What the record says of a ref. ENOENT without a sentence if it knows nothing, or there is none that could
 * be believed. */
static int find_recorded(struct repository *repository, const char *ref, struct oid *target,
                         struct error *e)
{
    const struct oid *found = NULL;
    int r;

    pthread_mutex_lock(&repository->record_lock);
    r = load_record(repository, e);
    if (r == 0)
        found = pin_record_find(&repository->record, ref);
    if (found)
        *target = *found;
    pthread_mutex_unlock(&repository->record_lock);
    return r < 0 && r != -EIO ? r : found ? 0 : -ENOENT;
}

static bool is_absent(const struct repository *repository)
{
    return access(repository->folder, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

bool pins_are_absent(struct repository *repository)
{
    pthread_rwlock_rdlock(&repository->lock);
    bool knows_some = repository->pin_count > 0;
    pthread_rwlock_unlock(&repository->lock);
    return !knows_some && is_absent(repository);
}

/* What is there, but not as it should be, may be so in the record. As find_on_disk; *r is what the ref said. */
static int find_in_record(struct repository *repository, const char *ref, int r,
                          struct version *out, struct error *e)
{
    struct error inner = {0};
    struct oid target;
    int recorded = find_recorded(repository, ref, &target, &inner);

    if (recorded == 0)
        recorded = learn(repository, ref, &target, out, &inner);
    if (recorded == 0)
        atomic_store(&repository->mend_wanted, true);
    if (recorded == 0 || recorded == -ENOENT || recorded == -EIO)
        return recorded == 0 ? 0 : r;
    return error_set(e, -recorded, "%s", inner.text);
}

/* What never moves is where the record says, if that can be read: only its bytes have a checksum. Changes
 * *target then; a negative errno where that cannot be known. */
static int believe_record(struct repository *repository, const char *ref, struct oid *target,
                          struct error *e)
{
    struct version version;
    struct oid recorded;
    int r = find_recorded(repository, ref, &recorded, e);

    if (r < 0 || oid_equal(&recorded, target))
        return r == -ENOENT ? 0 : r;
    r = learn(repository, ref, &recorded, &version, e);
    if (r == 0) {
        *target = recorded;
        atomic_store(&repository->mend_wanted, true);
    }
    return r == -EIO || r == -ENOENT ? 0 : r;
}

static bool never_moves(const char *ref)
{
    return !starts_with(ref, BRANCH_PREFIX);
}

/* Of a ref and the record, what can be read. As pins_find. */
static int find_on_disk(struct repository *repository, const char *ref, struct version *out,
                        struct error *e)
{
    struct error inner = {0};
    struct oid target;

    if (is_absent(repository))
        return -ENOENT;
    int r = refs_read(repository->folder, ref, &target, &inner);
    if (r == 0 && never_moves(ref))
        r = believe_record(repository, ref, &target, &inner);
    if (r == 0)
        r = learn(repository, ref, &target, out, &inner);
    if (r == -EIO || r == -ENOENT)
        r = find_in_record(repository, ref, r, out, &inner);
    if (r == 0 || r == -ENOENT)
        return r;
    if (r != -EIO)
        return error_set(e, -r, "%s", inner.text);
    return error_set(e, EIO, "%s of %s is damaged in the cache %s: %s", ref, repository->shown,
                     repository->folder, inner.text);
}

int pins_find(struct repository *repository, const char *ref, struct version *out, struct error *e)
{
    struct oid target;

    return known_pins_find(repository, ref, &target, out) ? 0
                                                          : find_on_disk(repository, ref, out, e);
}

/* One reading of all refs. */
struct pin_scan {
    struct repository *repository;
    struct error *e;
    bool damage; /* something is to be mended */
    uint64_t number;
};

static int learn_ref(void *data, const char *ref, const struct oid *target)
{
    struct pin_scan *scan = data;
    struct oid recorded;
    struct version version;
    enum version_kind kind;
    int r;

    if (!pins_kind(ref, &kind))
        return 0;
    known_pins_see(scan->repository, ref, scan->number);
    r = find_recorded(scan->repository, ref, &recorded, scan->e);
    if (r < 0 && r != -ENOENT)
        return r;
    bool differs = r == 0 && target && never_moves(ref) && !oid_equal(&recorded, target);
    scan->damage = scan->damage || r == -ENOENT;
    r = target && !differs ? learn(scan->repository, ref, target, &version, scan->e) : -EIO;
    if (r == -EIO) {
        scan->damage = true;
        r = find_on_disk(scan->repository, ref, &version, scan->e);
    }
    return r == -EIO || r == -ENOENT ? 0 : r;
}

/* Pins whose refs are gone. */
static int learn_recorded(struct pin_scan *scan)
{
    struct pin_record *record = &scan->repository->record;
    struct oid there;
    int r = 0;

    pthread_mutex_lock(&scan->repository->record_lock);
    r = load_record_if_any(scan->repository, scan->e);
    for (size_t i = 0; i < record->count && r == 0; i++) {
        const struct pin_record_item *item = &record->items[i];
        struct version version;

        if (known_pins_see(scan->repository, item->ref, scan->number))
            continue;
        r = refs_read(scan->repository->folder, item->ref, &there, scan->e);
        if (r != -ENOENT) {
            r = r == -EIO ? 0 : r; /* it is there */
            continue;
        }
        r = learn(scan->repository, item->ref, &item->target, &version, scan->e);
        scan->damage = scan->damage || r == 0;
        r = r == -EIO || r == -ENOENT ? 0 : r;
    }
    pthread_mutex_unlock(&scan->repository->record_lock);
    return r;
}

static bool no_patience(void *data)
{
    (void)data;
    return true;
}

/* Once a process, and only if nobody has the lock: who has it will see the damage, too. */
static void try_to_mend(struct repository *repository)
{
    const struct watch watch = {.cancelled = no_patience};
    bool tried;
    int lock;

    pthread_mutex_lock(&repository->record_lock);
    tried = repository->mend_tried;
    repository->mend_tried = true;
    pthread_mutex_unlock(&repository->record_lock);
    if (tried || cache_is_read_only(repository->cache))
        return;
    lock = repository_lock(repository, &watch, NULL);
    if (lock < 0)
        return;
    /* What is not mended now is said again, and tried again, by the next process. */
    if (pins_mend(repository, NULL) == 0 && shallow_mend(repository, NULL) == 0)
        atomic_store(&repository->mend_wanted, false);
    close(lock);
}

void pins_mend_if_wanted(struct repository *repository)
{
    if (atomic_load(&repository->mend_wanted))
        try_to_mend(repository);
}

/* A repository that is there, with something else in the place of its files and folders. */
static bool is_unsound(const struct repository *repository)
{
    struct stat st;

    return stat(repository->folder, &st) == 0 && S_ISDIR(st.st_mode) &&
           !skeleton_is_sound(repository->folder);
}

int pins_scan(struct repository *repository, struct error *e)
{
    struct pin_scan scan = {.repository = repository, .e = e};

    if (is_absent(repository))
        return 0;
    scan.number = known_pins_scan(repository);
    int r = refs_each(repository->folder, learn_ref, &scan, e);

    if (r == 0)
        r = learn_recorded(&scan);
    if (r == 0)
        known_pins_forget_unseen(repository, scan.number);
    if (r == 0 && (scan.damage || is_unsound(repository)))
        try_to_mend(repository);
    return r;
}

/* ---- writing; the caller has the repository's file lock ---- */

/* Writes the record as it is in memory. */
static int save_record(struct repository *repository, struct error *e)
{
    repository->record_stamp = (struct regular_stamp){.device = 0};
    return pin_record_save(&repository->record, repository->folder, e);
}

static int record_pin(struct repository *repository, const char *ref, const struct oid *target,
                      struct error *e)
{
    int r;

    pthread_mutex_lock(&repository->record_lock);
    r = load_record_if_any(repository, e); /* pins_mend adds what is on disk */
    if (r == 0 && pin_record_set(&repository->record, ref, target) < 0)
        r = error_no_memory(e);
    if (r == 0)
        r = save_record(repository, e);
    pthread_mutex_unlock(&repository->record_lock);
    return r;
}

int pins_write(struct repository *repository, const char *ref, const struct oid *target,
               const struct version *version, struct error *e)
{
    struct version pinned;
    int r;

    if (version->kind != VERSION_BRANCH) {
        r = pins_find(repository, ref, &pinned, e);
        if (r == 0 && !oid_equal(&pinned.commit, &version->commit))
            return error_set(e, EEXIST, "%s of %s is pinned at another commit", pins_name(ref),
                             repository->shown);
        if (r < 0 && r != -ENOENT && r != -EIO) /* it may be pinned: nobody knows at which */
            return r;
    }
    r = record_pin(repository, ref, target, e);
    if (r == 0)
        r = refs_write(repository->folder, ref, target, e);
    if (r == 0 && known_pins_add(repository, ref, target, version) < 0)
        r = error_no_memory(e);
    return r;
}

int pins_remove(struct repository *repository, const char *ref, struct error *e)
{
    int r;

    /* The record first: a pin that stands in it alone would be taken for one whose ref was lost. */
    pthread_mutex_lock(&repository->record_lock);
    r = load_record_if_any(repository, e);
    if (r == 0 && pin_record_find(&repository->record, ref)) {
        pin_record_remove(&repository->record, ref);
        r = save_record(repository, e);
    }
    pthread_mutex_unlock(&repository->record_lock);
    if (r == 0)
        r = refs_remove(repository->folder, ref, e);
    if (r == 0)
        known_pins_forget(repository, ref);
    return r;
}

struct pin_visit {
    struct repository *repository;
    int (*visit)(void *data, const char *ref, const struct oid *target, bool recorded);
    void *data;
    struct error *e;
};

static int visit_pin(void *data, const char *ref, const struct oid *target)
{
    struct pin_visit *v = data;
    enum version_kind kind;
    struct oid recorded;
    bool known;
    int r;

    if (!pins_kind(ref, &kind))
        return 0;
    r = find_recorded(v->repository, ref, &recorded, v->e);
    if (r < 0 && r != -ENOENT)
        return r;
    known = r == 0;
    if (!target && known)
        target = &recorded;
    return v->visit(v->data, ref, target, known && target && oid_equal(target, &recorded));
}

int pins_each_on_disk(struct repository *repository,
                      int (*visit)(void *data, const char *ref, const struct oid *target,
                                   bool recorded),
                      void *data, struct error *e)
{
    struct pin_visit v = {repository, visit, data, e};
    return refs_each(repository->folder, visit_pin, &v, e);
}
