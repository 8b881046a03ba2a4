#include "fs/shared/holds.h"

#include "fs/shared/nodes_layout.h"

#define FOR_GOOD (1ull << 62) /* something is wrong with the count: better kept than used again */

void node_hold(struct nodes *nodes, uint32_t index)
{
    atomic_fetch_add(&nodes->holds[node_unit(nodes, index)], 1);
}

void node_forget(struct nodes *nodes, uint64_t id, uint64_t count)
{
    uint32_t index;

    if (!node_of_id(nodes, id, &index))
        return;
    _Atomic uint64_t *holds = &nodes->holds[node_unit(nodes, index)];
    uint64_t before = atomic_load(holds);
    while (
        !atomic_compare_exchange_weak(holds, &before, before < count ? FOR_GOOD : before - count))
        ;
}

uint64_t node_holds(const struct nodes *nodes, uint32_t index)
{
    return atomic_load(&nodes->holds[node_unit(nodes, index)]);
}
