#include "gitcache/store/checked_loose.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "gitcache/base/bytes.h"
#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/base/regular.h"
#include "gitcache/store/object_hash.h"

struct checked_loose {
    git_odb_backend parent; /* first, so that a pointer to it is one to this */
    git_odb_backend *loose; /* libgit2's own, which knows what there is */
    char *objects;
};

static struct checked_loose *loose_of(git_odb_backend *backend)
{
    return (struct checked_loose *)backend;
}

/* Objects are in folders that the first two digits of their ids name. NULL: out of memory. */
static char *path_of(const struct checked_loose *loose, const git_oid *id)
{
    char hex[OID_HEX_SIZE], *path;
    struct oid oid;

    library_oid_from_git(&oid, id);
    oid_format(&oid, hex);
    return asprintf(&path, "%s/%.2s/%s", loose->objects, hex, hex + 2) < 0 ? NULL : path;
}

static bool is_there(const struct checked_loose *loose, const git_oid *id)
{
    char *path = path_of(loose, id);
    bool there = path && regular_is(path);

    free(path);
    return there;
}

/* ---- one object ---- */

/* libgit2's own reader does not end where a file is cut short: so its bytes are unpacked here. The type
 * as a word, a space, the size in digits and a NUL stand before them. */
#define HEADER_ROOM 64
#define MAX_FILE    (UINT64_C(2) << 30)
#define MAX_RATIO   1100 /* more than zlib can make of a byte */
#define MAX_STEP    ((size_t)1 << 30)

struct loose_object {
    git_object_t type;
    size_t size;
    char *bytes; /* libgit2's to free */
};

static int damaged(const char *what)
{
    git_error_set_str(GIT_ERROR_ODB, what);
    return GIT_ERROR;
}

/* No descriptors, say: it may be sound. library_error knows the errno by its words. */
static int unread(int errnum)
{
    char text[200];

    snprintf(text, sizeof text, "its file cannot be read: %s", strerror(errnum));
    git_error_set_str(GIT_ERROR_OS, text);
    return GIT_ERROR;
}

/* The whole file. */
static int read_file(const struct checked_loose *loose, const git_oid *id, struct bytes *out)
{
    char *path = path_of(loose, id);
    struct stat st;
    int fd = path ? regular_open(path, O_RDONLY, &st, NULL) : -ENOMEM, r = fd < 0 ? fd : 0;

    if (fd >= 0)
        r = disk_read_all(fd, MAX_FILE, &out->data, &out->size);
    if (fd >= 0)
        close(fd);
    free(path);
    if (fd == -EIO || fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR)
        return GIT_ENOTFOUND; /* what is no plain file is no object */
    if (r == -ENOMEM) {
        git_error_set_oom();
        return GIT_ERROR;
    }
    return r < 0 ? unread(-r) : 0;
}

/* Bytes that the header takes, with its NUL; 0: it is none. */
static size_t parse_header(const char *text, size_t length, struct loose_object *out)
{
    const char *end = memchr(text, '\0', length), *space = memchr(text, ' ', length);
    char type[16], *digits_end;

    if (!end || !space || space > end || (size_t)(space - text) >= sizeof type || space[1] < '0' ||
        space[1] > '9')
        return 0;
    memcpy(type, text, (size_t)(space - text));
    type[space - text] = '\0';
    out->type = git_object_string2type(type);
    out->size = strtoull(space + 1, &digits_end, 10);
    return digits_end == end && git_object_typeisloose(out->type) ? (size_t)(end - text) + 1 : 0;
}

/* Inflates until the room is full or the stream has ended; what came. */
static size_t inflate_into(z_stream *stream, int *z, char *out, size_t room)
{
    size_t left = room;

    stream->next_out = (unsigned char *)out;
    while (*z == Z_OK && left > 0) {
        uInt step = (uInt)(left < MAX_STEP ? left : MAX_STEP);

        stream->avail_out = step;
        *z = inflate(stream, Z_NO_FLUSH);
        left -= step - stream->avail_out;
        if (*z == Z_OK && stream->avail_out == step) /* no more comes: it is cut short */
            break;
    }
    return room - left;
}

static int unpack(git_odb_backend *backend, const struct bytes *file, z_stream *stream,
                  struct loose_object *out)
{
    char header[HEADER_ROOM], end[1];
    int z = Z_OK;
    size_t got = inflate_into(stream, &z, header, sizeof header);
    size_t taken = parse_header(header, got, out);

    if (!taken || out->size > file->size * MAX_RATIO)
        return damaged("it has no valid header");
    out->bytes = git_odb_backend_data_alloc(backend, out->size + 1);
    if (!out->bytes) {
        git_error_set_oom();
        return GIT_ERROR;
    }
    got -= taken;
    if (got <= out->size)
        memcpy(out->bytes, header + taken, got);
    if (got < out->size)
        got += inflate_into(stream, &z, out->bytes + got, out->size - got);
    if (z == Z_OK) /* the end of the stream may still have to be read */
        got += inflate_into(stream, &z, end, sizeof end);
    out->bytes[out->size] = '\0';
    return z == Z_STREAM_END && got == out->size ? 0 : damaged("it cannot be inflated");
}

static int inflate_object(git_odb_backend *backend, const struct bytes *file,
                          struct loose_object *out)
{
    z_stream stream = {.next_in = (unsigned char *)file->data, .avail_in = (uInt)file->size};
    int r;

    if (inflateInit(&stream) != Z_OK) {
        git_error_set_oom();
        return GIT_ERROR;
    }
    r = unpack(backend, file, &stream, out);
    inflateEnd(&stream);
    return r;
}

static int backend_read(void **bytes, size_t *size, git_object_t *type, git_odb_backend *backend,
                        const git_oid *id)
{
    struct loose_object object = {.bytes = NULL};
    struct bytes file = {NULL, 0};
    int r = read_file(loose_of(backend), id, &file);

    if (r == 0)
        r = inflate_object(backend, &file, &object);
    free(file.data);
    if (r == 0 && !object_hash_fits(id, object.type, object.bytes, object.size))
        r = damaged("its hash does not match");
    if (r < 0 && object.bytes)
        git_odb_backend_data_free(backend, object.bytes);
    if (r < 0)
        return r;
    *bytes = object.bytes;
    *size = object.size;
    *type = object.type;
    return 0;
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
    return is_there(loose_of(backend), id);
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
