/* object_hash.h - whether an object's bytes are those that its id stands for. Pure. Private to
 * gitcache/store.
 *
 * This finds damage. libgit2's own check looks for forged collisions as well, which takes five times
 * as long; it does so when a pack arrives (git_indexer), and is switched off for reads (library.c). */
#ifndef GITCACHE_STORE_OBJECT_HASH_H
#define GITCACHE_STORE_OBJECT_HASH_H

#include <git2.h>
#include <stdbool.h>

bool object_hash_fits(const git_oid *id, git_object_t type, const void *bytes, size_t size);

#endif
