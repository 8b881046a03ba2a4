#include "gitcache/checkout/attributes_at.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/library.h"
#include "gitcache/store/raw_object.h"
#include "gitcache/store/raw_tree.h"

static int parse_blob(const struct version_reader *reader, struct attributes *above,
                      const char *folder, const struct oid *blob, struct budget *budget,
                      struct attributes **out, struct error *e)
{
    git_odb_object *text;
    int r = raw_object_read(reader->repository, blob, GIT_OBJECT_BLOB, &text, e);

    if (r < 0)
        return r;
    checkout_cache_count_read(reader->cache);
    if (git_odb_object_size(text) >= ATTRIBUTES_MAX_SIZE)
        *out = attributes_share(above);
    else
        r = attributes_new(out, above, folder, git_odb_object_data(text), git_odb_object_size(text),
                           budget, e);
    git_odb_object_free(text);
    return r;
}

int attributes_at_add(const struct version_reader *reader, struct attributes *above,
                      const char *folder, const struct oid *blob, struct budget *budget,
                      struct attributes **out, struct error *e)
{
    int r = 0;

    if (blob) {
        r = parse_blob(reader, above, folder, blob, budget, out, e);
        attributes_put(above);
    } else {
        *out = above;
    }
    if (r == 0)
        checkout_cache_keep_attributes(reader->cache, reader->commit, folder, *out,
                                       *out && *out != above);
    return r;
}

/* A folder's tree, on the way down. */
struct step {
    const struct version_reader *reader;
    struct budget *budget;
    struct oid tree;
    struct attributes *attributes;
};

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

/* Adds what the folder says whose tree it is. */
static int add_folder(struct step *step, git_odb_object *tree, const char *folder, struct error *e)
{
    const struct version_reader *reader = step->reader;
    struct attributes *known;
    struct raw_entry entry;
    bool own;

    if (checkout_cache_find_attributes(reader->cache, reader->commit, folder, &known)) {
        attributes_put(step->attributes);
        step->attributes = known;
        return 0;
    }
    own = find_entry(tree, ATTRIBUTES_FILE, strlen(ATTRIBUTES_FILE), &entry) &&
          (raw_tree_mode_is_file(entry.mode) || raw_tree_mode_is_symlink(entry.mode));
    known = step->attributes;
    step->attributes = NULL;
    return attributes_at_add(reader, known, folder, own ? &entry.oid : NULL, step->budget,
                             &step->attributes, e);
}

/* Adds what the folder says that is the first `length` bytes of the path, and steps into the part
 * behind it, if there is one. */
static int step_down(struct step *step, const char *path, size_t length, struct error *e)
{
    const char *part = path + length + (path[length] == '/');
    size_t part_length = strcspn(part, "/");
    char *folder = strndup(path, length);
    git_odb_object *tree;
    struct raw_entry entry;
    int r = folder
                ? raw_object_read(step->reader->repository, &step->tree, GIT_OBJECT_TREE, &tree, e)
                : error_no_memory(e);

    if (r == 0) {
        checkout_cache_count_read(step->reader->cache);
        r = add_folder(step, tree, folder, e);
        if (r == 0 && part_length && !find_entry(tree, part, part_length, &entry))
            r = error_set(e, ENOENT, "there is no %s in the version", path);
        if (r == 0 && part_length)
            step->tree = entry.oid;
        if (r == 0 && budget_spend(step->budget, 10 * git_odb_object_size(tree)))
            r = error_set(e, ECANCELED, "reading %s was cancelled", path);
        git_odb_object_free(tree);
    }
    free(folder);
    return r;
}

int attributes_at(const struct version_reader *reader, const char *folder, struct budget *budget,
                  struct attributes **out, struct error *e)
{
    struct step step = {.reader = reader, .budget = budget};
    size_t length = 0, end = strlen(folder);
    int r;

    if (checkout_cache_find_attributes(reader->cache, reader->commit, folder, out))
        return 0;
    r = raw_object_tree_of(reader->repository, reader->commit, &step.tree, e);
    checkout_cache_count_read(reader->cache);
    while (r == 0) {
        r = step_down(&step, folder, length, e);
        if (length == end)
            break;
        length += folder[length] == '/';
        length += strcspn(folder + length, "/");
    }
    if (r < 0)
        attributes_put(step.attributes);
    else
        *out = step.attributes;
    return r;
}
