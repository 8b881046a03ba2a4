#include "gitcache/checkout/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/library.h"
#include "gitcache/store/raw_object.h"
#include "gitcache/store/raw_tree.h"

/* Of larger ones git reads some (up to 100 MiB); but then each file would be compared with millions
 * of patterns. */
#define MAX_ATTRIBUTES ((uint64_t)1 << 20)

/* Finds an entry of a tree by name; false if there is none. */
static bool find_entry(git_odb_object *tree, const char *name, size_t length, struct raw_entry *out)
{
    const char *data = git_odb_object_data(tree);
    struct raw_tree raw = {data, data + git_odb_object_size(tree)};

    while (raw_tree_next(&raw, out) > 0)
        if (out->name_length == length && memcmp(out->name, name, length) == 0)
            return true;
    return false;
}

/* Adds the .gitattributes of the folder whose tree this is, if it has one. */
static int add_attributes(struct repository *repository, struct attributes *attributes,
                          git_odb_object *tree, const char *folder, struct error *e)
{
    struct raw_entry entry;
    struct bytes text;
    uint64_t size;
    int r;

    if (!find_entry(tree, ATTRIBUTES_FILE, strlen(ATTRIBUTES_FILE), &entry) ||
        !mode_is_file(entry.mode))
        return 0;
    r = raw_object_size(repository, &entry.oid, &size, e);
    if (r || size > MAX_ATTRIBUTES)
        return r;
    r = raw_object_blob(repository, &entry.oid, &text, e);
    if (r)
        return r;
    if (attributes_add(attributes, folder, text.data, text.size))
        r = error_no_memory(e);
    free(text.data);
    return r;
}

/* Adds what the folder says that is the first `length` bytes of the path, and steps into the part
 * behind it: *id becomes that entry's, *mode its mode. */
static int step_down(struct repository *repository, struct attributes *attributes, const char *path,
                     size_t length, struct oid *id, uint32_t *mode, struct error *e)
{
    const char *part = path + length + (path[length] == '/');
    size_t part_length = strcspn(part, "/");
    struct raw_entry entry;
    git_odb_object *tree;
    char *folder = strndup(path, length);
    int r =
        folder ? raw_object_read(repository, id, GIT_OBJECT_TREE, &tree, e) : error_no_memory(e);

    if (!r) {
        r = add_attributes(repository, attributes, tree, folder, e);
        if (!r && part_length && !find_entry(tree, part, part_length, &entry))
            r = error_set(e, ENOENT, "there is no %s in the version", path);
        if (!r && part_length) {
            *id = entry.oid;
            *mode = entry.mode;
        }
        git_odb_object_free(tree);
    }
    free(folder);
    return r;
}

int place_attributes(struct repository *repository, const struct place *place, bool is_folder,
                     struct attributes *out, uint32_t *mode, struct error *e)
{
    const char *path = place->path;
    size_t length = 0, end = strlen(path);
    struct oid id;
    int r = raw_object_tree_of(repository, place->commit, &id, e);

    *out = (struct attributes){.files = NULL};
    while (!r) {
        r = step_down(repository, out, path, length, &id, mode, e);
        if (length == end)
            break;
        length += path[length] == '/';
        length += strcspn(path + length, "/");
        if (length == end && !is_folder)
            break;
    }
    if (r)
        attributes_release(out);
    return r;
}
