#include "gitcache/store/mend_packs.h"

#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/base/regular.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/pack.h"
#include "gitcache/store/pack_file.h"
#include "gitcache/store/repository_state.h"

#define SCRATCH     "startpointfs-check"
#define ASIDE       "-damaged" /* behind the name of a pack that is set aside */
#define BUFFER_SIZE ((size_t)128 << 10)
#define MAX_INDEX   ((size_t)1 << 32)

static char *join(const char *base, const char *suffix)
{
    char *path;
    return asprintf(&path, "%s%s", base, suffix) < 0 ? NULL : path;
}

/* ---- which are bad ---- */

bool mend_packs_is_bad(const struct mend_packs *packs, const char *base)
{
    for (size_t i = 0; i < packs->count; i++)
        if (strcmp(packs->bad[i].base, base) == 0)
            return true;
    return false;
}

static int add_bad(struct mend_packs *packs, const char *base, bool is_aside, struct error *e)
{
    struct bad_pack *bad = reallocarray(packs->bad, packs->count + 1, sizeof *bad);
    char *copy = strdup(base);

    if (bad)
        packs->bad = bad;
    if (!bad || !copy) {
        free(copy);
        return error_no_memory(e);
    }
    bad[packs->count++] = (struct bad_pack){copy, is_aside};
    packs->found = true;
    /* cppcheck-suppress memleak ; the item above owns it */
    return 0;
}

void mend_packs_release(struct mend_packs *packs)
{
    for (size_t i = 0; i < packs->count; i++)
        free(packs->bad[i].base);
    free(packs->bad);
    *packs = (struct mend_packs){.repository = packs->repository};
}

/* EIO: it is known to be bad. Any other errno says nothing of it. */
static int check_file(const char *base, struct error *e)
{
    struct error why = {0};

    if (pack_file_is_good(base, &why))
        return 0;
    return error_set(e, why.errnum == ENOENT ? EIO : why.errnum, "%s", why.text);
}

static bool is_known_to_be_bad(const struct bad_pack *bad)
{
    return bad->is_aside || check_file(bad->base, NULL) == -EIO;
}

int mend_packs_remove(const struct mend_packs *packs, struct error *e)
{
    static const char *const suffixes[] = {".idx", ".pack", ".rev", ".bitmap"};

    int r = packs->count ? pack_remove_derived(packs->repository, e) : 0;

    for (size_t i = 0; i < packs->count && r == 0; i++) {
        const struct bad_pack *bad = &packs->bad[i];

        if (!is_known_to_be_bad(bad))
            continue;
        for (size_t n = 0; n < sizeof suffixes / sizeof *suffixes; n++) {
            char *path = join(bad->base, suffixes[n]);
            if (path)
                disk_remove(path);
            free(path);
        }
    }
    return r;
}

/* ---- indexing ---- */

static int index_failed(int git_code, const char *pack, struct error *e)
{
    return git_code < 0 ? library_read_error(e, git_code, pack) : 0;
}

/* From `fd` to the end. */
static int index_bytes(git_indexer *indexer, int fd, const char *pack, struct error *e)
{
    git_indexer_progress progress = {0};
    char *buffer = malloc(BUFFER_SIZE);
    int r = buffer ? 0 : error_no_memory(e);
    ssize_t n = 1;

    while (r == 0 && n > 0) {
        n = read(fd, buffer, BUFFER_SIZE);
        if (n < 0)
            r = error_set(e, errno, "cannot read %s: %s", pack, strerror(errno));
        else if (n > 0)
            r = index_failed(git_indexer_append(indexer, buffer, (size_t)n, &progress), pack, e);
    }
    if (r == 0)
        r = index_failed(git_indexer_commit(indexer, &progress), pack, e);
    free(buffer);
    return r;
}

/* Makes a pack's index again, in the scratch folder; its path is the caller's to free. EIO: the pack
 * itself is damaged, and *out is NULL. Any other errno says nothing of it. */
