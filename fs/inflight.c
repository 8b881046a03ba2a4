#include "fs/inflight.h"

#include <stddef.h>

/* Numbers grow by two, so neighbours in time are neighbours in the table. A freed slot does not end
 * a search: nothing is ever moved, and a search is bounded. */
#define PROBES 64

static struct inflight_slot *find(struct inflight *inflight, uint64_t unique)
{
    for (size_t i = 0; i < PROBES; i++) {
        struct inflight_slot *slot = &inflight->slots[(unique / 2 + i) % INFLIGHT_SLOTS];
        if (atomic_load_explicit(&slot->unique, memory_order_relaxed) == unique)
            return slot;
    }
    return NULL;
}

static struct inflight_slot *claim(struct inflight *inflight, uint64_t unique)
{
    for (size_t i = 0; i < PROBES; i++) {
        struct inflight_slot *slot = &inflight->slots[(unique / 2 + i) % INFLIGHT_SLOTS];
        uint64_t nobody = 0;
        if (atomic_compare_exchange_strong(&slot->unique, &nobody, unique))
            return slot;
    }
    return NULL;
}

bool inflight_begin(struct inflight *inflight, uint64_t unique)
{
    struct inflight_slot *slot = find(inflight, unique);

    if (!slot) {
        slot = claim(inflight, unique);
        if (!slot)
            return false;
        atomic_store(&slot->deaths, 0);
    }
    atomic_store(&slot->working, 1);
    return atomic_load(&slot->deaths) >= INFLIGHT_DEATHS;
}

void inflight_pause(struct inflight *inflight, uint64_t unique)
{
    struct inflight_slot *slot = find(inflight, unique);

    if (slot)
        atomic_store(&slot->working, 0);
}

void inflight_end(struct inflight *inflight, uint64_t unique)
{
    struct inflight_slot *slot = find(inflight, unique);

    if (slot) {
        atomic_store(&slot->working, 0);
        atomic_store(&slot->unique, 0);
    }
}

void inflight_recover(struct inflight *inflight, bool resends,
                      void (*give_up)(void *data, uint64_t unique), void *data)
{
    for (size_t i = 0; i < INFLIGHT_SLOTS; i++) {
        struct inflight_slot *slot = &inflight->slots[i];
        uint64_t unique = atomic_load(&slot->unique);
        if (!unique)
            continue;
        if (atomic_exchange(&slot->working, 0))
            atomic_fetch_add(&slot->deaths, 1);
        if (!resends) {
            atomic_store(&slot->unique, 0);
            give_up(data, unique);
        }
    }
}
