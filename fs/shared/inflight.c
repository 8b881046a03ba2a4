#include "fs/shared/inflight.h"

#include <stddef.h>
#include <string.h>

/* Numbers grow by two, so neighbours in time are neighbours in the table. A freed slot does not end
 * a search: nothing is ever moved, and a search is bounded. */
#define PROBES 64

/* A suspect that so many workers have not seen again was answered just before its worker died. */
#define FORGOTTEN_AFTER 16

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

static void release(struct inflight_slot *slot)
{
    atomic_store(&slot->working, 0);
    atomic_store(&slot->deaths, 0);
    atomic_store(&slot->unique, 0);
}

enum inflight_verdict inflight_begin(struct inflight *inflight, uint64_t unique, uint32_t worker)
{
    struct inflight_slot *slot = find(inflight, unique);

    if (!slot)
        slot = claim(inflight, unique);
    if (!slot)
        return INFLIGHT_SERVE;
    atomic_store(&slot->worker, worker);
    uint32_t deaths = atomic_load(&slot->deaths);
    if (deaths >= INFLIGHT_DEATHS)
        return INFLIGHT_GIVE_UP;
    return deaths == INFLIGHT_DEATHS - 1 ? INFLIGHT_TRIAL : INFLIGHT_SERVE;
}

static void set_working(struct inflight *inflight, uint64_t unique, uint32_t working)
{
    struct inflight_slot *slot = find(inflight, unique);

    if (slot)
        atomic_store(&slot->working, working);
}

void inflight_work(struct inflight *inflight, uint64_t unique)
{
    set_working(inflight, unique, 1);
}

void inflight_pause(struct inflight *inflight, uint64_t unique)
{
    set_working(inflight, unique, 0);
}

void inflight_end(struct inflight *inflight, uint64_t unique)
{
    struct inflight_slot *slot = find(inflight, unique);

    if (slot)
        release(slot);
}

bool inflight_is_empty(const struct inflight *inflight)
{
    for (size_t i = 0; i < INFLIGHT_SLOTS; i++)
        if (atomic_load(&inflight->slots[i].unique))
            return false;
    return true;
}

/* What is known of a request when the kernel is about to send it again. */
static void keep_if_suspect(struct inflight_slot *slot, uint32_t worker)
{
    if (atomic_exchange(&slot->working, 0))
        atomic_fetch_add(&slot->deaths, 1);
    if (!atomic_load(&slot->deaths) || worker - atomic_load(&slot->worker) > FORGOTTEN_AFTER)
        release(slot);
}

void inflight_recover(struct inflight *inflight, uint32_t worker, bool resends,
                      void (*give_up)(void *data, uint64_t unique), void *data)
{
    for (size_t i = 0; i < INFLIGHT_SLOTS; i++) {
        struct inflight_slot *slot = &inflight->slots[i];
        uint64_t unique = atomic_load(&slot->unique);
        if (unique && resends) {
            keep_if_suspect(slot, worker);
        } else if (unique) {
            release(slot);
            give_up(data, unique);
        }
    }
    for (size_t i = 0; i < INFLIGHT_READERS; i++) {
        const struct request_header *head = &inflight->heads[i];
        if (!resends && head->unique && request_is_answered(head))
            give_up(data, head->unique);
    }
    memset(inflight->heads, 0, sizeof inflight->heads);
}
