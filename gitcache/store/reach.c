#include "gitcache/store/reach.h"

#include <errno.h>
#include <stdio.h>

#include "gitcache/base/library.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/raw_tree.h"

struct reach {
    git_odb *odb;
    struct oid_set trees; /* seen; those behind the one that is read are still to be read */
    struct oid_set *all;  /* every object; NULL: nobody asks, and what files are is looked at */
    struct oid_set files; /* whose type has been looked at */
};

static bool is_known(const struct reach *reach, const struct oid *id)
{
    return reach->all && oid_set_find(reach->all, id) != OID_SET_NONE;
}

static int add_tree(struct reach *reach, const struct oid *id, struct error *e)
{
    if (is_known(reach, id))
        return 0;
    if (oid_set_add(&reach->trees, id) < 0 || (reach->all && oid_set_add(reach->all, id) < 0))
        return error_no_memory(e);
    return 0;
}

/* "It is not there" is also what the library says where nobody could look. */
static int is_missing(git_odb *odb, const char *what, struct error *e)
{
    int r = git_odb_refresh(odb);

    return r < 0 ? library_read_error(e, r, what) : error_set(e, EIO, "%s is missing", what);
}

/* A file's object may be anything that a server likes: it must be a blob. */
static int check_type(struct reach *reach, const git_oid *id, const char *what, struct error *e)
{
    git_object_t type;
    size_t size;
    int r = git_odb_read_header(&size, &type, reach->odb, id);

    if (r < 0)
        return library_read_error(e, r, what);
    return type == GIT_OBJECT_BLOB ? 0 : error_set(e, EIO, "%s is not a blob", what);
}

static int add_blob(struct reach *reach, const struct raw_entry *entry, struct error *e)
{
    struct oid_set *set = reach->all ? reach->all : &reach->files;
    char hex[OID_HEX_SIZE], what[OID_HEX_SIZE + 300];
    git_oid id;

    if (oid_set_find(set, &entry->oid) != OID_SET_NONE)
        return 0;
    library_oid_to_git(&id, &entry->oid);
    snprintf(what, sizeof what, "the file %.200s (the blob %s)", entry->name,
             oid_format(&entry->oid, hex));
    int r = git_odb_exists(reach->odb, &id) ? 0 : is_missing(reach->odb, what, e);
    if (r == 0 && !reach->all)
        r = check_type(reach, &id, what, e);
    if (r < 0)
        return r;
    return oid_set_add(set, &entry->oid) < 0 ? error_no_memory(e) : 0;
}

static int add_entry(struct reach *reach, const struct raw_entry *entry, struct error *e)
{
    if (raw_tree_mode_is_tree(entry->mode))
        return add_tree(reach, &entry->oid, e);
    if (raw_tree_mode_is_file(entry->mode) || raw_tree_mode_is_symlink(entry->mode))
        return add_blob(reach, entry, e);
    return 0; /* a submodule */
}

static int read_tree(git_odb_object **out, git_odb *odb, const struct oid *id, struct error *e)
{
    char hex[OID_HEX_SIZE], what[OID_HEX_SIZE + 20];
    git_oid git_id;
    int r;

    library_oid_to_git(&git_id, id);
    r = git_odb_read(out, odb, &git_id);
    snprintf(what, sizeof what, "the tree %s", oid_format(id, hex));
    if (r == GIT_ENOTFOUND)
        return is_missing(odb, what, e);
    if (r < 0)
        return library_read_error(e, r, what);
    if (git_odb_object_type(*out) == GIT_OBJECT_TREE)
        return 0;
    git_odb_object_free(*out);
    return error_set(e, EIO, "%s is not a tree", oid_format(id, hex));
}

static int walk_tree(struct reach *reach, struct oid id, struct error *e)
{
    git_odb_object *object;
    struct raw_entry entry;
    char hex[OID_HEX_SIZE];
    int r = read_tree(&object, reach->odb, &id, e), next;

    if (r < 0)
        return r;
    const char *data = git_odb_object_data(object);
    struct raw_tree tree = {data, data + git_odb_object_size(object)};
    while (r == 0 && (next = raw_tree_next(&tree, &entry)) != 0)
        r = next < 0 ? error_set(e, EIO, "the tree %s is damaged", oid_format(&id, hex))
                     : add_entry(reach, &entry, e);
    git_odb_object_free(object);
    return r;
}

static int walk_from(struct reach *reach, const struct oid *tree, struct error *e)
{
    int r = add_tree(reach, tree, e);

    for (size_t i = 0; i < reach->trees.count && r == 0; i++)
        r = walk_tree(reach, reach->trees.items[i], e);
    oid_set_release(&reach->trees);
    oid_set_release(&reach->files);
    return r;
}

int reach_check(git_odb *odb, const struct oid *tree, struct error *e)
{
    return walk_from(&(struct reach){.odb = odb}, tree, e);
}

static int add_link(void *set, const struct oid *id)
{
    return oid_set_add(set, id);
}

int reach_add(struct oid_set *set, git_odb *odb, const struct oid *target, struct error *e)
{
    struct commit commit;
    int r = commit_follow(odb, target, add_link, set, &commit, e);

    return r < 0 ? r : walk_from(&(struct reach){.odb = odb, .all = set}, &commit.tree, e);
}
