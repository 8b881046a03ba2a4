#include "gitcache/store/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/library.h"
#include "gitcache/store/raw_tree.h"

/* Trees that were seen (an open hash table), and those still to be read (an index into `order`). */
struct walk {
    git_odb *odb;
    struct oid *order;
    size_t count, room;
    uint32_t *slots; /* index into order + 1; 0 is free */
    size_t slot_count;
};

static size_t slot_of(const struct walk *walk, const struct oid *id)
{
    size_t slot;

    /* An id is a hash already. */
    memcpy(&slot, id->id, sizeof slot);
    slot &= walk->slot_count - 1;
    while (walk->slots[slot] && !oid_equal(&walk->order[walk->slots[slot] - 1], id))
        slot = (slot + 1) & (walk->slot_count - 1);
    return slot;
}

static int grow(struct walk *walk)
{
    size_t room = walk->room ? 2 * walk->room : 256;
    struct oid *order = reallocarray(walk->order, room, sizeof *order);
    uint32_t *slots = calloc(2 * room, sizeof *slots);

    if (order)
        walk->order = order;
    if (!order || !slots || room > UINT32_MAX / 2) {
        free(slots);
        return -ENOMEM;
    }
    free(walk->slots);
    walk->slots = slots;
    walk->slot_count = 2 * room;
    walk->room = room;
    for (size_t i = 0; i < walk->count; i++)
        slots[slot_of(walk, &order[i])] = (uint32_t)(i + 1);
    return 0;
}

static int add_tree(struct walk *walk, const struct oid *id)
{
    size_t slot;

    if (walk->count == walk->room && grow(walk))
        return -ENOMEM;
    slot = slot_of(walk, id);
    if (!walk->slots[slot]) {
        walk->order[walk->count++] = *id;
        walk->slots[slot] = (uint32_t)walk->count;
    }
    return 0;
}

static int check_entry(struct walk *walk, const struct raw_entry *entry, struct error *e)
{
    char hex[OID_HEX_SIZE];
    git_oid id;

    if (mode_is_tree(entry->mode))
        return add_tree(walk, &entry->oid) ? error_no_memory(e) : 0;
    if (!mode_is_file(entry->mode) && !mode_is_symlink(entry->mode))
        return 0;
    oid_to_git(&id, &entry->oid);
    if (git_odb_exists(walk->odb, &id))
        return 0;
    return error_set(e, EIO, "the file %s is missing (the blob %s)", entry->name,
                     oid_format(&entry->oid, hex));
}

static int check_tree(struct walk *walk, struct oid id, struct error *e)
{
    git_odb_object *object;
    struct raw_entry entry;
    struct raw_tree tree;
    char hex[OID_HEX_SIZE];
    git_oid git_id;
    int r, next;

    oid_to_git(&git_id, &id);
    r = git_odb_read(&object, walk->odb, &git_id);
    if (r)
        return error_set(e, EIO, "the tree %s is %s", oid_format(&id, hex),
                         r == GIT_ENOTFOUND ? "missing" : "damaged");
    tree.at = git_odb_object_data(object);
    tree.end = tree.at + git_odb_object_size(object);
    if (git_odb_object_type(object) != GIT_OBJECT_TREE)
        r = error_set(e, EIO, "%s is no tree", oid_format(&id, hex));
    while (!r && (next = raw_tree_next(&tree, &entry)) != 0)
        r = next < 0 ? error_set(e, EIO, "the tree %s is damaged", oid_format(&id, hex))
                     : check_entry(walk, &entry, e);
    git_odb_object_free(object);
    return r;
}

int verify_tree(git_odb *odb, const struct oid *tree, struct error *e)
{
    struct walk walk = {.odb = odb};
    int r = add_tree(&walk, tree) ? error_no_memory(e) : 0;

    for (size_t i = 0; i < walk.count && !r; i++)
        r = check_tree(&walk, walk.order[i], e);
    free(walk.order);
    free(walk.slots);
    return r;
}
