#include "gitcache/fetch/repair.h"

#include "gitcache/fetch/reception.h"
#include "gitcache/store/damaged_packs.h"
#include "gitcache/store/incoming.h"
#include "gitcache/store/pins.h"

static int fetch_broken(struct repository *repository, struct remote *remote,
                        const struct oid_set *broken, const struct watch *watch, unsigned *fetched,
                        struct error *e)
{
    const struct fetch_command_request request = {
        .wants = broken->items, .count = broken->count, .depth = 1};
    struct version version;
    struct incoming incoming;
    int r = incoming_open(&incoming, repository, e);

    if (r < 0)
        return r;
    r = reception_run(&incoming, remote, &request, watch, e);
    if (r == 0)
        ++*fetched;
    for (size_t i = 0; i < broken->count && r == 0; i++)
        r = incoming_check(&incoming, &broken->items[i], &version, e);
    if (r == 0) /* a damaged pack of the same name must not be in the way */
        r = damaged_packs_remove(repository, e);
    if (r == 0)
        r = incoming_publish(&incoming, e);
    incoming_close(&incoming);
    return r;
}

int repair_packs(struct repository *repository, struct remote *remote, const struct watch *watch,
                 unsigned *fetched, struct error *e)
{
    struct oid_set broken = {.items = NULL};
    int r = pins_scan(repository, e);

    if (r == 0)
        r = damaged_packs_set_aside(repository, e);
    if (r == 0)
        r = damaged_packs_find_pins(repository, &broken, e);
    if (r == 0)
        r = broken.count ? fetch_broken(repository, remote, &broken, watch, fetched, e)
                         : damaged_packs_remove(repository, e);
    damaged_packs_put_back(repository); /* none is left where all went well */
    oid_set_release(&broken);
    return r;
}
