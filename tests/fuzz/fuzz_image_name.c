/* fuzz_image_name.c - any text as a reference to an image: its parts lie in it, in their order. */
#include "manifest/image_name.h"
#include "tests/fuzz/pieces.h"

/* Where a part ends; where the one before it ended, if it is not there. */
static const char *end_of(const char *part, size_t length, const char *before, const char *end)
{
    if (length == 0)
        return before;
    if (part < before || part + length > end)
        abort();
    return part + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    struct image_name name;
    const char *why = NULL, *at, *end;

    if (!text)
        abort();
    at = text;
    end = text + strlen(text);
    if (image_name_parse(&name, text, &why)) {
        if (name.path_length == 0)
            abort();
        at = end_of(name.host, name.host_length, at, end);
        at = end_of(name.port, name.port_length, at, end);
        at = end_of(name.path, name.path_length, at, end);
        at = end_of(name.tag, name.tag_length, at, end);
        end_of(name.digest, name.digest_length, at, end);
    } else if (!why || !*why) {
        abort();
    }
    free(text);
    return 0;
}
