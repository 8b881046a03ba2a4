#include "gitcache/checkout/objects.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gitcache/checkout/convert.h"
#include "gitcache/checkout/place.h"
#include "gitcache/store/raw_object.h"
#include "gitcache/store/raw_tree.h"

/* Of larger blobs nobody asks what the attributes make of them. */
#define MAX_CONVERTED ((uint64_t)1 << 30)

static bool name_is_shown(const char *name, size_t length)
{
    return length > 0 && length <= NAME_MAX && !memchr(name, '/', length) &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcasecmp(name, ".git") != 0;
}

static enum entry_kind kind_of_mode(uint32_t mode)
{
    if (mode_is_tree(mode))
        return ENTRY_TREE;
    if (mode_is_symlink(mode))
        return ENTRY_SYMLINK;
    if (mode_is_file(mode))
        return mode & 0100 ? ENTRY_EXECUTABLE : ENTRY_FILE;
    return ENTRY_SUBMODULE;
}

static bool is_file(enum entry_kind kind)
{
    return kind == ENTRY_FILE || kind == ENTRY_EXECUTABLE;
}

static int compare_entries(const void *a, const void *b)
{
    const struct tree_entry *x = a, *y = b;
    size_t shorter = x->name_length < y->name_length ? x->name_length : y->name_length;
    int order = memcmp(x->name, y->name, shorter);

    return order ? order : (x->name_length > y->name_length) - (x->name_length < y->name_length);
}

static int add_entry(struct tree *tree, const struct raw_entry *raw)
{
    struct tree_entry *entry;

    if (!name_is_shown(raw->name, raw->name_length))
        return 0;
    if ((tree->count & (tree->count - 1)) == 0) {
        size_t room = tree->count ? 2 * tree->count : 1;
        struct tree_entry *entries = reallocarray(tree->entries, room, sizeof *entries);
        if (!entries)
            return -ENOMEM;
        tree->entries = entries;
    }
    entry = &tree->entries[tree->count++];
    *entry = (struct tree_entry){
        .name = raw->name,
        .name_length = (uint16_t)raw->name_length,
        .kind = kind_of_mode(raw->mode),
        .oid = raw->oid,
    };
    return 0;
}

static void sort_and_drop_repeated(struct tree *tree)
{
    size_t kept = 0;

    if (tree->count == 0)
        return;
    qsort(tree->entries, tree->count, sizeof *tree->entries, compare_entries);
    for (size_t i = 1; i < tree->count; i++)
        if (compare_entries(&tree->entries[kept], &tree->entries[i]) != 0)
            tree->entries[++kept] = tree->entries[i];
    tree->count = kept + 1;
}

/* Parses the tree's bytes, which *out then owns. */
static int parse(struct repository *repository, const struct oid *id, struct tree *out,
                 struct error *e)
{
    git_odb_object *object;
    struct raw_entry entry;
    struct raw_tree raw;
    char hex[OID_HEX_SIZE];
    size_t size;
    int r = raw_object_read(repository, id, GIT_OBJECT_TREE, &object, e), next = 0;

    if (r)
        return r;
    size = git_odb_object_size(object);
    out->bytes = malloc(size + 1);
    if (out->bytes)
        memcpy(out->bytes, git_odb_object_data(object), size);
    git_odb_object_free(object);
    if (!out->bytes)
        return error_no_memory(e);
    raw.at = out->bytes;
    raw.end = raw.at + size;
    while (!r && (next = raw_tree_next(&raw, &entry)) > 0)
        r = add_entry(out, &entry);
    if (r)
        return error_no_memory(e);
    if (next < 0)
        return error_set(e, EIO, "the tree %s in %s is damaged", oid_format(id, hex),
                         repository_folder(repository));
    sort_and_drop_repeated(out);
    return 0;
}

static int converted_size(struct repository *repository, const struct conversion *conversion,
                          struct tree_entry *entry, struct error *e)
{
    struct bytes bytes;
    int r = raw_object_blob(repository, &entry->oid, &bytes, e);

