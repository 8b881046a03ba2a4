#include "gitcache/checkout/blob_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gitcache/base/spool.h"
#include "gitcache/store/raw_object.h"

int blob_source_spool(const struct version_reader *reader, const struct oid *blob, uint64_t size,
                      struct error *e)
{
    int fd = spool_open(reader->spool_folder, e), r;

    if (fd < 0)
        return fd;
    checkout_cache_count_read(reader->cache);
    r = raw_object_to_file(reader->repository, blob, size, fd, reader->spool_folder, reader->watch,
                           e);
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

static int map(struct blob_source *out, const struct version_reader *reader, struct error *e)
{
    void *mapped = mmap(NULL, out->size, PROT_READ, MAP_SHARED, out->fd, 0);
    int errnum = errno;

    if (mapped == MAP_FAILED)
        return error_set(e, errnum, "cannot map a large file of %s: %s",
                         repository_folder(reader->repository), strerror(errnum));
    out->data = mapped;
    return 0;
}

int blob_source_open(struct blob_source *out, const struct version_reader *reader,
                     const struct oid *blob, uint64_t size, struct error *e)
{
    struct bytes bytes;
    int r;

    *out = (struct blob_source){.fd = -1};
    if (size > reader->spool_above && reader->spool_folder) {
        out->size = (size_t)size;
        out->fd = blob_source_spool(reader, blob, size, e);
        r = out->fd < 0 ? out->fd : map(out, reader, e);
        if (r < 0)
            blob_source_close(out);
        return r;
    }
    r = raw_object_blob(reader->repository, blob, &bytes, e);
    if (r < 0)
        return r;
    checkout_cache_count_read(reader->cache);
    out->data = out->owned = bytes.data;
    out->size = bytes.size;
    return 0;
}

void blob_source_close(struct blob_source *source)
{
    if (source->fd >= 0) {
        if (source->data)
            munmap((void *)source->data, source->size);
        close(source->fd);
    } else {
        free(source->owned);
    }
    *source = (struct blob_source){.fd = -1};
}
