#include "gitcache/incoming.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/disk.h"
#include "gitcache/library.h"

#define INCOMING_FOLDER "startpointfs-incoming"

/* Disk is reserved in steps, which double up to the largest. */
#define FIRST_STEP ((off_t)64 << 10)
#define LAST_STEP  ((off_t)16 << 20)

static int open_odb(struct incoming *incoming, struct error *e)
{
    char *objects = disk_path(incoming->repository->folder, "objects");
    int r;

    if (!objects)
        return error_set(e, ENOMEM, "out of memory");
    r = git_odb_open(&incoming->odb, incoming->folder);
    if (!r)
        r = git_odb_add_disk_alternate(incoming->odb, objects);
    free(objects);
    return r ? error_git(e, r, "can't open the objects of %s", incoming->repository->folder) : 0;
}

int incoming_open(struct incoming *out, struct repository *repository, struct error *e)
{
    char *packs = NULL;
    int r;

    *out = (struct incoming){.repository = repository};
    out->folder = disk_path(repository->folder, INCOMING_FOLDER);
    packs = out->folder ? disk_path(out->folder, "pack") : NULL;
    if (!packs) {
        r = error_set(e, ENOMEM, "out of memory");
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
    const char *shown, *packs;
    int fd;     /* the indexer's temporary file; -1 until it is known, or where reserving fails */
    off_t size; /* bytes received */
    off_t reserved; /* bytes of disk that are ours */
    struct error *e;
};

static bool is_pack_in_the_making(const char *name)
{
    return name[0] != '.' && !strstr(name, ".idx");
}

static int open_temporary(const char *packs)
{
    DIR *folder = opendir(packs);
    struct dirent *entry;
    int fd = -1;

    while (folder && fd < 0 && (entry = readdir(folder)))
        if (is_pack_in_the_making(entry->d_name) && !strstr(entry->d_name, ".pack"))
            fd = openat(dirfd(folder), entry->d_name, O_WRONLY | O_CLOEXEC);
    if (folder)
        closedir(folder);
    return fd;
}

/*
 * libgit2 lengthens its file and writes through a memory map: on a full disk that is a SIGBUS, not
 * an ENOSPC. So the disk is reserved before the indexer uses it. Where a file system can't
 * reserve, we go without.
 */
static int reserve(struct reception *reception, size_t more)
{
    off_t need = reception->size + (off_t)more, step = FIRST_STEP;

    if (reception->fd < 0 || need <= reception->reserved)
        return 0;
    while (step < LAST_STEP && step < need)
        step *= 2;
    need += step;
    if (fallocate(reception->fd, FALLOC_FL_KEEP_SIZE, reception->reserved,
                  need - reception->reserved) == 0) {
        reception->reserved = need;
        return 0;
    }
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        return error_set(reception->e, errno, "no room for a pack of %s in %s: %s",
                         reception->shown, reception->packs, strerror(errno));
    close(reception->fd);
    reception->fd = -1;
    return 0;
}

static int receive_bytes(void *data, const void *bytes, size_t size)
{
    struct reception *reception = data;
    int r = reserve(reception, size);

    if (r)
        return r;
    r = git_indexer_append(reception->indexer, bytes, size, &reception->progress);
    if (r)
        return error_git(reception->e, r, "%s sent a damaged pack", reception->shown);
    reception->size += (off_t)size;
    return 0;
}

static int finish(struct reception *reception)
{
    int r;

    if (reception->size == 0)
        return error_set(reception->e, EIO, "%s sent no pack", reception->shown);
    r = git_indexer_commit(reception->indexer, &reception->progress);
    return r ? error_git(reception->e, r, "%s sent a damaged pack", reception->shown) : 0;
}

int incoming_receive(struct incoming *incoming, struct remote *remote,
                     const struct remote_request *request, const struct remote_watch *watch,
                     struct error *e)
{
    struct reception reception = {
        .shown = incoming->repository->shown,
        .fd = -1,
        .e = e,
    };
    char *packs = disk_path(incoming->folder, "pack");
    int r;

    if (!packs)
        return error_set(e, ENOMEM, "out of memory");
    reception.packs = packs;
    /* No odb: each pack must be whole in itself. */
    r = git_indexer_new(&reception.indexer, packs, 0444, NULL, NULL);
    if (r) {
        r = error_git(e, r, "can't write a pack in %s", packs);
    } else {
        reception.fd = open_temporary(packs);
        r = remote_fetch(remote, incoming->repository->url, request, receive_bytes, &reception,
                         watch, e);
        if (!r)
            r = finish(&reception);
    }
    if (reception.fd >= 0)
        close(reception.fd);
    git_indexer_free(reception.indexer);
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
            r = error_set(e, ENOMEM, "out of memory");
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
        r = error_set(e, ENOMEM, "out of memory");
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
