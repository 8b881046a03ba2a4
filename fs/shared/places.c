#include "fs/shared/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t places_used(const struct places *places)
{
    uint32_t used = atomic_load_explicit(places->used, memory_order_acquire);
    return used < places->max ? used : places->max;
}

static bool is_taken(const struct places *places, uint32_t index)
{
    return places->taken[index / 64] >> index % 64 & 1;
}

static void set_taken(struct places *places, uint32_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        places->taken[i / 64] |= 1ull << i % 64;
}

/* A free run of places in [begin, end). Bits beyond the used places are clear. */
static bool find_run(const struct places *places, uint32_t begin, uint32_t end, uint32_t count,
                     uint32_t *first)
{
    uint32_t run = 0;

    for (uint32_t i = begin; i < end;) {
        if (i % 64 == 0 && places->taken[i / 64] == UINT64_MAX) {
            run = 0;
            i += 64;
            continue;
        }
        run = is_taken(places, i) ? 0 : run + 1;
        i++;
        if (run == count) {
            *first = i - count;
            return true;
        }
    }
    return false;
}

static bool take_free(struct places *places, uint32_t count, uint32_t *first)
{
    uint32_t used = places_used(places);

    if (!places->taken || count == 0 || count > places->free ||
        (places->no_run && count >= places->no_run))
        return false;
    if (!find_run(places, places->cursor, used, count, first) &&
        !find_run(places, 0, used, count, first)) {
        places->no_run = count;
        return false;
    }
    set_taken(places, *first, count);
    places->free -= count;
    places->cursor = *first + count;
    return true;
}

int places_take(struct places *places, size_t count, uint32_t *first)
{
    uint32_t used = atomic_load(places->used);

    if (count <= places->max && take_free(places, (uint32_t)count, first))
        return 0;
    if (used > places->max || count > places->max - used)
        return -ENOSPC;
    if (places->taken)
        set_taken(places, used, count);
    atomic_store_explicit(places->used, used + (uint32_t)count, memory_order_release);
    *first = used;
    return 0;
}

bool places_look(struct places *places)
{
    uint32_t used = places_used(places);

    if (!places->taken)
        places->taken = calloc(places->max / 64 + 1, sizeof *places->taken);
    if (!places->taken)
        return false;
    memset(places->taken, 0, (used / 64 + 1) * sizeof *places->taken);
    places->cursor = places->no_run = 0;
    places->free = used;
    return true;
}

void places_keep(struct places *places, uint32_t index)
{
    if (!places->taken || is_taken(places, index))
        return;
    set_taken(places, index, 1);
    places->free--;
}

void places_forget(struct places *places)
{
    free(places->taken);
    places->taken = NULL;
    places->free = places->cursor = places->no_run = 0;
}
