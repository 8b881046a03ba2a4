/* pack_folder.h - the packs of a folder that pass their check, opened, as they come and go. Private to
 * gitcache/store.
 *
 * For any number of threads: a pack that one of them has got stays whole until it is put, also when it
 * has left the folder meanwhile. */
#ifndef GITCACHE_STORE_PACK_FOLDER_H
#define GITCACHE_STORE_PACK_FOLDER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/base/regular.h"
#include "gitcache/store/cache.h"
#include "gitcache/store/pack_file.h"

struct pack_slot;

struct pack_folder {
    struct cache *cache;
    char *folder;         /* NULL: one pack alone */
    pthread_mutex_t lock; /* guards what follows, not the packs themselves */
    struct pack_slot *slots;
    size_t count, room;
    struct regular_stamp scanned; /* the folder when it was read */
    int64_t scanned_at;           /* nanoseconds */
};

/* Exactly one of `folder` (all its packs, also those that come later) and `base` (that pack alone,
 * without .pack) is not NULL. Where it fails, nothing needs a release. */
int pack_folder_open(struct pack_folder *out, struct cache *cache, const char *folder,
                     const char *base, struct error *e);
void pack_folder_release(struct pack_folder *packs);

/* Looks which packs have come or gone; costs one lstat if nothing can have. What is damaged is said,
 * and passed over. */
int pack_folder_scan(struct pack_folder *packs, struct error *e);

/* The first pack that has the object, from the *i-th on, which is set behind it; NULL if none has. The
 * caller ends with pack_file_put. */
struct pack_file *pack_folder_find(struct pack_folder *packs, const struct oid *id, size_t *i,
                                   uint32_t *position);

/* Opens a pack anew that is not as it was, or lets it go. */
void pack_folder_renew(struct pack_folder *packs, const struct pack_file *pack);

/* All packs, each of which the caller ends with pack_file_put, in an array that is the caller's to
 * free. NULL: out of memory. */
struct pack_file **pack_folder_list(struct pack_folder *packs, size_t *count);

#endif
