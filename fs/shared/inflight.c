#include "fs/shared/inflight.h"

#include <stddef.h>
#include <string.h>

bool inflight_is_empty(const struct inflight *inflight)
{
    for (size_t i = 0; i < CRASH_SLOTS; i++)
        if (atomic_load(&inflight->requests.slots[i].key))
            return false;
    return true;
}

static void give_all_up(struct inflight *inflight, void (*give_up)(void *data, uint64_t unique),
                        void *data)
{
    for (size_t i = 0; i < CRASH_SLOTS; i++) {
        uint64_t unique = atomic_load(&inflight->requests.slots[i].key);
        if (!unique)
            continue;
        crash_record_end(&inflight->requests, unique);
        give_up(data, unique);
    }
    for (size_t i = 0; i < INFLIGHT_READERS; i++) {
        const struct request_header *head = &inflight->heads[i];
        if (head->unique && request_is_answered(head))
            give_up(data, head->unique);
    }
}

void inflight_recover(struct inflight *inflight, bool resends, bool was_killed,
                      void (*give_up)(void *data, uint64_t unique), void *data)
{
    if (resends)
        crash_record_recover(&inflight->requests, was_killed);
    else
        give_all_up(inflight, give_up, data);
    memset(inflight->heads, 0, sizeof inflight->heads);
}
