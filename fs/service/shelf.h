/* shelf.h - the last good answers, which the front takes and the reload replaces, and how reloading
 * went. Its lock is held for no longer than a copy. */
#ifndef FS_SERVICE_SHELF_H
#define FS_SERVICE_SHELF_H

#include <pthread.h>
#include <stdint.h>

#include "fs/service/catalogue.h"

struct shelf_report {
    size_t manifests;
    uint64_t loads, failures;
    int64_t loaded_at; /* of the answers that are served: seconds since the epoch; 0: none */
    bool is_failing;   /* the last load failed; its sentence: */
    char why[sizeof((struct error *)0)->text];
};

struct shelf {
    pthread_mutex_t lock; /* guards all that follows */
    struct catalogue *catalogue;
    struct shelf_report report;
};

void shelf_init(struct shelf *shelf);
void shelf_release(struct shelf *shelf);

/* Takes ownership of a catalogue; the one before goes with its last user. */
void shelf_replace(struct shelf *shelf, struct catalogue *catalogue);
/* A load has failed. Returns whether this is news: the one before had another sentence, or none. */
bool shelf_fail(struct shelf *shelf, const struct error *error);

/* For catalogue_put. NULL: nothing was loaded yet. */
struct catalogue *shelf_take(struct shelf *shelf);
struct shelf_report shelf_report(struct shelf *shelf);

#endif
