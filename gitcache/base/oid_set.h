/* oid_set.h - a set of object ids, in the order in which they were added. Private to gitcache/. */
#ifndef GITCACHE_BASE_OID_SET_H
#define GITCACHE_BASE_OID_SET_H

#include <stddef.h>
#include <stdint.h>

#include "gitcache/base/oid.h"

#define OID_SET_NONE SIZE_MAX

struct oid_set {
    struct oid *items;
    size_t count, room;
    uint32_t *slots; /* an open hash table: index into items + 1; 0 is free */
    size_t slot_count;
};

/* Adds an id that is not there yet. 0 or -ENOMEM. Start with zeroes. */
int oid_set_add(struct oid_set *set, const struct oid *id);

/* Its place, or OID_SET_NONE. */
size_t oid_set_find(const struct oid_set *set, const struct oid *id);

void oid_set_release(struct oid_set *set);

#endif
