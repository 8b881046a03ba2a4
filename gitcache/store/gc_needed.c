#include "gitcache/store/gc_needed.h"

#include <errno.h>

#include "gitcache/base/library.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/raw_tree.h"

static int add_entry(struct oid_set *set, git_odb *odb, const struct raw_entry *entry,
                     struct oid_set *trees, struct error *e)
{
    char hex[OID_HEX_SIZE];
    git_oid id;

    if (mode_is_tree(entry->mode)) {
        /* What is in the set already has been walked: for this version or for another. */
        if (oid_set_find(set, &entry->oid) != OID_SET_NONE)
            return 0;
        return oid_set_add(trees, &entry->oid) || oid_set_add(set, &entry->oid) ? error_no_memory(e)
                                                                                : 0;
    }
    if (!mode_is_file(entry->mode) && !mode_is_symlink(entry->mode))
        return 0; /* a submodule */
    oid_to_git(&id, &entry->oid);
    if (!git_odb_exists(odb, &id))
        return error_set(e, EIO, "the file %s is missing (the blob %s)", entry->name,
                         oid_format(&entry->oid, hex));
    return oid_set_add(set, &entry->oid) ? error_no_memory(e) : 0;
}

static int add_tree(struct oid_set *set, git_odb *odb, struct oid tree, struct oid_set *trees,
                    struct error *e)
{
    char hex[OID_HEX_SIZE];
    git_odb_object *object;
    struct raw_entry entry;
    struct raw_tree raw;
    git_oid id;
    int r = 0, next = -1;

    oid_to_git(&id, &tree);
    if (git_odb_read(&object, odb, &id))
        return error_set(e, EIO, "the tree %s is missing or damaged", oid_format(&tree, hex));
    raw.at = git_odb_object_data(object);
    raw.end = raw.at + git_odb_object_size(object);
    if (git_odb_object_type(object) == GIT_OBJECT_TREE)
        while (r == 0 && (next = raw_tree_next(&raw, &entry)) > 0)
            r = add_entry(set, odb, &entry, trees, e);
    if (r == 0 && next < 0)
        r = error_set(e, EIO, "the tree %s is damaged", oid_format(&tree, hex));
    git_odb_object_free(object);
    return r;
}

static int add_link(void *set, const struct oid *id)
{
    return oid_set_add(set, id);
}

int gc_needed_add(struct oid_set *set, git_odb *odb, const struct oid *target, struct error *e)
{
    struct oid_set trees = {.items = NULL}; /* to be read */
    struct commit commit;
    int r = commit_follow(odb, target, add_link, set, &commit, e);

    if (r == 0 && oid_set_find(set, &commit.tree) == OID_SET_NONE)
        if (oid_set_add(&trees, &commit.tree) || oid_set_add(set, &commit.tree))
            r = error_no_memory(e);
    for (size_t i = 0; i < trees.count && r == 0; i++)
        r = add_tree(set, odb, trees.items[i], &trees, e);
    oid_set_release(&trees);
    return r;
}
