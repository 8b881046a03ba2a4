#include "gitcache/store/incoming.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/folder.h"
#include "gitcache/base/library.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/pack_file.h"
#include "gitcache/store/reach.h"
#include "gitcache/store/repository_state.h"

#define INCOMING_FOLDER "startpointfs-incoming"
#define BESIDE_FOLDER   "startpointfs-search."

/* The indexer maps its file anew each time it is given something: give it much at a time. */
#define BUFFER_SIZE ((size_t)256 << 10)

static int open_odb(struct incoming *incoming, struct error *e)
{
    char *objects = disk_path(incoming->repository->folder, "objects");
    int r;

    if (!objects)
        return error_no_memory(e);
    r = checked_odb_open(&incoming->odb, incoming->repository->cache, incoming->folder, e);
    if (r == 0)
        r = checked_odb_add(incoming->odb, incoming->repository->cache, objects, e);
    free(objects);
    return r;
}

/* Takes the folder over. */
static int open_in(struct incoming *out, struct repository *repository, char *folder,
                   struct error *e)
{
    *out = (struct incoming){.repository = repository, .folder = folder};
    char *packs = folder ? disk_path(folder, "pack") : NULL;
    int r = packs ? disk_make_folders(packs, e) : error_no_memory(e);

    free(packs);
    if (r == 0)
        r = open_odb(out, e);
    if (r < 0)
        incoming_close(out);
    return r;
}

int incoming_open(struct incoming *out, struct repository *repository, struct error *e)
{
    char *folder = disk_path(repository->folder, INCOMING_FOLDER);

    /* The lock is ours, so whatever is there was left by a process that died. */
    if (folder)
        disk_remove(folder);
    return open_in(out, repository, folder, e);
}

int incoming_open_beside(struct incoming *out, struct repository *repository, struct error *e)
{
    char *folder = disk_path(repository->folder, BESIDE_FOLDER "XXXXXX");

    *out = (struct incoming){.repository = repository};
    disk_remove_leftovers(repository->folder, BESIDE_FOLDER);
    if (folder && !mkdtemp(folder)) {
        int r = error_set(e, errno, "cannot make the folder %s: %s", folder, strerror(errno));
        free(folder);
        return r;
    }
    return open_in(out, repository, folder, e);
}

/* A pack that is being written. */
struct incoming_pack {
    git_indexer *indexer;
    git_indexer_progress progress;
    uint64_t size; /* bytes received */
    size_t used;   /* bytes in the buffer */
    char buffer[BUFFER_SIZE];
};

static void drop_pack(struct incoming *incoming)
{
    if (incoming->pack)
        git_indexer_free(incoming->pack->indexer);
    free(incoming->pack);
    incoming->pack = NULL;
}

void incoming_close(struct incoming *incoming)
{
    drop_pack(incoming);
    git_odb_free(incoming->odb);
    if (incoming->folder)
        disk_remove(incoming->folder);
    free(incoming->folder);
    *incoming = (struct incoming){.repository = NULL};
}

int incoming_begin(struct incoming *incoming, struct error *e)
{
    char *packs = disk_path(incoming->folder, "pack");
    int r = 0;

    drop_pack(incoming);
    incoming->pack = calloc(1, sizeof *incoming->pack);
    if (!packs || !incoming->pack)
        r = error_no_memory(e);
    /* No odb: each pack must be whole in itself. */
    else if ((r = git_indexer_new(&incoming->pack->indexer, packs, 0444, NULL, NULL)) < 0)
        r = library_error(e, r, "cannot write a pack in %s", packs);
    free(packs);
    return r;
}

/* The pack is bad, unless it was the disk or the memory that failed. */
static int indexer_failed(const struct incoming *incoming, int git_code, struct error *e)
{
    const char *shown = repository_shown(incoming->repository);
    const git_error *error = git_error_last();

    if (error && error->klass == GIT_ERROR_NOMEMORY)
        return error_no_memory(e);
    if (error && error->klass == GIT_ERROR_OS)
        return library_error(e, git_code, "cannot write the pack that %s sent", shown);
    return library_error(e, git_code, "%s sent a damaged pack", shown);
}

static int flush(struct incoming *incoming, struct error *e)
{
    struct incoming_pack *pack = incoming->pack;
    int r = git_indexer_append(pack->indexer, pack->buffer, pack->used, &pack->progress);

    pack->used = 0;
    return r < 0 ? indexer_failed(incoming, r, e) : 0;
}

int incoming_write(struct incoming *incoming, const void *bytes, size_t size, struct error *e)
{
    struct incoming_pack *pack = incoming->pack;
    int r = 0;

    pack->size += size;
    while (size > 0 && r == 0) {
        size_t room = BUFFER_SIZE - pack->used, n = size < room ? size : room;

        memcpy(pack->buffer + pack->used, bytes, n);
        pack->used += n;
        bytes = (const char *)bytes + n;
        size -= n;
        if (pack->used == BUFFER_SIZE)
            r = flush(incoming, e);
    }
    return r;
}

