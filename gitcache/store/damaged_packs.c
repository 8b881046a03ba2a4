#include "gitcache/store/damaged_packs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/odb.h"
#include "gitcache/store/pack.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/reach.h"

#define ASIDE       ".damaged" /* behind .idx: git and libgit2 pass such a pack over */
#define SCRATCH     "startpointfs-check"
#define MAX_INDEX   ((size_t)1 << 30)
#define BUFFER_SIZE ((size_t)128 << 10)

/* Indexes a pack once more, into the scratch folder. */
static int reindex(git_indexer *indexer, const char *pack)
{
    git_indexer_progress progress = {0};
    char *buffer = malloc(BUFFER_SIZE);
    int fd = open(pack, O_RDONLY | O_CLOEXEC), r = -1;
    ssize_t n = 1;

    if (fd >= 0 && buffer) {
        for (r = 0; !r && (n = read(fd, buffer, BUFFER_SIZE)) > 0;)
            r = git_indexer_append(indexer, buffer, (size_t)n, &progress);
        if (!r)
            r = n < 0 ? -1 : git_indexer_commit(indexer, &progress);
    }
    if (fd >= 0)
        close(fd);
    free(buffer);
    return r;
}

static bool same_bytes(const char *a, const char *b)
{
    char *x = NULL, *y = NULL;
    size_t x_size, y_size;
    bool same = disk_read(a, MAX_INDEX, &x, &x_size, NULL) == 0 &&
                disk_read(b, MAX_INDEX, &y, &y_size, NULL) == 0 && x_size == y_size &&
                memcmp(x, y, x_size) == 0;

    free(x);
    free(y);
    return same;
}

/* A pack is good if indexing it gives the very index that stands beside it. `base` is its path
 * without .pack. */
static bool pack_is_good(const char *scratch, const char *base)
{
    git_indexer *indexer = NULL;
    char *pack = NULL, *index = NULL, *made = NULL;
    bool good = false;

    if (asprintf(&pack, "%s.pack", base) < 0 || asprintf(&index, "%s.idx", base) < 0 ||
        git_indexer_new(&indexer, scratch, 0444, NULL, NULL))
        goto out;
    if (reindex(indexer, pack) ||
        asprintf(&made, "%s/pack-%s.idx", scratch, git_indexer_name(indexer)) < 0)
        goto out;
    good = same_bytes(index, made);
out:
    git_indexer_free(indexer);
    free(made);
    free(index);
    free(pack);
    return good;
}

static int rename_index(const char *base, const char *from, const char *to)
{
    char *old = NULL, *new = NULL;
    int r = -1;

    if (asprintf(&old, "%s%s", base, from) >= 0 && asprintf(&new, "%s%s", base, to) >= 0)
        r = rename(old, new);
    free(old);
    free(new);
    return r;
}

static int set_aside_if_damaged(void *data, const char *base, struct error *e)
{
    (void)e; /* what cannot be checked is damaged */
    if (!pack_is_good(data, base))
        rename_index(base, ".idx", ".idx" ASIDE);
    return 0;
}

static int put_back(void *data, const char *base, struct error *e)
{
    (void)data, (void)e;
    rename_index(base, ".idx" ASIDE, ".idx");
    return 0;
}

static int remove_pack(void *data, const char *base, struct error *e)
{
    static const char *const suffixes[] = {".pack", ".idx" ASIDE};

    (void)data, (void)e;
    for (size_t i = 0; i < 2; i++) {
        char *path;
        if (asprintf(&path, "%s%s", base, suffixes[i]) >= 0) {
            unlink(path);
            free(path);
        }
    }
    return 0;
}

int damaged_packs_set_aside(struct repository *repository, struct error *e)
{
    char *scratch = disk_path(repository_folder(repository), SCRATCH);
    int r = scratch ? 0 : error_no_memory(e);

    if (r == 0) {
        disk_remove(scratch);
        r = disk_make_folders(scratch, e);
    }
    if (r == 0)
        r = pack_each(repository, ".idx", set_aside_if_damaged, scratch, e);
    if (scratch)
        disk_remove(scratch);
    free(scratch);
    odb_reopen(repository);
    return r;
}

void damaged_packs_put_back(struct repository *repository)
{
    pack_each(repository, ".idx" ASIDE, put_back, NULL, NULL);
    odb_reopen(repository);
}

int damaged_packs_remove(struct repository *repository, struct error *e)
{
    return pack_each(repository, ".idx" ASIDE, remove_pack, NULL, e);
}

static int add_target(void *data, const struct pin *pin)
{
    return oid_set_add(data, &pin->target);
}

static bool is_whole(git_odb *odb, const struct oid *target)
{
    struct commit commit;

    return commit_load(odb, target, &commit, NULL) == 0 &&
           reach_check(odb, &commit.tree, NULL) == 0;
}

int damaged_packs_find_pins(struct repository *repository, struct oid_set *broken, struct error *e)
{
    struct oid_set all = {.items = NULL};
    int r = pins_each(repository, add_target, &all);
    git_odb *odb = odb_get(repository);

    for (size_t i = 0; odb && i < all.count && r == 0; i++)
        if (!is_whole(odb, &all.items[i]))
            r = oid_set_add(broken, &all.items[i]);
    if (odb)
        odb_put(repository);
    oid_set_release(&all);
    return r < 0 ? error_no_memory(e) : 0;
}
