/* stored.h - objects of a cached repository as they are stored. Private to gitcache/.
 *
 * All these fail with EIO where the object is missing or damaged, with a sentence that names it. */
#ifndef GITCACHE_STORE_STORED_H
#define GITCACHE_STORE_STORED_H

#include <git2.h>

#include "gitcache/checkout/convert.h"
#include "gitcache/store/repository.h"

/* The caller frees *out; the type must be this one. */
int stored_read(struct repository *repository, const struct oid *id, git_object_t type,
                git_odb_object **out, struct error *e);

/* Only the object's size, in bytes. */
int stored_size(struct repository *repository, const struct oid *id, uint64_t *out,
                struct error *e);

/* A blob's bytes; the caller frees out->data, which is never NULL. */
int stored_blob(struct repository *repository, const struct oid *id, struct bytes *out,
                struct error *e);

/* The root tree of a commit. */
int stored_tree_of(struct repository *repository, const struct oid *commit, struct oid *tree,
                   struct error *e);

#endif
