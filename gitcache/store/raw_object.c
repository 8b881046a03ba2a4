#include "gitcache/store/raw_object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/store/checked_packs.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/odb.h"
#include "gitcache/store/repository_state.h"

/* A failed read of an object: the cache is damaged, unless the cause is another. */
static int read_failed(const struct repository *repository, git_odb *odb, const struct oid *id,
                       int git_code, struct error *e)
{
    char hex[OID_HEX_SIZE], what[OID_HEX_SIZE + 20];
    struct error inner = {0};

    snprintf(what, sizeof what, "the object %s", oid_format(id, hex));
    /* The library says so, too, where it could not look for new packs. */
    if (git_code == GIT_ENOTFOUND && (git_code = git_odb_refresh(odb)) == 0)
        return error_set(e, EIO, "%s is missing in %s; fetch the version again", what,
                         repository->folder);
    if (library_read_error(&inner, git_code, what) != -EIO)
        return error_set(e, inner.errnum, "%s", inner.text);
    return error_set(e, EIO, "%s (in %s); fetch the version again", inner.text, repository->folder);
}

static int wrong_type(const struct repository *repository, const struct oid *id, git_object_t type,
                      struct error *e)
{
    char hex[OID_HEX_SIZE];

    return error_set(e, EIO, "the object %s in %s is no %s", oid_format(id, hex),
                     repository->folder, git_object_type2string(type));
}

int raw_object_read(struct repository *repository, const struct oid *id, git_object_t type,
                    git_odb_object **out, struct error *e)
{
    git_odb *odb;
    git_oid git_id;
    int r = odb_get(&odb, repository, e);

    if (r < 0)
        return r;
    library_oid_to_git(&git_id, id);
    r = git_odb_read(out, odb, &git_id);
    if (r < 0)
        r = read_failed(repository, odb, id, r, e);
    odb_put(repository);
    if (r == 0 && git_odb_object_type(*out) != type) {
        git_odb_object_free(*out);
        r = wrong_type(repository, id, type, e);
    }
    return r;
}

int raw_object_size(struct repository *repository, const struct oid *id, uint64_t *out,
                    struct error *e)
{
    git_object_t type;
    git_odb *odb;
    git_oid git_id;
    size_t size;
    int r = odb_get(&odb, repository, e);

    if (r < 0)
        return r;
    library_oid_to_git(&git_id, id);
    r = git_odb_read_header(&size, &type, odb, &git_id);
    if (r < 0)
        r = read_failed(repository, odb, id, r, e);
    else
        *out = size;
    odb_put(repository);
    return r;
}

int raw_object_sizes(struct repository *repository, const struct oid *ids, size_t count,
                     uint64_t *out, struct error *e)
{
    git_odb *odb;
    int r = odb_get(&odb, repository, e);

    if (r < 0)
        return r;
    checked_packs_sizes(odb, ids, count, out);
    odb_put(repository);
    for (size_t i = 0; i < count && r == 0; i++)
        if (out[i] == PACK_SIZES_UNKNOWN)
            r = raw_object_size(repository, &ids[i], &out[i], e);
    return r;
}

static int loose_blob(struct repository *repository, const struct oid *id, struct bytes *out,
                      struct error *e)
{
    git_odb_object *object;
    int r = raw_object_read(repository, id, GIT_OBJECT_BLOB, &object, e);

    if (r < 0)
        return r;
    out->size = git_odb_object_size(object);
    out->data = malloc(out->size + 1);
    if (out->data)
        memcpy(out->data, git_odb_object_data(object), out->size + 1);
    git_odb_object_free(object);
    return out->data ? 0 : error_no_memory(e);
}

int raw_object_blob(struct repository *repository, const struct oid *id, struct bytes *out,
                    struct error *e)
{
    struct error inner = {0};
    git_object_t type;
    git_odb *odb;
    int r = odb_get(&odb, repository, e);

    if (r < 0)
        return r;
    r = checked_packs_read(odb, id, &type, out, &inner);
    odb_put(repository);
    if (r == 0 && type == GIT_OBJECT_BLOB)
        return 0;
    if (r == -ENOENT)
        return loose_blob(repository, id, out, e);
    if (r == 0) {
        free(out->data);
        return wrong_type(repository, id, GIT_OBJECT_BLOB, e);
    }
    if (r == -EIO)
        return error_set(e, EIO, "%s; fetch the version again", inner.text);
    if (e)
        *e = inner;
    return r;
}

/* What is in no pack is in memory for a moment: we write no such objects, but others may. */
static int loose_to_file(struct repository *repository, const struct oid *id, int fd,
                         struct error *e)
{
    git_odb_object *object;
    int r = raw_object_read(repository, id, GIT_OBJECT_BLOB, &object, e);

    if (r < 0)
        return r;
    r = disk_write_all(fd, git_odb_object_data(object), git_odb_object_size(object));
    if (r < 0)
        error_set(e, -r, "cannot write a large file of %s: %s", repository->folder, strerror(-r));
    git_odb_object_free(object);
    return r;
}

int raw_object_to_file(struct repository *repository, const struct oid *id, uint64_t size, int fd,
                       const char *folder, const struct watch *watch, struct error *e)
{
    const struct pack_stream_request request = {.id = *id,
                                                .type = GIT_OBJECT_BLOB,
                                                .size = size,
                                                .fd = fd,
                                                .folder = folder,
                                                .watch = watch};
    struct error inner = {0};
    git_odb *odb;
    int r = odb_get(&odb, repository, e);

    if (r < 0)
        return r;
    r = checked_packs_write(odb, &request, &inner);
    odb_put(repository);
    if (r == -ENOENT)
        return loose_to_file(repository, id, fd, e);
    if (r == -EIO)
        return error_set(e, EIO, "%s; fetch the version again", inner.text);
    if (r < 0 && e)
        *e = inner;
    return r;
}

int raw_object_tree_of(struct repository *repository, const struct oid *id, struct oid *out,
                       struct error *e)
{
    struct error inner = {0};
    struct commit commit;
    git_odb *odb;
    int r = odb_get(&odb, repository, e);

    if (r < 0)
        return r;
    r = commit_load(odb, id, &commit, &inner);
    odb_put(repository);
    if (r == -EIO || r == -ENOENT)
        return error_set(e, EIO, "%s (in %s); fetch the version again", inner.text,
                         repository->folder);
    if (r < 0)
        return error_set(e, -r, "%s", inner.text);
    *out = commit.tree;
    return 0;
}
