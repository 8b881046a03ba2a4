/* incoming.h - a pack on its way into the cache. Private to gitcache/.
 *
 * The pack streams into a folder of its own inside the repository and is indexed there. Only
 * after it was checked does it move to where git looks for packs. So nothing that is damaged or
 * incomplete is ever seen, and what a killed process leaves is known to be nobody's.
 *
 * Order of calls: open (with the repository's lock held), receive any number of times, look at
 * incoming_odb, publish or not, close. */
#ifndef GITCACHE_STORE_INCOMING_H
#define GITCACHE_STORE_INCOMING_H

#include <git2.h>

#include "gitcache/net/remote.h"
#include "gitcache/store/repository.h"

struct incoming {
    struct repository *repository;
    char *folder; /* an object folder: packs are in pack/ */
    git_odb *odb; /* what was received, and what the cache has */
};

int incoming_open(struct incoming *out, struct repository *repository, struct error *e);
void incoming_close(struct incoming *incoming); /* drops what was not published */

/* Fetches one pack. EIO if what arrives is no whole pack. */
int incoming_receive(struct incoming *incoming, struct remote *remote,
                     const struct fetch_command_request *request, const struct watch *watch,
                     struct error *e);

/* Moves the packs into the cache, durably. */
int incoming_publish(struct incoming *incoming, struct error *e);

#endif
