#include "gitcache/base/sorted.h"

#include <string.h>

static const char *name_of(const void *items, size_t size, size_t i)
{
    const char *name;

    memcpy(&name, (const char *)items + i * size, sizeof name);
    return name;
}

size_t sorted_place(const void *items, size_t count, size_t size, const char *name, bool *found)
{
    size_t low = 0, high = count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name_of(items, size, middle), name);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
