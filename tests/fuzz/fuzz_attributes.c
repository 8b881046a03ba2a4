/* fuzz_attributes.c - any text as the .gitattributes of the root and of a folder; any path. */
#include "gitcache/checkout/attributes.h"
#include "tests/fuzz/pieces.h"

static struct attributes *parse(struct attributes *above, const char *folder, const char *text,
                                size_t size)
{
    struct attributes *attributes = NULL;
    struct budget budget = {.watch = NULL};
    struct error e = {0};
    char *block = malloc(size + 1); /* of its own, so that a step past its end is seen */

    if (!block)
        abort();
    memcpy(block, text, size);
    check_error(attributes_new(&attributes, above, folder, block, size, &budget, &e), &e);
    free(block);
    return attributes;
}

static uint8_t ask(const struct attributes *attributes, struct attribute_values *values,
                   const char *path)
{
    struct budget budget = {.watch = NULL};
    struct conversion conversion, unpacked;
    uint8_t packed;

    if (attributes_conversion(attributes, values, path, &budget, &conversion))
        abort();
    packed = conversion_pack(&conversion);
    if (packed >> CONVERSION_BITS ||
        conversion_unpack(&unpacked, packed) == (conversion.encoding != NULL) ||
        unpacked.eol != conversion.eol || unpacked.ident != conversion.ident)
        abort();
    return packed;
}

/* The first line is the path below "folder/", what follows a byte 0xff the folder's file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = text + size;
    const char *newline = memchr(text, '\n', size), *cut;
    struct attribute_values *values;
    struct attributes *root, *inner;
    char path[300] = "folder/";

    if (!newline || newline == text || newline - text > 250 || memchr(text, 0, size))
        return 0;
    memcpy(path + 7, text, (size_t)(newline - text));
    text = newline + 1;
    cut = memchr(text, 0xff, (size_t)(end - text));
    root = parse(NULL, "", text, (size_t)((cut ? cut : end) - text));
    inner = parse(root, "folder", cut ? cut + 1 : end, (size_t)(end - (cut ? cut + 1 : end)));
    values = attributes_values_new(inner);
    if (!values)
        abort();
    /* An earlier answer changes no later one. */
    uint8_t first = ask(inner, values, path);
    ask(root, values, path);
    ask(inner, values, "folder/other");
    if (ask(inner, values, path) != first)
        abort();
    attributes_values_free(values);
    attributes_put(root);
    attributes_put(inner);
    return 0;
}
