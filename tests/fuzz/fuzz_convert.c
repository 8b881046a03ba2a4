/* fuzz_convert.c - any bytes through any conversion: counted, in memory and through files alike. */
#include "gitcache/checkout/convert.h"
#include "tests/fuzz/pieces.h"

static void append_all(const struct content *content, char *out)
{
    if (content->data)
        memcpy(out, content->data, content->size);
    else if (pread(content->fd, out, content->size, 0) != (ssize_t)content->size)
        abort();
}

static char *run(const struct convert_input *input, const struct conversion *conversion,
                 const char *folder, size_t *size)
{
    const struct version_reader reader = {
        .max_file = 1 << 24, .spool_folder = folder, .spool_above = 16};
    struct budget budget = {.watch = NULL};
    struct output output;
    struct content content;
    char *bytes;

    output_init(&output, &reader);
    if (convert_bytes(input, conversion, &output, &budget) || output_finish(&output, &content))
        abort();
    *size = content.size;
    bytes = malloc(*size + 1);
    if (!bytes)
        abort();
    append_all(&content, bytes);
    content_release(&content);
    return bytes;
}

static uint64_t count(const struct convert_input *input, const struct conversion *conversion)
{
    const struct version_reader reader = {.max_file = 1 << 24};
    struct budget budget = {.watch = NULL};
    struct output output;
    uint64_t size;

    output_init(&output, &reader);
    output.counts_only = true;
    if (convert_bytes(input, conversion, &output, &budget))
        abort();
    size = output.size;
    output_release(&output);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const encodings[] = {NULL,     NULL,           NULL,          NULL,
                                            "UTF-16", "UTF-16LE-BOM", "ISO-2022-JP", "LATIN1"};
    struct conversion conversion;
    struct oid blob = {{1, 2, 3}};
    size_t memory_size, file_size;

    if (size < 1 || (data[0] & 3) == 3)
        return 0;
    conversion = (struct conversion){
        .eol = data[0] & 3,
        .ident = data[0] & 4,
        .in_one_piece = data[0] & 8,
        .encoding = encodings[data[0] >> 4 & 7],
    };
    char *bytes = malloc(size); /* a block of its own, without the first byte */
    if (!bytes)
        abort();
    memcpy(bytes, data + 1, size - 1);
    const struct convert_input input = {bytes, size - 1, false, &blob};
    char *memory = run(&input, &conversion, NULL, &memory_size);
    char *file = run(&input, &conversion, "/tmp", &file_size);
    if (memory_size != file_size || memcmp(memory, file, file_size) != 0 ||
        count(&input, &conversion) != memory_size)
        abort();
    if (!conversion_pack(&conversion) &&
        (memory_size != size - 1 || memcmp(memory, bytes, memory_size) != 0))
        abort();
    free(memory);
    free(file);
    free(bytes);
    return 0;
}
