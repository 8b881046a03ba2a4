/* blobs.h - files' bytes, so that each file is inflated once and not once a request.
 *
 * Bounded in bytes, those in memory by themselves and those in files (spool.h) by themselves: what
 * was used longest ago goes first; the newest stays, however large. */
#ifndef FS_TREE_BLOBS_H
#define FS_TREE_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/checkout/content.h"

struct blobs;
struct blob; /* one file's bytes; counted */

/* NULL: out of memory. */
struct blobs *blobs_new(uint64_t max_memory, uint64_t max_files);
void blobs_free(struct blobs *blobs);

/* Borrows the bytes of a key (a node_id) until blobs_put; NULL if they are not there. */
struct blob *blobs_find(struct blobs *blobs, uint64_t key);

/* Takes the content over, also on failure. If the key is there already, that one is kept and
 * handed out. Give *out back with blobs_put. 0 or -ENOMEM. */
int blobs_add(struct blobs *blobs, uint64_t key, struct content *content, struct blob **out);

void blobs_put(struct blobs *blobs, struct blob *blob);
/* The same for bytes that the kernel has all of by now: they need not be kept. */
void blobs_put_read(struct blobs *blobs, struct blob *blob);

/* Forgets it, unless it is borrowed. */
void blobs_drop(struct blobs *blobs, uint64_t key);

/* The disk is full: lets all files go that nobody uses. False if there was none. */
bool blobs_drop_files(struct blobs *blobs);

/* Borrowed with the blob. */
const struct content *blobs_content(const struct blob *blob);

#endif
