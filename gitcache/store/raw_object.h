/* raw_object.h - objects of a cached repository, unpacked but not converted. Private to gitcache/.
 *
 * All these fail with EIO where the object is missing or damaged, with a sentence that names it. */
#ifndef GITCACHE_STORE_RAW_OBJECT_H
#define GITCACHE_STORE_RAW_OBJECT_H

#include <git2.h>

#include "gitcache/base/bytes.h"
#include "gitcache/base/watch.h"
#include "gitcache/store/repository.h"

/* The caller frees *out; the type must be this one. */
int raw_object_read(struct repository *repository, const struct oid *id, git_object_t type,
                    git_odb_object **out, struct error *e);

/* Only the object's size, in bytes. */
int raw_object_size(struct repository *repository, const struct oid *id, uint64_t *out,
                    struct error *e);

/* The sizes of some objects, with less work than one by one. */
int raw_object_sizes(struct repository *repository, const struct oid *ids, size_t count,
                     uint64_t *out, struct error *e);

/* A blob's bytes and a NUL; the caller frees out->data, which is never NULL. */
int raw_object_blob(struct repository *repository, const struct oid *id, struct bytes *out,
                    struct error *e);

/* Unpacks a blob of that size (raw_object_size) to the beginning of a file, in constant memory; a
 * damaged one may be there in part, but fails. `folder` is for temporary files. ECANCELED: the watch
 * (may be NULL) said so; ENOSPC. */
int raw_object_to_file(struct repository *repository, const struct oid *id, uint64_t size, int fd,
                       const char *folder, const struct watch *watch, struct error *e);

/* The root tree of a commit. */
int raw_object_tree_of(struct repository *repository, const struct oid *commit, struct oid *tree,
                       struct error *e);

#endif