    if (r)
        return r;
    r = convert(&bytes, conversion) ? error_no_memory(e) : 0;
    entry->size = bytes.size;
    free(bytes.data);
    return r;
}

static char *join(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    char *path = malloc(length + strlen(name) + 2);

    if (!path)
        return NULL;
    memcpy(path, folder, length);
    if (length)
        path[length++] = '/';
    strcpy(path + length, name);
    return path;
}

static int find_sizes(struct repository *repository, struct tree *tree,
                      struct attributes *attributes, const char *folder, struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < tree->count && !r; i++) {
        struct tree_entry *entry = &tree->entries[i];
        struct conversion conversion;
        char *path;

        if (!is_file(entry->kind) && entry->kind != ENTRY_SYMLINK)
            continue;
        r = raw_object_size(repository, &entry->oid, &entry->size, e);
        if (r || !attributes || !is_file(entry->kind) || entry->size > MAX_CONVERTED)
            continue;
        path = join(folder, entry->name);
        if (!path)
            return error_no_memory(e);
        conversion = attributes_conversion(attributes, path);
        free(path);
        if (!conversion_is_none(&conversion))
            r = converted_size(repository, &conversion, entry, e);
    }
    return r;
}

static bool has_attributes_file(const struct tree *tree)
{
    const struct tree_entry key = {
        .name = ATTRIBUTES_FILE,
        .name_length = sizeof ATTRIBUTES_FILE - 1,
    };
    const struct tree_entry *found = NULL;

    if (tree->count)
        found = bsearch(&key, tree->entries, tree->count, sizeof key, compare_entries);
    return found && is_file(found->kind);
}

int tree_read(struct repository *repository, const struct oid *id, const struct place *place,
              struct tree *out, struct error *e)
{
    struct attributes attributes = {.files = NULL};
    struct tree tree = {.entries = NULL};
    uint32_t mode;
    int r = parse(repository, id, &tree, e);

    if (!r) {
        tree.attributes = place->attributes || has_attributes_file(&tree);
        if (tree.attributes)
            r = place_attributes(repository, place, true, &attributes, &mode, e);
    }
    if (!r)
        r = find_sizes(repository, &tree, attributes.file_count ? &attributes : NULL, place->path,
                       e);
    attributes_release(&attributes);
    if (r)
        tree_release(&tree);
    else
        *out = tree;
    return r;
}

void tree_release(struct tree *tree)
{
    free(tree->entries);
    free(tree->bytes);
    *tree = (struct tree){.entries = NULL};
}

static int convert_blob(struct repository *repository, const struct place *place,
                        struct bytes *bytes, struct error *e)
{
    struct attributes attributes;
    struct conversion conversion;
    uint32_t mode = 0;
    int r = place_attributes(repository, place, false, &attributes, &mode, e);

    if (r)
        return r;
    if (attributes.file_count && mode_is_file(mode)) {
        conversion = attributes_conversion(&attributes, place->path);
        r = convert(bytes, &conversion) ? error_no_memory(e) : 0;
    }
    attributes_release(&attributes);
    return r;
}

int blob_read(struct repository *repository, const struct oid *blob, const struct place *place,
              uint64_t max_size, void **out, size_t *size, struct error *e)
{
    struct bytes bytes;
    uint64_t raw_size;
    int r = raw_object_size(repository, blob, &raw_size, e);

    if (r)
        return r;
    if (raw_size > max_size)
        return error_set(e, EFBIG, "%s has %llu bytes, more than max_file (%llu)", place->path,
                         (unsigned long long)raw_size, (unsigned long long)max_size);
    r = raw_object_blob(repository, blob, &bytes, e);
    if (r)
        return r;
    if (place->attributes && raw_size <= MAX_CONVERTED)
        r = convert_blob(repository, place, &bytes, e);
    if (r) {
        free(bytes.data);
        return r;
    }
    *out = bytes.data;
    *size = bytes.size;
    return 0;
}
