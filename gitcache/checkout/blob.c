#include "gitcache/checkout/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/checkout/attributes_at.h"
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
    if (r || !*attributes)
        return r;
    values = attribute_values_new(*attributes);
    if (!values)
        r = error_no_memory(e);
    else if (attributes_conversion(*attributes, values, path, budget, out))
        r = error_set(e, ECANCELED, "reading %s was cancelled", path);
    attribute_values_free(values);
    return r;
}

/* Replaces the bytes by what the conversion makes of them. */
static int convert(const struct version_reader *reader, const struct blob_request *request,
                   const struct conversion *conversion, struct budget *budget, struct bytes *bytes,
                   struct error *e)
{
    struct convert_input input = {bytes->data, bytes->size, &request->oid};
    struct output output = {.max = reader->max_file};
    int r = convert_bytes(&input, conversion, &output, budget);

    output.max = UINT64_MAX; /* the NUL does not count */
    if (!r)
        r = output_append(&output, "", 1);
    if (r)
        output_release(&output);
    if (r == -EFBIG)
        return too_large(reader, request->path, e);
    if (r == -ECANCELED)
        return error_set(e, ECANCELED, "reading %s was cancelled", request->path);
    if (r)
        return error_no_memory(e);
    free(bytes->data);
    *bytes = (struct bytes){output.data, output.size - 1};
    return 0;
}

int blob_read(const struct version_reader *reader, const struct blob_request *request,
              struct bytes *out, struct error *e)
{
    struct budget budget = {.watch = reader->watch};
    struct attributes *attributes = NULL;
    struct conversion conversion;
    int r = 0;

    if (request->size > reader->max_file)
        return too_large(reader, request->path, e);
    if (!conversion_unpack(&conversion, request->conversion))
        r = ask_attributes(reader, request->path, &budget, &attributes, &conversion, e);
    if (!r)
        r = raw_object_blob(reader->repository, &request->oid, out, e);
    if (!r && request->conversion) {
        r = convert(reader, request, &conversion, &budget, out, e);
        if (r)
            free(out->data);
    }
    if (!r)
        checkout_cache_count_read(reader->cache);
    attributes_put(attributes);
    return r;
}
