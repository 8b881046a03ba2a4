#include "gitcache/store/incoming.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/repository_state.h"

#define INCOMING_FOLDER "startpointfs-incoming"

/* The indexer maps its file anew each time it is given something: give it much at a time. */
#define BUFFER_SIZE ((size_t)256 << 10)

static int open_odb(struct incoming *incoming, struct error *e)
{
    char *objects = disk_path(incoming->repository->folder, "objects");
    int r;

    if (!objects)
        return error_no_memory(e);
    r = checked_odb_open(&incoming->odb, incoming->repository->cache, incoming->folder, e);
    if (!r)
        r = checked_odb_add(incoming->odb, incoming->repository->cache, objects, e);
    free(objects);
    return r;
}

int incoming_open(struct incoming *out, struct repository *repository, struct error *e)
{
    char *packs = NULL;
    int r;

    *out = (struct incoming){.repository = repository};
    out->folder = disk_path(repository->folder, INCOMING_FOLDER);
    packs = out->folder ? disk_path(out->folder, "pack") : NULL;
    if (!packs) {
        r = error_no_memory(e);
    } else {
        /* The lock is ours, so whatever is there was left by a process that died. */
        disk_remove(out->folder);
        r = disk_make_folders(packs, e);
    }
    if (!r)
        r = open_odb(out, e);
    free(packs);
    if (r)
        incoming_close(out);
    return r;
}

void incoming_close(struct incoming *incoming)
{
    git_odb_free(incoming->odb);
    if (incoming->folder)
        disk_remove(incoming->folder);
    free(incoming->folder);
    *incoming = (struct incoming){.repository = NULL};
}

/* Between the remote and libgit2's indexer. */
struct reception {
    git_indexer *indexer;
    git_indexer_progress progress;
    const char *shown;
    char *buffer;
    size_t used;   /* bytes in it */
    uint64_t size; /* bytes received */
    struct error *e;
};

/* The pack is bad, unless it was the disk that failed. */
static int indexer_failed(struct reception *reception, int git_code)
{
    const git_error *error = git_error_last();

    if (error && error->klass == GIT_ERROR_OS)
        return library_error(reception->e, git_code, "can't write the pack that %s sent",
                             reception->shown);
    return library_error(reception->e, git_code, "%s sent a damaged pack", reception->shown);
}

static int flush(struct reception *reception)
{
    int r;

    r = git_indexer_append(reception->indexer, reception->buffer, reception->used,
                           &reception->progress);
    reception->used = 0;
    return r ? indexer_failed(reception, r) : 0;
}

static int receive_bytes(void *data, const void *bytes, size_t size)
{
    struct reception *reception = data;

    reception->size += size;
    while (size > 0) {
        size_t room = BUFFER_SIZE - reception->used, n = size < room ? size : room;

        memcpy(reception->buffer + reception->used, bytes, n);
        reception->used += n;
        bytes = (const char *)bytes + n;
        size -= n;
        if (reception->used == BUFFER_SIZE) {
            int r = flush(reception);
            if (r)
                return r;
        }
    }
    return 0;
}

static int finish(struct reception *reception)
{
    int r;

    if (reception->size == 0)
        return error_set(reception->e, EIO, "%s sent no pack", reception->shown);
    r = flush(reception);
    if (r)
        return r;
    r = git_indexer_commit(reception->indexer, &reception->progress);
    return r ? indexer_failed(reception, r) : 0;
}

int incoming_receive(struct incoming *incoming, struct remote *remote,
                     const struct fetch_command_request *request, const struct watch *watch,
                     struct error *e)
{
    struct reception reception = {
        .shown = incoming->repository->shown,
        .e = e,
    };
    char *packs = disk_path(incoming->folder, "pack");
    int r;

    reception.buffer = malloc(BUFFER_SIZE);
    if (!packs || !reception.buffer) {
        free(packs);
        free(reception.buffer);
        return error_no_memory(e);
    }
    /* No odb: each pack must be whole in itself. */
    r = git_indexer_new(&reception.indexer, packs, 0444, NULL, NULL);
    if (r) {
        r = library_error(e, r, "can't write a pack in %s", packs);
    } else {
        r = remote_fetch(remote, incoming->repository->url, request, receive_bytes, &reception,
                         watch, e);
        if (!r)
            r = finish(&reception);
    }
    git_indexer_free(reception.indexer);
    free(reception.buffer);
    free(packs);
    if (!r && git_odb_refresh(incoming->odb))
        r = error_set(e, EIO, "can't read the pack that %s sent", reception.shown);
    return r;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t length = strlen(name), suffix_length = strlen(suffix);
    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

/* Moves what ends so. A pack that is there already has the same objects: it stays, as it may be
 * open elsewhere. */
static int move_all(const char *from, const char *to, const char *suffix, struct error *e)
{
    DIR *folder = opendir(from);
    struct dirent *entry;
    int r = 0;

    if (!folder)
        return error_set(e, errno, "can't read %s: %s", from, strerror(errno));
    while (!r && (entry = readdir(folder))) {
        char *old, *new;

        if (!has_suffix(entry->d_name, suffix))
            continue;
        old = disk_path(from, entry->d_name);
        new = disk_path(to, entry->d_name);
        if (!old || !new)
            r = error_no_memory(e);
        else if (access(new, F_OK) && rename(old, new))
            r = error_set(e, errno, "can't move a pack to %s: %s", new, strerror(errno));
        free(old);
        free(new);
    }
    closedir(folder);
    return r;
}

int incoming_publish(struct incoming *incoming, struct error *e)
{
    char *from = disk_path(incoming->folder, "pack");
    char *to = disk_path(incoming->repository->folder, "objects/pack");
    int r;

    if (!from || !to)
        r = error_no_memory(e);
    else /* git takes a pack for whole once its index is there */
        r = move_all(from, to, ".pack", e);
    if (!r)
        r = move_all(from, to, ".idx", e);
    if (!r)
        r = disk_sync_folder(to, e);
    free(from);
    free(to);
    return r;
}
