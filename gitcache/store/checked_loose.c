#include "gitcache/store/checked_loose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/library.h"
#include "gitcache/base/regular.h"
#include "gitcache/store/object_hash.h"

struct checked_loose {
    git_odb_backend parent; /* first, so that a pointer to it is one to this */
    git_odb_backend *loose; /* libgit2's own */
    char *objects;
};

static struct checked_loose *loose_of(git_odb_backend *backend)
{
    return (struct checked_loose *)backend;
}

/* Objects are in folders that the first two digits of their ids name. 1, 0, or GIT_ERROR where nobody could
 * look: that is not "it is not there". */
static int look_for(const struct checked_loose *loose, const git_oid *id)
{
    char hex[OID_HEX_SIZE], *path;
    struct oid oid;
    bool there;

    library_oid_from_git(&oid, id);
    oid_format(&oid, hex);
    if (asprintf(&path, "%s/%.2s/%s", loose->objects, hex, hex + 2) < 0) {
        git_error_set_oom();
        return GIT_ERROR;
    }
    there = regular_is(path);
    free(path);
    return there;
}

static int backend_read(void **bytes, size_t *size, git_object_t *type, git_odb_backend *backend,
                        const git_oid *id)
{
    struct checked_loose *loose = loose_of(backend);
    int r = look_for(loose, id);

    if (r == 0)
        r = GIT_ENOTFOUND;
    else if (r > 0)
        r = loose->loose->read(bytes, size, type, loose->loose, id);
    if (r < 0 || object_hash_fits(id, *type, *bytes, *size))
        return r;
    git_odb_backend_data_free(loose->loose, *bytes);
    git_error_set_str(GIT_ERROR_ODB, "its hash does not fit");
    return GIT_ERROR;
}

static int backend_read_header(size_t *size, git_object_t *type, git_odb_backend *backend,
                               const git_oid *id)
{
    void *bytes;
    int r = backend_read(&bytes, size, type, backend, id);

    if (r == 0)
        git_odb_backend_data_free(backend, bytes);
    return r;
}

static int backend_exists(git_odb_backend *backend, const git_oid *id)
{
    return look_for(loose_of(backend), id) > 0;
}

static int backend_foreach(git_odb_backend *backend, git_odb_foreach_cb visit, void *data)
{
    struct checked_loose *loose = loose_of(backend);
    return loose->loose->foreach(loose->loose, visit, data);
}

static void backend_free(git_odb_backend *backend)
{
    struct checked_loose *loose = loose_of(backend);

    if (loose->loose)
        loose->loose->free(loose->loose);
    free(loose->objects);
    free(loose);
}

int checked_loose_new(git_odb_backend **out, const char *objects, struct error *e)
{
    struct checked_loose *loose = calloc(1, sizeof *loose);

    if (!loose)
        return error_no_memory(e);
    git_odb_init_backend(&loose->parent, GIT_ODB_BACKEND_VERSION);
    loose->parent.read = backend_read;
    loose->parent.read_header = backend_read_header;
    loose->parent.exists = backend_exists;
    loose->parent.foreach = backend_foreach;
    loose->parent.free = backend_free;
    loose->objects = strdup(objects);
    if (!loose->objects || git_odb_backend_loose(&loose->loose, objects, -1, 0, 0, 0)) {
        backend_free(&loose->parent);
        return error_no_memory(e);
    }
    *out = &loose->parent;
    return 0;
}
