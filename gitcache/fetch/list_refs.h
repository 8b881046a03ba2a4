/* list_refs.h - asking a remote for its refs. */
#ifndef GITCACHE_FETCH_LIST_REFS_H
#define GITCACHE_FETCH_LIST_REFS_H

#include "gitcache/net/remote.h"
#include "gitcache/store/repository.h"

/* Asks the remote for its refs and keeps the answer (repository_keep_listing). */
int list_refs(struct repository *repository, struct remote *remote, const struct watch *watch,
              struct error *e);

/* Tells the remote what the newest listing knows of its server. */
void list_refs_remember(struct repository *repository, struct remote *remote);

#endif
