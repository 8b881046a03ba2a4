#include "gitcache/checkout/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gitcache/checkout/attributes_at.h"
#include "gitcache/checkout/blob_source.h"
#include "gitcache/checkout/convert.h"
#include "gitcache/store/raw_object.h"
#include "gitcache/store/raw_tree.h"

/* About what finding a file's size in the store takes, in steps of a budget. */
#define STEPS_A_SIZE  20000
#define SIZES_AT_ONCE 32 /* half a budget */

static bool name_is_shown(const char *name, size_t length)
{
    return length > 0 && length <= NAME_MAX && !memchr(name, '/', length) &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcasecmp(name, ".git") != 0;
}

static enum entry_kind kind_of_mode(uint32_t mode)
{
    if (raw_tree_mode_is_tree(mode))
        return ENTRY_TREE;
    if (raw_tree_mode_is_symlink(mode))
        return ENTRY_SYMLINK;
    if (raw_tree_mode_is_file(mode))
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
static int parse(const struct version_reader *reader, const struct oid *id, struct tree *out,
                 struct error *e)
{
    git_odb_object *object;
    struct raw_entry entry;
    struct raw_tree raw;
    char hex[OID_HEX_SIZE];
    size_t size;
    int r = raw_object_read(reader->repository, id, GIT_OBJECT_TREE, &object, e), next = 0;

    if (r < 0)
        return r;
    checkout_cache_count_read(reader->cache);
    size = git_odb_object_size(object);
    out->bytes = malloc(size + 1);
    if (out->bytes)
        memcpy(out->bytes, git_odb_object_data(object), size);
    git_odb_object_free(object);
    if (!out->bytes)
        return error_no_memory(e);
    raw.at = out->bytes;
    raw.end = raw.at + size;
    while (r == 0 && (next = raw_tree_next(&raw, &entry)) > 0)
        r = add_entry(out, &entry);
    if (r < 0)
        return error_no_memory(e);
    if (next < 0)
        return error_set(e, EIO, "the tree %s in %s is damaged", oid_format(id, hex),
                         repository_folder(reader->repository));
    sort_and_drop_repeated(out);
    return 0;
}

/* What is at hand while the files of one folder are looked at. */
struct folder {
    const struct version_reader *reader;
    const char *path;
    struct budget budget;
    struct attributes *attributes; /* NULL: they change nothing here */
    struct attribute_values *values;
};

static int cancelled(const struct folder *folder, struct error *e)
{
    return error_set(e, ECANCELED, "reading the folder '%s' was cancelled", folder->path);
}

static int convert_size(struct folder *folder, const struct conversion *conversion,
                        struct tree_entry *entry, struct error *e)
{
    const struct version_reader *reader = folder->reader;
    struct blob_source source;
    struct output output;
    int r = blob_source_open(&source, reader, &entry->oid, entry->size, e);

    if (r < 0)
        return r;
    const struct convert_input input = {source.data, source.size, source.fd >= 0, &entry->oid};
    output_init(&output, reader);
    output.counts_only = true;
    r = convert_bytes(&input, conversion, &output, &folder->budget);
    blob_source_close(&source);
    if (r == -ECANCELED)
        return cancelled(folder, e);
    if (r < 0 && r != -EFBIG) /* nobody will get to see those bytes */
        return error_set(e, -r, "cannot convert %s: %s", entry->name, strerror(-r));
    if (r == 0)
        entry->size = output.size;
    checkout_cache_keep_size(reader->cache, &entry->oid, conversion, entry->size);
    return 0;
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

/* Finds out how a file is converted, and how large it is then. */
static int find_conversion(struct folder *folder, struct tree_entry *entry, struct error *e)
{
    char *path = join(folder->path, entry->name);
    struct conversion conversion;
    int r;

    if (!path)
        return error_no_memory(e);
    r = attributes_conversion(folder->attributes, folder->values, path, &folder->budget,
                              &conversion);
    free(path);
    if (r < 0)
        return cancelled(folder, e);
    entry->conversion = conversion_pack(&conversion);
    if (!entry->conversion || entry->size > folder->reader->max_file ||
        checkout_cache_find_size(folder->reader->cache, &entry->oid, &conversion, &entry->size))
        return 0;
    return convert_size(folder, &conversion, entry, e);
}

/* The sizes of some entries, as they are in the store. */
static int find_stored_sizes(struct folder *folder, struct tree_entry *const *entries, size_t count,
                             struct error *e)
{
    struct oid ids[SIZES_AT_ONCE];
    uint64_t sizes[SIZES_AT_ONCE];

