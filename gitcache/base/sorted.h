/* sorted.h - where a name is, or belongs, in a sorted array. */
#ifndef GITCACHE_BASE_SORTED_H
#define GITCACHE_BASE_SORTED_H

#include <stdbool.h>
#include <stddef.h>

/* The index of the item whose first member, a `char *`, is that name; where there is none, the index at
 * which it belongs. The array is sorted by those names as strcmp compares; `size` is one item's. */
size_t sorted_place(const void *items, size_t count, size_t size, const char *name, bool *found);

#endif
