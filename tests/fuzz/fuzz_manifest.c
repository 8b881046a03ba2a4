/* fuzz_manifest.c - any bytes as a manifest: never a crash, and findings that can be printed.
 *
 * The first byte chooses the type, --strict and the source's tag; the rest is the manifest. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "manifest/inspect.h"
#include "manifest/manifest.h"

struct input {
    const uint8_t *bytes;
    size_t size;
};

static int walk(void *data, start_point_visit *visit, void *visitor)
{
    const struct input *input = data;
    static const struct {
        const char *path;
        enum path_kind kind;
        uint64_t size;
    } files[] = {
        {"a/cyber-dojo.sh", PATH_FILE, 1}, {"a/hiker.c", PATH_FILE, 25600},
        {"a/big", PATH_FILE, 25601},       {"a/link", PATH_SYMLINK, 4},
        {"b/c/d", PATH_FILE, 1},           {"e", PATH_SYMLINK, 4},
    };
    int r = visit(visitor, "a/manifest.json", PATH_FILE, input->size);
    for (size_t i = 0; r == 0 && i < sizeof(files) / sizeof(files[0]); i++)
        r = visit(visitor, files[i].path, files[i].kind, files[i].size);
    return r;
}

static int give(const void *from, size_t length, void **bytes, size_t *size)
{
    *size = length;
    *bytes = malloc(length ? length : 1); /* no byte more, so that a reader past the end is seen */
    if (!*bytes)
        return -ENOMEM;
    memcpy(*bytes, from, length);
    return 0;
}

static int read_file(void *data, const char *path, uint64_t max, void **bytes, size_t *size)
{
    const struct input *input = data;
    if (strcmp(path, "a/manifest.json") != 0)
        return give("../e/c/../..", strcmp(path, "e") == 0 ? 4 : 12, bytes, size);
    return input->size > max ? -EFBIG : give(input->bytes, input->size, bytes, size);
}

static void check_output(const struct manifest_list *list)
{
    char *text = findings_format(&list->findings), *json = findings_format_json(&list->findings);
    json_t *parsed = json ? json_loads(json, 0, NULL) : NULL;
    char *inspected = inspect_list(list), *images = inspect_images(list);
    if (!text || !parsed || json_array_size(parsed) != list->findings.count || !inspected ||
        !images)
        abort();
    for (const char *c = text; *c; c++) {
        if ((*c >= 0 && *c < ' ' && *c != '\n') || *c == 0x7f)
            abort();
    }
    json_decref(parsed);
    free(text);
    free(json);
    free(inspected);
    free(images);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct input input = {data + 1, size - 1};
    struct start_point_files files = {walk, read_file, &input};
    struct start_point start_point = {.source = "source",
                                      .url = "https://example.com/x",
                                      .tag = data[0] & 8 ? "3.7" : NULL,
                                      .files = &files};
    struct manifest_list list;
    manifest_list_init(&list, (enum start_point_type)(TYPE_LANGUAGES + data[0] % 3),
                       (data[0] & 4) != 0);
    /* Twice, so that display names meet. */
    if (manifest_list_add(&list, &start_point) < 0 || manifest_list_add(&list, &start_point) < 0 ||
        manifest_list_finish(&list) < 0)
        abort();
    check_output(&list);
    manifest_list_release(&list);
    return 0;
}
