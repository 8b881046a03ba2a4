#include "gitcache/base/oid_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct oid_set *set, const struct oid *id)
{
    size_t slot;

    /* An id is a hash already. */
    memcpy(&slot, id->id, sizeof slot);
    slot &= set->slot_count - 1;
    while (set->slots[slot] && !oid_equal(&set->items[set->slots[slot] - 1], id))
        slot = (slot + 1) & (set->slot_count - 1);
    return slot;
}

static int grow(struct oid_set *set)
{
    size_t room = set->room ? 2 * set->room : 256;
    uint32_t *slots = room < UINT32_MAX / 2 ? calloc(2 * room, sizeof *slots) : NULL;
    struct oid *items = slots ? reallocarray(set->items, room, sizeof *items) : NULL;

    if (!items) {
        free(slots);
        return -ENOMEM;
    }
    free(set->slots);
    set->items = items;
    set->slots = slots;
    set->slot_count = 2 * room;
    set->room = room;
    for (size_t i = 0; i < set->count; i++)
        slots[slot_of(set, &items[i])] = (uint32_t)(i + 1);
    return 0;
}

int oid_set_add(struct oid_set *set, const struct oid *id)
{
    size_t slot;

    if (set->count == set->room && grow(set) < 0)
        return -ENOMEM;
    slot = slot_of(set, id);
    if (!set->slots[slot]) {
        set->items[set->count++] = *id;
        set->slots[slot] = (uint32_t)set->count;
    }
    return 0;
}

size_t oid_set_find(const struct oid_set *set, const struct oid *id)
{
    size_t slot;

    if (!set->count)
        return OID_SET_NONE;
    slot = slot_of(set, id);
    return set->slots[slot] ? set->slots[slot] - 1 : OID_SET_NONE;
}

void oid_set_release(struct oid_set *set)
{
    free(set->items);
    free(set->slots);
    *set = (struct oid_set){.items = NULL};
}