int incoming_finish(struct incoming *incoming, struct error *e)
{
    struct incoming_pack *pack = incoming->pack;
    const char *shown = repository_shown(incoming->repository);
    int r;

    if (pack->size == 0)
        return error_set(e, EIO, "%s sent no pack", shown);
    r = flush(incoming, e);
    if (r < 0)
        return r;
    r = git_indexer_commit(pack->indexer, &pack->progress);
    if (r < 0)
        return indexer_failed(incoming, r, e);
    drop_pack(incoming);
    r = git_odb_refresh(incoming->odb);
    return r < 0 ? library_error(e, r, "cannot read the pack that %s sent", shown) : 0;
}

bool incoming_has(const struct incoming *incoming, const struct oid *id)
{
    git_oid oid;

    library_oid_to_git(&oid, id);
    return git_odb_exists(incoming->odb, &oid);
}

int incoming_check(const struct incoming *incoming, const struct oid *id, struct version *out,
                   struct error *e)
{
    struct commit commit;
    int r = commit_load(incoming->odb, id, &commit, e);

    if (r == 0)
        r = reach_check(incoming->odb, &commit.tree, e);
    if (r == 0)
        *out = (struct version){.commit = commit.id, .tree = commit.tree, .time = commit.time};
    return r;
}

struct commit_visit {
    git_odb *odb;
    void (*visit)(void *data, const struct oid *commit);
    void *data;
};

static int visit_commit(const git_oid *id, void *data)
{
    const struct commit_visit *visit = data;
    git_object_t type;
    struct oid oid;
    size_t size;
    int r = git_odb_read_header(&size, &type, visit->odb, id);

    if (r == 0 && type == GIT_OBJECT_COMMIT) {
        library_oid_from_git(&oid, id);
        visit->visit(visit->data, &oid);
    }
    return r;
}

int incoming_each_commit(const struct incoming *incoming,
                         void (*visit)(void *data, const struct oid *commit), void *data,
                         struct error *e)
{
    struct commit_visit commits = {incoming->odb, visit, data};

    int r = git_odb_foreach(incoming->odb, visit_commit, &commits);

    return r ? library_error(e, r, "cannot read the history of %s",
                             repository_shown(incoming->repository))
             : 0;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t length = strlen(name), suffix_length = strlen(suffix);
    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

static int move(const char *from, const char *to, const char *suffix, struct error *e)
{
    char *old = NULL, *new = NULL;
    int r = 0;

    if (asprintf(&old, "%s%s", from, suffix) < 0)
        old = NULL;
    if (asprintf(&new, "%s%s", to, suffix) < 0)
        new = NULL;
    if (!old || !new)
        r = error_no_memory(e);
    else if (rename(old, new) < 0)
        r = error_set(e, errno, "cannot move a pack to %s: %s", new, strerror(errno));
    free(old);
    free(new);
    return r;
}

static void remove_pack(const char *base)
{
    static const char *const suffixes[] = {".idx", ".pack"};

    for (size_t i = 0; i < 2; i++) {
        char *path;
        if (asprintf(&path, "%s%s", base, suffixes[i]) < 0)
            continue;
        disk_remove(path);
        free(path);
    }
}

/* A pack that is there already has the same objects: it stays, as it may be open elsewhere; unless
 * it is damaged. git takes a pack for whole once its index is there. */
static int publish_pack(const char *from, const char *to, struct error *e)
{
    int r;

    if (pack_file_is_good(to, NULL))
        return 0;
    remove_pack(to);
    r = move(from, to, ".pack", e);
    if (r == 0)
        r = move(from, to, ".idx", e);
    if (r < 0) /* half of it is nothing */
        remove_pack(to);
    return r;
}

static int publish_all(const char *from, const char *to, struct error *e)
{
    DIR *folder = opendir(from);
    struct dirent *entry;
    int r = 0, end = 0;

    if (!folder)
        return error_set(e, errno, "cannot read %s: %s", from, strerror(errno));
    while (r == 0 && (entry = folder_next(folder, &end))) {
        char *old, *new;

        if (!has_suffix(entry->d_name, ".pack"))
            continue;
        entry->d_name[strlen(entry->d_name) - strlen(".pack")] = '\0';
        old = disk_path(from, entry->d_name);
        new = disk_path(to, entry->d_name);
        r = old && new ? publish_pack(old, new, e) : error_no_memory(e);
        free(old);
        free(new);
    }
    if (r == 0 && end < 0)
        r = error_set(e, -end, "cannot read %s: %s", from, strerror(-end));
    closedir(folder);
    return r;
}

int incoming_publish(struct incoming *incoming, struct error *e)
{
    char *from = disk_path(incoming->folder, "pack");
    char *to = disk_path(incoming->repository->folder, "objects/pack");
    int r = from && to ? publish_all(from, to, e) : error_no_memory(e);

    if (r == 0)
        r = disk_sync_folder(to, e);
    free(from);
    free(to);
    return r;
}
