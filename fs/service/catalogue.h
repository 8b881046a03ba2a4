/* catalogue.h - all answers about one set of start-points, made once and served from memory.
 *
 * Manifests are added in the order in which the services find them; the last of a name wins, at the
 * place of the first. A catalogue that is made never changes, and goes with its last user. */
#ifndef FS_SERVICE_CATALOGUE_H
#define FS_SERVICE_CATALOGUE_H

#include "fs/service/manifest_text.h"
#include "fs/service/reply.h"

struct catalogue_tables;

struct catalogue {
    struct reply names;       /* {"names":[...]} */
    struct reply manifests;   /* {"manifests":{...}} */
    struct reply image_names; /* {"image_names":[...]} */
    size_t count;             /* of manifests that are served */
    struct catalogue_tables *private;
};

/* Makes all answers of `count` manifests, which may be none. 0 or ENOMEM. On success the caller is
 * the one user of *out. */
int catalogue_new(struct catalogue **out, const struct manifest_text *manifests, size_t count,
                  struct error *e);
void catalogue_hold(struct catalogue *catalogue);
void catalogue_put(struct catalogue *catalogue); /* NULL is nothing */

/* {"manifest":{...}} of a name: one that is served, else a manifest's own display_name. Borrowed
 * from the catalogue; NULL if there is none. `name` may hold any bytes. */
const struct reply *catalogue_find(const struct catalogue *catalogue, const char *name,
                                   size_t length);

#endif
