/* grow.h - arrays that grow by doubling. */
#ifndef GITCACHE_BASE_GROW_H
#define GITCACHE_BASE_GROW_H

#include <stddef.h>
#include <stdlib.h>

/* Makes room for `more` items behind `count` of `size` bytes each. NULL, and nothing changed, if
 * there is no memory. */
static inline void *grow_items(void *items, size_t count, size_t more, size_t size, size_t *room)
{
    size_t wanted = *room ? *room : 8;

    if (count + more <= *room)
        return items;
    while (wanted < count + more)
        wanted *= 2;
    items = reallocarray(items, wanted, size);
    if (items)
        *room = wanted;
    return items;
}

#endif
