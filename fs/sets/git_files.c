#include "fs/sets/git_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/checkout/blob.h"
#include "gitcache/checkout/tree.h"

#define FILE_MAX \
    ((uint64_t)1 << 30) /* bytes; of a larger one nobody asks what it is converted to */

/* A file or symlink that the walk has met, for reading it later. */
struct known_file {
    char *path;
    struct oid oid;
    uint8_t conversion; /* as its tree entry says, and the next */
    uint64_t size;
};

struct git_files {
    struct repository *repository;
    struct version version;
    struct checkout_cache *cache;
    struct known_file *items; /* sorted by path once the walk is over */
    size_t count;
    size_t entries; /* folders too: a tree of nothing but folders shall end as well */
    struct error error;
};

/* The walk's place: one buffer for the path that grows and shrinks with it. */
struct tree_walk {
    struct git_files *files;
    start_point_visit *visit;
    void *visitor;
    char path[PATH_LENGTH];
};

struct git_files *git_files_new(struct repository *repository, const struct version *version)
{
    struct git_files *files = calloc(1, sizeof *files);

    if (!files)
        return NULL;
    *files = (struct git_files){.repository = repository, .version = *version};
    files->cache = checkout_cache_new();
    if (files->cache)
        return files;
    free(files);
    return NULL;
}

static void forget(struct git_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].path);
    free(files->items);
    files->items = NULL;
    files->count = files->entries = 0;
}

void git_files_free(struct git_files *files)
{
    if (!files)
        return;
    forget(files);
    checkout_cache_free(files->cache);
    free(files);
}

static struct version_reader reader_of(struct git_files *files, uint64_t max_file)
{
    return (struct version_reader){
        .repository = files->repository,
        .commit = &files->version.commit,
        .cache = files->cache,
        .max_file = max_file,
    };
}

static int remember(struct git_files *files, const char *path, const struct tree_entry *entry)
{
    if ((files->count & (files->count - 1)) == 0) { /* full at each power of two */
        size_t room = files->count ? files->count * 2 : 1;
        struct known_file *items = reallocarray(files->items, room, sizeof *items);
        if (!items)
            return error_set(&files->error, ENOMEM, "out of memory");
        files->items = items;
    }
    struct known_file *file = &files->items[files->count];
    *file = (struct known_file){.path = strdup(path),
                                .oid = entry->oid,
                                .conversion = entry->conversion,
                                .size = entry->size};
    if (!file->path)
        return error_set(&files->error, ENOMEM, "out of memory");
    files->count++;
    return 0;
}

static int walk_tree(struct tree_walk *walk, const struct oid *oid, size_t length, bool attributes);

static int walk_entry(struct tree_walk *walk, const struct tree_entry *entry, size_t length,
                      bool attributes)
{
    struct git_files *files = walk->files;
    size_t start = length ? length + 1 : 0;
    int r = 0;

    if (++files->entries > PATHS_MAX)
        return error_set(&files->error, E2BIG, "has more than %d files and folders", PATHS_MAX);
    /* No program could open a longer path. */
    if (start + entry->name_length >= sizeof walk->path)
        return 0;
    if (length)
        walk->path[length] = '/';
    memcpy(walk->path + start, entry->name, entry->name_length);
    walk->path[start + entry->name_length] = '\0';
    if (entry->kind == ENTRY_TREE) {
        r = walk_tree(walk, &entry->oid, start + entry->name_length, attributes);
    } else if (entry->kind != ENTRY_SUBMODULE) {
        r = remember(files, walk->path, entry);
        if (r == 0)
            r = walk->visit(walk->visitor, walk->path,
                            entry->kind == ENTRY_SYMLINK ? PATH_SYMLINK : PATH_FILE, entry->size);
    }
    walk->path[length] = '\0';
    return r;
}

/* The folder at walk->path, whose length is given. */
static int walk_tree(struct tree_walk *walk, const struct oid *oid, size_t length, bool attributes)
{
    struct git_files *files = walk->files;
    struct version_reader reader = reader_of(files, FILE_MAX);
    struct tree tree;
    int r = tree_read(&reader, oid, walk->path, attributes, &tree, &files->error);

    if (r < 0)
        return r;
    for (size_t i = 0; i < tree.count && r == 0; i++)
        r = walk_entry(walk, &tree.entries[i], length, tree.attributes);
    tree_release(&tree);
    return r;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct known_file *)a)->path, ((const struct known_file *)b)->path);
}

static int git_walk(void *data, start_point_visit *visit, void *visitor)
{
    struct git_files *files = data;
    struct tree_walk walk = {.files = files, .visit = visit, .visitor = visitor};

    forget(files);
    int r = walk_tree(&walk, &files->version.tree, 0, false);
    if (files->count)
        qsort(files->items, files->count, sizeof *files->items, compare_files);
    return r;
}

static int git_read(void *data, const char *path, uint64_t max, void **bytes, size_t *size)
{
    struct git_files *files = data;
    struct known_file key = {.path = (char *)path};
    const struct known_file *file =
        files->count ? bsearch(&key, files->items, files->count, sizeof key, compare_files) : NULL;

    if (!file)
        return error_set(&files->error, ENOENT, "has no file %s", path);
    struct version_reader reader = reader_of(files, max);
    const struct blob_request request = {file->oid, file->conversion, file->size, path};
    struct content read;
    int r = blob_read(&reader, &request, &read, &files->error);
    if (r == 0) {
        *bytes = read.data;
        *size = read.size;
    }
    return r;
}

struct start_point_files git_files_callbacks(struct git_files *files)
{
    return (struct start_point_files){git_walk, git_read, files};
}

const struct error *git_files_error(const struct git_files *files)
{
    return &files->error;
}
