/* incoming.h - a pack on its way into the cache. Private to gitcache/.
 *
 * The pack streams into a folder of its own inside the repository and is indexed there. Only
 * after it was checked does it move to where git looks for packs. So nothing that is damaged or
 * incomplete is ever seen, and what a killed process leaves is known to be nobody's.
 *
 * Order of calls: open; for each pack begin, write, finish; check what has arrived, publish or not;
 * close. Who publishes holds the repository's lock. */
#ifndef GITCACHE_STORE_INCOMING_H
#define GITCACHE_STORE_INCOMING_H

#include "gitcache/store/versions.h"

struct git_odb;
struct incoming_pack;

struct incoming {
    struct repository *repository;
    char *folder;               /* an object folder: packs are in pack/ */
    struct git_odb *odb;        /* what was received, and what the cache has */
    struct incoming_pack *pack; /* between begin and finish */
};

/* With the repository's lock held from here on. */
int incoming_open(struct incoming *out, struct repository *repository, struct error *e);
/* The same beside whoever holds it: for what is only looked at, or takes long to come. */
int incoming_open_beside(struct incoming *out, struct repository *repository, struct error *e);
void incoming_close(struct incoming *incoming); /* drops what was not published */

/* One pack; what was begun and not finished is dropped. EIO if the bytes are no whole pack. */
int incoming_begin(struct incoming *incoming, struct error *e);
int incoming_write(struct incoming *incoming, const void *bytes, size_t size, struct error *e);
int incoming_finish(struct incoming *incoming, struct error *e);

/* Whether that object has come, or was there. */
bool incoming_has(const struct incoming *incoming, const struct oid *id);

/* Follows `id`, a commit or a tag object, to a commit: out's commit, tree and time. ENOENT if it ends
 * elsewhere; EIO unless everything is there that the commit's tree reaches. */
int incoming_check(const struct incoming *incoming, const struct oid *id, struct version *out,
                   struct error *e);

/* Calls visit with the id of every commit, of the cache's too. */
int incoming_each_commit(const struct incoming *incoming,
                         void (*visit)(void *data, const struct oid *commit), void *data,
                         struct error *e);

/* Moves the packs into the cache, durably. */
int incoming_publish(struct incoming *incoming, struct error *e);

#endif
