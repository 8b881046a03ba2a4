#include "gitcache/checkout/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/checkout/attributes_at.h"
#include "gitcache/checkout/blob_source.h"
#include "gitcache/checkout/convert.h"
#include "gitcache/store/raw_object.h"

static int too_large(const struct version_reader *reader, const char *path, struct error *e)
{
    return error_set(e, EFBIG, "%s has more bytes than max_file allows (%llu)", path,
                     (unsigned long long)reader->max_file);
}

/* The attributes tell once more, for the name of the encoding. They have to be put. */
static int ask_attributes(const struct version_reader *reader, const char *path,
                          struct budget *budget, struct attributes **attributes,
                          struct conversion *out, struct error *e)
{
    const char *slash = strrchr(path, '/');
    char *folder = strndup(path, slash ? (size_t)(slash - path) : 0);
    struct attribute_values *values = NULL;
    int r = folder ? attributes_at(reader, folder, budget, attributes, e) : error_no_memory(e);

    free(folder);
    if (r < 0 || !*attributes)
        return r;
    values = attributes_values_new(*attributes);
    if (!values)
        r = error_no_memory(e);
    else if (attributes_conversion(*attributes, values, path, budget, out))
        r = error_set(e, ECANCELED, "reading %s was cancelled", path);
    attributes_values_free(values);
    return r;
}

static int conversion_failed(const struct version_reader *reader, const char *path, int r,
                             struct error *e)
{
    switch (r) {
    case -EFBIG:
        return too_large(reader, path, e);
    case -ECANCELED:
        return error_set(e, ECANCELED, "reading %s was cancelled", path);
    case -ENOMEM:
        return error_no_memory(e);
    default:
        return error_set(e, -r, "cannot write a temporary file in %s: %s", reader->spool_folder,
                         strerror(-r));
    }
}

static int read_converted(const struct version_reader *reader, const struct blob_request *request,
                          const struct conversion *conversion, struct budget *budget,
                          struct content *out, struct error *e)
{
    struct blob_source source;
    struct output output;
    uint64_t size = request->size; /* and the blob has no more */
    int r = 0;

    if (!conversion_is_cheap(request->conversion) || size > reader->spool_above)
        r = raw_object_size(reader->repository, &request->oid, &size, e);
    if (r < 0)
        return r;
    r = blob_source_open(&source, reader, &request->oid, size, e);
    if (r < 0)
        return r;
    const struct convert_input input = {source.data, source.size, source.fd >= 0, &request->oid};
    output_init(&output, reader);
    r = convert_bytes(&input, conversion, &output, budget);
    if (r == 0)
        r = output_finish(&output, out);
    output_release(&output);
    blob_source_close(&source);
    return r ? conversion_failed(reader, request->path, r, e) : 0;
}

/* As it is stored, which nearly all are. */
static int read_plain(const struct version_reader *reader, const struct blob_request *request,
                      struct content *out, struct error *e)
{
    struct bytes bytes;
    int r;

    if (request->size > reader->spool_above && reader->spool_folder) {
        int fd = blob_source_spool(reader, &request->oid, request->size, e);

        *out = (struct content){.size = (size_t)request->size, .fd = fd};
        return fd < 0 ? fd : 0;
    }
    checkout_cache_count_read(reader->cache);
    r = raw_object_blob(reader->repository, &request->oid, &bytes, e);
    if (r == 0)
        *out = (struct content){bytes.data, bytes.size, -1};
    return r;
}

int blob_read(const struct version_reader *reader, const struct blob_request *request,
              struct content *out, struct error *e)
{
    struct budget budget = {.watch = reader->watch};
    struct attributes *attributes = NULL;
    struct conversion conversion;
    int r = 0;

    if (request->size > reader->max_file)
        return too_large(reader, request->path, e);
    if (!request->conversion)
        return read_plain(reader, request, out, e);
    if (!conversion_unpack(&conversion, request->conversion))
        r = ask_attributes(reader, request->path, &budget, &attributes, &conversion, e);
    if (r == 0)
        r = read_converted(reader, request, &conversion, &budget, out, e);
    attributes_put(attributes);
    return r;
}

int blob_size(struct repository *repository, const struct oid *id, uint64_t *out, struct error *e)
{
    return raw_object_size(repository, id, out, e);
}