    for (size_t i = 0; i < count; i++)
        ids[i] = entries[i]->oid;
    int r = raw_object_sizes(folder->reader->repository, ids, count, sizes, e);
    if (r == 0 && budget_spend(&folder->budget, count * STEPS_A_SIZE))
        r = cancelled(folder, e);
    for (size_t i = 0; i < count && r == 0; i++) {
        entries[i]->size = sizes[i];
        if (folder->attributes && is_file(entries[i]->kind))
            r = find_conversion(folder, entries[i], e);
    }
    return r;
}

static int find_sizes(struct folder *folder, struct tree *tree, struct error *e)
{
    struct tree_entry *entries[SIZES_AT_ONCE];
    size_t count = 0;
    int r = 0;

    for (size_t i = 0; i < tree->count && r == 0; i++) {
        struct tree_entry *entry = &tree->entries[i];

        if (is_file(entry->kind) || entry->kind == ENTRY_SYMLINK)
            entries[count++] = entry;
        if (count == SIZES_AT_ONCE || (count > 0 && i + 1 == tree->count)) {
            r = find_stored_sizes(folder, entries, count, e);
            count = 0;
        }
    }
    return r;
}

/* The folder's own .gitattributes; NULL if it has none. A link counts, as in a clone: git reads the lines that the link's text has. */
static const struct oid *attributes_blob(const struct tree *tree)
{
    const struct tree_entry key = {
        .name = ATTRIBUTES_FILE,
        .name_length = sizeof ATTRIBUTES_FILE - 1,
    };
    const struct tree_entry *found = NULL;

    if (tree->count)
        found = bsearch(&key, tree->entries, tree->count, sizeof key, compare_entries);
    return found && (is_file(found->kind) || found->kind == ENTRY_SYMLINK) ? &found->oid : NULL;
}

/* The attributes that hold in this folder. */
static int find_attributes(struct folder *folder, const struct oid *own, bool above,
                           struct error *e)
{
    const char *slash = strrchr(folder->path, '/');
    struct attributes *inherited = NULL;
    char *parent;
    int r = 0;

    if (above) {
        parent = strndup(folder->path, slash ? (size_t)(slash - folder->path) : 0);
        r = parent ? attributes_at(folder->reader, parent, &folder->budget, &inherited, e)
                   : error_no_memory(e);
        free(parent);
    }
    if (r == 0)
        r = attributes_at_add(folder->reader, inherited, folder->path, own, &folder->budget,
                              &folder->attributes, e);
    if (r == 0 && folder->attributes) {
        folder->values = attributes_values_new(folder->attributes);
        r = folder->values ? 0 : error_no_memory(e);
    }
    return r;
}

static int too_big(const char *path, struct error *e)
{
    return error_set(e, E2BIG, "the folder '%s' is more than a small one", path);
}

/* Before its bytes are unpacked. */
static int check_size(const struct version_reader *reader, const struct oid *id, const char *path,
                      struct error *e)
{
    uint64_t size = 0;
    int r = reader->max_tree ? raw_object_size(reader->repository, id, &size, e) : 0;

    return r == 0 && size > reader->max_tree ? too_big(path, e) : r;
}

int tree_read(const struct version_reader *reader, const struct oid *id, const char *path,
              bool attributes, struct tree *out, struct error *e)
{
    struct folder folder = {.reader = reader, .path = path, .budget.watch = reader->watch};
    struct tree tree = {.entries = NULL};
    int r = check_size(reader, id, path, e);

    if (r == 0)
        r = parse(reader, id, &tree, e);
    if (r == 0) {
        const struct oid *own = attributes_blob(&tree);

        tree.attributes = attributes || own;
        if (tree.attributes && reader->max_tree)
            r = too_big(path, e);
        else if (tree.attributes)
            r = find_attributes(&folder, own, attributes, e);
    }
    if (r == 0)
        r = find_sizes(&folder, &tree, e);
    attributes_values_free(folder.values);
    attributes_put(folder.attributes);
    if (r < 0)
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
