#include "gitcache/store/pack.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <git2/sys/repository.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/folder.h"
#include "gitcache/base/library.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/incoming.h"
#include "gitcache/store/repository_state.h"

/* In the order of removal: without its index, git passes a pack over. */
static const char *const suffixes[] = {".idx", ".pack", ".rev", ".bitmap", ".mtimes"};

#define SUFFIX_COUNT (sizeof suffixes / sizeof *suffixes)
#define PACK_NAME    64 /* "pack-", a hash, NUL */

static char *file_of(const struct pack *pack, const char *suffix)
{
    char *path;
    return asprintf(&path, "%s%s", pack->base, suffix) < 0 ? NULL : path;
}

static void measure(struct pack *pack)
{
    struct stat st;

    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        char *path = file_of(pack, suffixes[i]);
        if (path && stat(path, &st) == 0) {
            pack->bytes += (uint64_t)st.st_size;
            pack->written_at = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        }
        free(path);
    }
}

int pack_remove(const struct pack *pack, struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < SUFFIX_COUNT && r == 0; i++) {
        char *path = file_of(pack, suffixes[i]);
        if (!path)
            r = error_no_memory(e);
        else if (unlink(path) < 0 && errno != ENOENT)
            r = error_set(e, errno, "cannot remove %s: %s", path, strerror(errno));
        free(path);
    }
    return r;
}

int pack_remove_derived(const struct repository *repository, struct error *e)
{
    static const char *const names[] = {"objects/info/commit-graph", "objects/info/commit-graphs",
                                        "objects/pack/multi-pack-index"};

    int r = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names && r == 0; i++) {
        char *path = disk_path(repository->folder, names[i]);
        if (path)
            disk_remove(path);
        if (!path)
            r = error_no_memory(e);
        else if (access(path, F_OK) == 0)
            r = error_set(e, EIO, "cannot remove %s", path);
        free(path);
    }
    return r;
}

int pack_each(const struct repository *repository, const char *suffix,
              int (*act)(void *data, const char *base, struct error *e), void *data,
              struct error *e)
{
    char *folder = disk_path(repository->folder, "objects/pack");
    DIR *stream = folder ? opendir(folder) : NULL;
    size_t suffix_length = strlen(suffix);
    struct dirent *entry;
    int r = 0, end = 0;

    if (!stream)
        r = folder ? error_set(e, errno, "cannot read the packs of %s: %s", repository->folder,
                               strerror(errno))
                   : error_no_memory(e);
    while (stream && r == 0 && (entry = folder_next(stream, &end))) {
        size_t length = strlen(entry->d_name);
        char *base;

        if (length <= suffix_length || strcmp(entry->d_name + length - suffix_length, suffix) != 0)
            continue;
        entry->d_name[length - suffix_length] = '\0';
        base = disk_path(folder, entry->d_name);
        r = base ? act(data, base, e) : error_no_memory(e);
        free(base);
    }
    if (r == 0 && end < 0)
        r = error_set(e, -end, "cannot read %s: %s", folder, strerror(-end));
    if (stream)
        closedir(stream);
    free(folder);
    return r;
}

/* Also where that cannot be known. */
static bool may_have(const struct pack *pack, const char *suffix)
{
    char *path = file_of(pack, suffix);
    bool may = !path || access(path, F_OK) == 0 || errno != ENOENT;

    free(path);
    return may;
}

static int remove_leftovers(void *data, const char *base, struct error *e)
{
    const struct pack pack = {.base = (char *)base};
    char *prefix;

    if (may_have(&pack, ".idx") || may_have(&pack, ".keep"))
        return 0;
    if (asprintf(&prefix, "%s.", strrchr(base, '/') + 1) < 0)
        return error_no_memory(e);
    disk_remove_leftovers(data, prefix);
    free(prefix);
    return 0;
}

int pack_remove_leftovers(const struct repository *repository, struct error *e)
{
    char *folder = disk_path(repository->folder, "objects/pack");
    int r = folder ? 0 : error_no_memory(e);

    for (size_t i = 1; i < SUFFIX_COUNT && r == 0; i++)
        r = pack_each(repository, suffixes[i], remove_leftovers, folder, e);
    free(folder);
    return r;
}

static int add_pack(void *data, const char *base, struct error *e)
{
    struct packs *packs = data;
    struct pack *items = reallocarray(packs->items, packs->count + 1, sizeof *items), *pack;

    if (!items)
        return error_no_memory(e);
    packs->items = items;
    pack = &items[packs->count];
    *pack = (struct pack){.base = strdup(base)};
    if (!pack->base)
        return error_no_memory(e);
    packs->count++;
    pack->keep = may_have(pack, ".keep");
    measure(pack);
    if (git_odb_new(&pack->odb))
        return error_no_memory(e);
    return checked_odb_add_pack(pack->odb, packs->cache, base, e);
}

int pack_open_all(struct packs *packs, const struct repository *repository, struct error *e)
{
    *packs = (struct packs){.cache = repository->cache};
    return pack_each(repository, ".idx", add_pack, packs, e);
}

