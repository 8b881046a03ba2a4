/* checkout.h - from git's trees and blobs to nodes and bytes.
 *
 * A version's checkout is made when the version is in the cache and somebody looks into it; a
 * folder below, when it is first visited. Never touches the network, but takes as long as a
 * repository makes it: call it where that may be (readings.c). `watch` may be NULL; ECANCELED when
 * it says so. */
#ifndef FS_TREE_CHECKOUT_H
#define FS_TREE_CHECKOUT_H

#include "fs/tree/mount.h"
#include "gitcache/base/watch.h"
#include "gitcache/checkout/content.h"

/* What reading trees needs, for the whole mount. 0 or -ENOMEM. */
int checkout_init(struct mount *mount);
void checkout_release(struct mount *mount);

/* Makes a checkout of `version` below a version's node and publishes it as the present one, unless
 * the node has one already; with `replace`, a branch is switched unless it shows that commit already.
 * From then on gc lets the version be. 0 or a negative errno (ENOENT: gc has removed it just now;
 * EIO: the cache is damaged; ENOSPC: the node table is full). */
int checkout_publish(struct mount *mount, struct repo *repo, uint32_t node,
                     const struct version *version, bool replace, const struct watch *watch,
                     struct error *e);

/* Reads a tree's children, unless they are there. 0 or a negative errno. */
int checkout_open_tree(struct mount *mount, uint32_t node, const struct watch *watch,
                       struct error *e);

/* The same, if there is not much to it: a tree of at most `max_tree` bytes, of whose files no .gitattributes says anything, and
 * room in the node table without looking for it. Else E2BIG, ENOSPC or EDQUOT. */
int checkout_open_small_tree(struct mount *mount, uint32_t node, uint64_t max_tree,
                             const struct watch *watch, struct error *e);

/* Reads a file's or symlink's bytes, which are the caller's to release. */
int checkout_read(struct mount *mount, uint32_t node, const struct watch *watch,
                  struct content *out, struct error *e);

/* Whether reading a file takes about as long as its size says: it is not converted, or its lines only
 * get other ends. */
bool checkout_is_cheap(const struct node *node);

/* The version node above a tree, file or symlink, and the repository it is of. 0 or -EIO. */
int checkout_owner(struct mount *mount, uint32_t node, uint32_t *version, struct repo **repo);

#endif