static int index_again(char **out, const char *scratch, const char *base, struct error *e)
{
    git_indexer *indexer = NULL;
    char *pack = join(base, ".pack");
    struct stat st;
    int fd = pack ? regular_open(pack, O_RDONLY, &st, e) : error_no_memory(e);
    int r =
        fd < 0 ? fd : index_failed(git_indexer_new(&indexer, scratch, 0444, NULL, NULL), pack, e);

    *out = NULL;
    if (r == 0)
        r = index_bytes(indexer, fd, pack, e);
    if (r == 0 && asprintf(out, "%s/pack-%s.idx", scratch, git_indexer_name(indexer)) < 0)
        r = error_no_memory(e);
    if (r < 0)
        *out = NULL;
    if (fd >= 0)
        close(fd);
    git_indexer_free(indexer);
    free(pack);
    return r == -ENOENT ? -EIO : r;
}

/* EIO: the pack itself is damaged. */
static int replace_index(const char *scratch, const char *base, struct error *e)
{
    char *made, *index = join(base, ".idx");
    int r = index ? index_again(&made, scratch, base, e) : error_no_memory(e);

    if (r == 0) {
        disk_remove(index);
        if (rename(made, index) < 0)
            r = error_set(e, errno, "cannot write %s: %s", index, strerror(errno));
        else
            r = check_file(base, e);
        free(made);
    }
    free(index);
    return r;
}

/* Calls `check` for each pack, with a scratch folder. */
struct packs_check {
    struct mend_packs *packs;
    char *scratch;
};

static int check_each(struct mend_packs *packs, const char *suffix,
                      int (*check_one)(void *data, const char *base, struct error *e),
                      struct error *e)
{
    struct packs_check check = {packs, disk_path(packs->repository->folder, SCRATCH)};
    int r = check.scratch ? 0 : error_no_memory(e);

    if (r == 0) {
        disk_remove(check.scratch);
        r = disk_make_folders(check.scratch, e);
    }
    if (r == 0)
        r = pack_each(packs->repository, suffix, check_one, &check, e);
    if (check.scratch)
        disk_remove(check.scratch);
    free(check.scratch);
    return r;
}

/* ---- what checksums show ---- */

static int check_pack(void *data, const char *base, struct error *e)
{
    const struct packs_check *check = data;
    const struct repository *repository = check->packs->repository;
    struct error why = {0};
    int r = check_file(base, &why);

    if (r == 0)
        return 0;
    if (r != -EIO)
        return error_set(e, why.errnum, "%s", why.text);
    r = replace_index(check->scratch, base, e);
    if (r < 0 && r != -EIO)
        return r;
    if (r == 0) {
        check->packs->found = true;
        cache_say(repository->cache,
                  "%s: the index of a pack was damaged; made again from the pack",
                  repository->shown);
        return 0;
    }
    cache_say(repository->cache, "%s: %s", repository->shown, why.text);
    return add_bad(check->packs, base, false, e);
}

/* An index without a pack is worth nothing. */
static int check_index(void *data, const char *base, struct error *e)
{
    const struct packs_check *check = data;
    char *pack = join(base, ".pack");
    struct stat st;
    int r = pack ? 0 : error_no_memory(e);

    if (r == 0 && lstat(pack, &st) < 0 && errno == ENOENT)
        r = add_bad(check->packs, base, false, e);
    free(pack);
    return r;
}

struct loose_check {
    struct mend_packs *packs;
    git_odb *odb;
};

static int check_loose(const git_oid *id, void *data)
{
    const struct loose_check *check = data;
    const struct repository *repository = check->packs->repository;
    git_odb_object *object = NULL;
    char hex[OID_HEX_SIZE], *path;
    struct oid oid;
    int r = git_odb_read(&object, check->odb, id);

    git_odb_object_free(object);
    /* What the system says of reading says nothing of the object. */
    /* What could not be read for another reason may be sound. */
    if (r == 0 || r == GIT_ENOTFOUND || !git_error_last() ||
        git_error_last()->klass != GIT_ERROR_ODB)
        return 0;
    library_oid_from_git(&oid, id);
    oid_format(&oid, hex);
    if (asprintf(&path, "%s/objects/%.2s/%s", repository->folder, hex, hex + 2) < 0)
        return 0;
    check->packs->found = true;
    cache_say(repository->cache, "%s: the object %s is damaged; its file is removed",
              repository->shown, hex);
    disk_remove(path);
    free(path);
    return 0;
}