void pack_close_all(struct packs *packs)
{
    for (size_t i = 0; i < packs->count; i++) {
        git_odb_free(packs->items[i].odb);
        free(packs->items[i].base);
    }
    free(packs->items);
    *packs = (struct packs){.items = NULL};
}

static bool is_dropped(const struct packs *packs, const struct pack *pack)
{
    for (size_t i = 0; i < packs->count; i++)
        if (strcmp(packs->items[i].base, pack->base) == 0)
            return packs->items[i].dropped && !packs->items[i].is_new;
    return false;
}

int pack_open_rest(git_odb **out, const struct packs *packs, const struct repository *repository,
                   struct error *e)
{
    char *objects = disk_path(repository->folder, "objects");
    git_odb *odb = NULL;
    struct packs now; /* there may be new ones */
    int r = pack_open_all(&now, repository, e);

    if (r == 0 && (!objects || git_odb_new(&odb)))
        r = error_no_memory(e);
    if (r == 0)
        r = checked_odb_add_loose(odb, objects, e);
    for (size_t i = 0; i < now.count && r == 0; i++)
        if (!is_dropped(packs, &now.items[i]))
            r = checked_odb_add_pack(odb, repository->cache, now.items[i].base, e);
    pack_close_all(&now);
    free(objects);
    if (r < 0)
        git_odb_free(odb);
    else
        *out = odb;
    return r;
}

struct packing {
    const struct oid_set *objects; /* NULL: all */
    git_packbuilder *builder;
    git_odb *fresh; /* the new pack */
};

static bool is_wanted(const struct packing *packing, const git_oid *id)
{
    struct oid oid;

    library_oid_from_git(&oid, id);
    return !packing->objects || oid_set_find(packing->objects, &oid) != OID_SET_NONE;
}

static int insert_wanted(const git_oid *id, void *data)
{
    struct packing *packing = data;
    return is_wanted(packing, id) ? git_packbuilder_insert(packing->builder, id, NULL) : 0;
}

/* What is read is hashed. The packs that it was in go when all is well. */
static int read_fresh(const git_oid *id, void *data)
{
    const struct packing *packing = data;
    git_odb_object *object = NULL;
    int r = is_wanted(packing, id) ? git_odb_read(&object, packing->fresh, id) : 0;

    git_odb_object_free(object);
    return r;
}

/* libgit2 packs what a repository has; this one is nothing but the objects that passed our checks,
 * and an empty configuration. */
static int open_source(git_repository **out, git_odb *odb)
{
    git_config *config = NULL;
    int r = git_repository_wrap_odb(out, odb);

    if (r == 0)
        r = git_config_new(&config);
    if (r == 0)
        r = git_repository_set_config(*out, config);
    git_config_free(config);
    return r;
}

/* The name is the new pack's, without its ending. */
static int write_wanted(struct packing *packing, git_odb *from, const char *folder,
                        char name[PACK_NAME])
{
    git_repository *source = NULL;
    int r = open_source(&source, from);

    if (r == 0)
        r = git_packbuilder_new(&packing->builder, source);
    if (r == 0)
        r = git_odb_foreach(from, insert_wanted, packing);
    if (r == 0)
        r = git_packbuilder_write(packing->builder, folder, 0444, NULL, NULL);
    if (r == 0)
        snprintf(name, PACK_NAME, "pack-%s", git_packbuilder_name(packing->builder));
    git_packbuilder_free(packing->builder);
    git_repository_free(source);
    return r;
}

/* No old pack may go that has the new one's name: it is the new one. */
static void spare(struct packs *packs, const char *name)
{
    for (size_t i = 0; i < packs->count; i++) {
        const char *slash = strrchr(packs->items[i].base, '/');
        if (strcmp(slash ? slash + 1 : packs->items[i].base, name) == 0)
            packs->items[i].is_new = true;
    }
}

int pack_write(git_odb *from, const struct oid_set *objects, struct repository *repository,
               struct packs *packs, uint64_t *bytes, struct error *e)
{
    struct packing packing = {.objects = objects};
    char *folder, name[PACK_NAME];
    struct incoming incoming;
    int r = incoming_open(&incoming, repository, e);

    if (r < 0)
        return r;
    folder = disk_path(incoming.folder, "pack");
    r = folder ? write_wanted(&packing, from, folder, name) : GIT_ERROR;
    if (r != 0)
        r = library_error(e, r, "cannot repack %s", repository->folder);
    else
        r = checked_odb_open(&packing.fresh, repository->cache, incoming.folder, e);
    if (r == 0 && (r = git_odb_foreach(from, read_fresh, &packing)) < 0)
        r = library_error(e, r, "cannot read the new pack of %s", repository->folder);
    if (r == 0) {
        *bytes = disk_size(folder);
        r = incoming_publish(&incoming, e);
    }
    if (r == 0)
        spare(packs, name);
    git_odb_free(packing.fresh);
    free(folder);
    incoming_close(&incoming);
    return r;
}
