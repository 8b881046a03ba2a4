/* reception.h - a pack from the remote into the cache's antechamber. Private to gitcache/fetch/. */
#ifndef GITCACHE_FETCH_RECEPTION_H
#define GITCACHE_FETCH_RECEPTION_H

#include "gitcache/net/remote.h"
#include "gitcache/store/incoming.h"

/* Fetches one pack. EIO if what arrives is no whole pack. */
int reception_run(struct incoming *incoming, struct remote *remote,
                  const struct fetch_command_request *request, const struct watch *watch,
                  struct error *e);

#endif