static int check_all_loose(struct mend_packs *packs, struct error *e)
{
    struct loose_check check = {.packs = packs};
    char *objects = disk_path(packs->repository->folder, "objects");
    int r = objects && git_odb_new(&check.odb) == 0 ? 0 : error_no_memory(e);

    if (r == 0)
        r = checked_odb_add_loose(check.odb, objects, e);
    if (r == 0)
        git_odb_foreach(check.odb, check_loose, &check); /* what it misses is looked at next time */
    git_odb_free(check.odb);
    free(objects);
    return r;
}

int mend_packs_check(struct mend_packs *packs, struct error *e)
{
    int r = check_each(packs, ".pack", check_pack, e);

    if (r == 0)
        r = check_each(packs, ".idx", check_index, e);
    return r < 0 ? r : check_all_loose(packs, e);
}

/* ---- what they do not show ---- */

/* 1, 0, or a negative errno. */
static int is_same(const char *a, const char *b, struct error *e)
{
    char *x = NULL, *y = NULL;
    size_t x_size, y_size;
    int r = disk_read(a, MAX_INDEX, &x, &x_size, e);

    if (r == 0)
        r = disk_read(b, MAX_INDEX, &y, &y_size, e);
    if (r == 0)
        r = x_size == y_size && memcmp(x, y, x_size) == 0;
    free(y);
    free(x);
    return r;
}

/* 1, 0 if it is damaged, or a negative errno where that is not known. */
static int has_these_objects(const char *scratch, const char *base, struct error *e)
{
    char *made = NULL, *index = join(base, ".idx");
    int r = index ? index_again(&made, scratch, base, e) : error_no_memory(e);

    if (r == 0)
        r = is_same(made, index, e);
    if (made)
        disk_remove(made);
    free(index);
    free(made);
    return r == -EIO || r == -ENOENT || r == -EFBIG ? 0 : r;
}

/* The pack first: an index without one is worth nothing, a pack without an index gets a new one. */
static int set_aside(struct mend_packs *packs, const char *base, struct error *e)
{
    static const char *const suffixes[] = {".pack", ".idx"};
    char *aside = join(base, ASIDE);
    int r = aside ? 0 : error_no_memory(e);

    if (r == 0)
        r = pack_remove_derived(packs->repository, e);
    for (size_t i = 0; i < 2 && r == 0; i++) {
        char *from = join(base, suffixes[i]), *to = join(aside, suffixes[i]);

        if (!from || !to)
            r = error_no_memory(e);
        else if (rename(from, to) < 0)
            r = error_set(e, errno, "cannot set %s aside: %s", from, strerror(errno));
        free(to);
        free(from);
    }
    if (r == 0)
        r = add_bad(packs, aside, true, e);
    free(aside);
    return r;
}

static int check_objects(void *data, const char *base, struct error *e)
{
    const struct packs_check *check = data;
    const struct repository *repository = check->packs->repository;
    size_t length = strlen(base), aside = strlen(ASIDE);
    int has =
        mend_packs_is_bad(check->packs, base) ? 1 : has_these_objects(check->scratch, base, e);

    if (has != 0)
        return has < 0 ? has : 0;
    cache_say(repository->cache, "%s: the pack %s has other objects than its index says",
              repository->shown, base);
    if (length > aside && strcmp(base + length - aside, ASIDE) == 0)
        return add_bad(check->packs, base, true, e);
    return set_aside(check->packs, base, e);
}

int mend_packs_check_objects(struct mend_packs *packs, struct error *e)
{
    return check_each(packs, ".pack", check_objects, e);
}
