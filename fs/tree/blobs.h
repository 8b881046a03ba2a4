/* blobs.h - files' bytes, so that each file is inflated once and not once a request.
 *
 * Bounded in bytes: what was used longest ago goes first; the newest stays, however large. A large
 * file (above 16 MiB) is kept in an unlinked temporary file instead of memory: two of them being
 * read at once do not push each other out. */
#ifndef FS_TREE_BLOBS_H
#define FS_TREE_BLOBS_H

#include <stddef.h>
#include <stdint.h>

struct blobs;
struct blob; /* one file's bytes; counted */

/* `folder` is where large files go (a cache folder); if it cannot be written, to memory after all.
 * NULL: out of memory. */
struct blobs *blobs_new(size_t max_bytes, const char *folder);
void blobs_free(struct blobs *blobs);

/* Borrows the bytes of a key until blobs_put; NULL if they are not there. */
struct blob *blobs_find(struct blobs *blobs, uint32_t key);

/* Takes the bytes over (malloc'd), also on failure. If the key is there already, that one is kept and
 * handed out. Give *out back with blobs_put. 0 or -ENOMEM. */
int blobs_add(struct blobs *blobs, uint32_t key, void *bytes, size_t size, struct blob **out);

void blobs_put(struct blobs *blobs, struct blob *blob);

const void *blobs_bytes(const struct blob *blob);
size_t blobs_size(const struct blob *blob);

#endif
