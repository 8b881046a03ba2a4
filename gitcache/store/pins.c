#include "gitcache/store/pins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/library.h"
#include "gitcache/base/starts_with.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/odb.h"
#include "gitcache/store/repository_state.h"

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

/* The index of the ref, or where it belongs. The caller holds `lock`. */
static size_t position(const struct repository *repository, const char *ref, bool *found)
{
    size_t low = 0, high = repository->pin_count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(repository->pins[middle].ref, ref);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int make_room(struct repository *repository)
{
    size_t room = repository->pin_room ? 2 * repository->pin_room : 16;
    struct pin *pins;

    if (repository->pin_count < repository->pin_room)
        return 0;
    pins = reallocarray(repository->pins, room, sizeof *pins);
    if (!pins)
        return -ENOMEM;
    repository->pins = pins;
    repository->pin_room = room;
    return 0;
}

static int remember(struct repository *repository, const char *ref, const struct oid *target,
                    const struct version *version)
{
    bool found;
    size_t at;
    int r = 0;

    pthread_rwlock_wrlock(&repository->lock);
    at = position(repository, ref, &found);
    if (!found) {
        char *copy = strdup(ref);
        r = copy ? make_room(repository) : -ENOMEM;
        if (r) {
            free(copy);
        } else {
            struct pin *pin = &repository->pins[at];
            memmove(pin + 1, pin, (repository->pin_count++ - at) * sizeof *pin);
            pin->ref = copy;
        }
    }
    if (!r) {
        repository->pins[at].target = *target;
        repository->pins[at].version = *version;
    }
    pthread_rwlock_unlock(&repository->lock);
    return r;
}

static bool recall(struct repository *repository, const char *ref, struct oid *target,
                   struct version *out)
{
    bool found;
    size_t at;

    pthread_rwlock_rdlock(&repository->lock);
    at = position(repository, ref, &found);
    if (found) {
        *target = repository->pins[at].target;
        *out = repository->pins[at].version;
    }
    pthread_rwlock_unlock(&repository->lock);
    return found;
}

/* Makes a ref that stands on disk known. EIO if it names no readable commit: git was interrupted
 * there, or somebody else wrote it. */
static int learn(struct repository *repository, const char *ref, const struct oid *target,
                 struct version *out, struct error *e)
{
    struct error inner = {0};
    struct oid known;
    struct commit commit;
    git_odb *odb;
    int r;

    if (!pins_kind(ref, &out->kind))
        return -ENOENT;
    if (recall(repository, ref, &known, out) && oid_equal(&known, target))
        return 0;
    odb = odb_get(repository);
    if (!odb)
        return error_set(e, EIO, "the objects of %s cannot be read", repository->folder);
    r = commit_load(odb, target, &commit, &inner);
    odb_put(repository);
    if (r < 0)
        return error_set(e, r == -ENOMEM ? ENOMEM : EIO, "%s in %s: %s", ref, repository->folder,
                         inner.text);
    pins_kind(ref, &out->kind);
    out->commit = commit.id;
    out->tree = commit.tree;
    out->time = commit.time;
    return remember(repository, ref, target, out) < 0 ? error_no_memory(e) : 0;
}

/* The caller holds refs_lock. NULL while there is no repository. */
static git_repository *open_refs(struct repository *repository)
{
    if (!repository->refs &&
        git_repository_open_ext(&repository->refs, repository->folder,
                                GIT_REPOSITORY_OPEN_BARE | GIT_REPOSITORY_OPEN_NO_SEARCH, NULL))
        repository->refs = NULL;
    return repository->refs;
}

int pins_find(struct repository *repository, const char *ref, struct version *out, struct error *e)
{
    git_repository *refs;
    struct oid target;
    git_oid id;
    int r = GIT_ENOTFOUND;

    if (recall(repository, ref, &target, out))
        return 0;
    pthread_mutex_lock(&repository->refs_lock);
    refs = open_refs(repository);
    if (refs)
        r = git_reference_name_to_id(&id, refs, ref);
    if (r == GIT_ENOTFOUND || r == GIT_EINVALIDSPEC)
        r = -ENOENT;
    else if (r < 0)
        r = library_error(e, r, "cannot read %s in %s", ref, repository->folder);
    pthread_mutex_unlock(&repository->refs_lock);
    if (r < 0)
        return r;
    oid_from_git(&target, &id);
    return learn(repository, ref, &target, out, e);
}

int pins_each(struct repository *repository, int (*visit)(void *data, const struct pin *pin),
              void *data)
{
    int r = 0;

    pthread_rwlock_rdlock(&repository->lock);
    for (size_t i = 0; i < repository->pin_count && !r; i++)
        r = visit(data, &repository->pins[i]);
    pthread_rwlock_unlock(&repository->lock);
    return r;
}

struct scanned_ref {
    char *ref;
    struct oid target;
};

struct scanned_refs {
    struct scanned_ref *items;
    size_t count, room;
};

static int collect(struct scanned_refs *found, const git_reference *ref)
{
    const git_oid *target = git_reference_target(ref);
    enum version_kind kind;
    char *copy;

    if (!target || !pins_kind(git_reference_name(ref), &kind))
        return 0;
    if (found->count == found->room) {
        size_t room = found->room ? 2 * found->room : 64;
        struct scanned_ref *items = reallocarray(found->items, room, sizeof *items);
        if (!items)
            return -ENOMEM;
        found->items = items;
        found->room = room;
    }
    copy = strdup(git_reference_name(ref));
    if (!copy)
        return -ENOMEM;
    found->items[found->count].ref = copy;
    oid_from_git(&found->items[found->count++].target, target);
    return 0;
}

/* The caller holds refs_lock. */
static int collect_all(struct scanned_refs *found, git_repository *refs)
{
    git_reference_iterator *iterator = NULL;
    git_reference *ref;
    int r = git_reference_iterator_new(&iterator, refs);

    while (!r && (r = git_reference_next(&ref, iterator)) == 0) {
        r = collect(found, ref);
        git_reference_free(ref);
    }
    git_reference_iterator_free(iterator);
    return r == GIT_ITEROVER ? 0 : r;
}

int pins_scan(struct repository *repository, struct error *e)
{
    struct scanned_refs found = {.items = NULL};
    struct version version;
    git_repository *refs;
    int r = 0;

    pthread_mutex_lock(&repository->refs_lock);
    refs = open_refs(repository);
    if (refs)
        r = collect_all(&found, refs);
    if (r == -ENOMEM)
        r = error_no_memory(e);
    else if (r)
        r = library_error(e, r, "cannot read the refs in %s", repository->folder);
    pthread_mutex_unlock(&repository->refs_lock);
    for (size_t i = 0; i < found.count; i++) {
        /* One that is damaged hides no other. */
        if (r == 0 && learn(repository, found.items[i].ref, &found.items[i].target, &version,
                            NULL) == -ENOMEM)
            r = error_no_memory(e);
        free(found.items[i].ref);
    }
    free(found.items);
    return r;
}

/* The caller has the repository's lock, so a lock on the ref was left by a process that died. */
static void break_ref_lock(const struct repository *repository, const char *ref)
{
    char *path;

    if (asprintf(&path, "%s/%s.lock", repository->folder, ref) < 0)
        return;
    unlink(path);
    free(path);
}

static int create_ref(struct repository *repository, const char *ref, const git_oid *target,
                      bool move)
{
    git_repository *refs = NULL;
    git_reference *written = NULL;
    /* An own handle: the write is synced to the disk, and readers shall not wait for that. */
    int r = git_repository_open_ext(&refs, repository->folder,
                                    GIT_REPOSITORY_OPEN_BARE | GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);

    if (!r)
        r = git_reference_create(&written, refs, ref, target, move, NULL);
    if (r == GIT_ELOCKED) {
        break_ref_lock(repository, ref);
        r = git_reference_create(&written, refs, ref, target, move, NULL);
    }
    git_reference_free(written);
    git_repository_free(refs);
    return r;
}

int pins_write(struct repository *repository, const char *ref, const struct oid *target,
               const struct version *version, struct error *e)
{
    git_oid id;
    int r;

    oid_to_git(&id, target);
    r = create_ref(repository, ref, &id, version->kind == VERSION_BRANCH);
    if (r)
        return library_error(e, r, "cannot write %s in %s", ref, repository->folder);
    if (remember(repository, ref, target, version))
        return error_no_memory(e);
    return 0;
}

void pins_forget(struct repository *repository, const char *ref)
{
    bool found;
    size_t at;

    pthread_rwlock_wrlock(&repository->lock);
    at = position(repository, ref, &found);
    if (found) {
        struct pin *pin = &repository->pins[at];
        free(pin->ref);
        memmove(pin, pin + 1, (--repository->pin_count - at) * sizeof *pin);
    }
    pthread_rwlock_unlock(&repository->lock);
}

int pins_remove(struct repository *repository, const char *ref, struct error *e)
{
    git_repository *refs;
    int r;

    pthread_mutex_lock(&repository->refs_lock);
    refs = open_refs(repository);
    r = refs ? git_reference_remove(refs, ref) : GIT_ENOTFOUND;
    if (r)
        r = library_error(e, r, "cannot remove %s in %s", ref, repository->folder);
    pthread_mutex_unlock(&repository->refs_lock);
    if (!r)
        pins_forget(repository, ref);
    return r;
}

void pins_release(struct repository *repository)
{
    for (size_t i = 0; i < repository->pin_count; i++)
        free(repository->pins[i].ref);
    free(repository->pins);
}
