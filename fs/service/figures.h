/* figures.h - what the service counts, and its text for Prometheus. */
#ifndef FS_SERVICE_FIGURES_H
#define FS_SERVICE_FIGURES_H

#include <stdatomic.h>
#include <stdio.h>

#include "fs/service/clients.h"
#include "fs/service/route.h"
#include "fs/service/shelf.h"

#define FIGURES_BOUNDS 8

/* Of one route. Counted without a lock: a scrape may see a request in one number and not yet in
 * another. */
struct figures_route {
    atomic_ullong answers[4]; /* by the status' first digit: 2, 3, 4, 5 */
    atomic_ullong nanoseconds;
    atomic_ullong within[FIGURES_BOUNDS]; /* answers that took no longer than each bound */
};

struct figures {
    struct figures_route routes[ROUTE_COUNT];
};

/* A request was answered, and how long it took from its first line to the last byte. */
void figures_count(struct figures *figures, enum route route, unsigned status, int64_t nanoseconds);

/* Writes them; `report` is NULL where no set was named. */
void figures_print(struct figures *figures, const struct shelf_report *report,
                   const struct clients_counts *clients, FILE *out);

#endif
