/* blobs.h - files' bytes, so that each file is inflated once and not once a request.
 *
 * Bounded in bytes: what was used longest ago goes first; the newest stays, however large. A large
 * file (above 16 MiB) is kept in an unlinked temporary file instead of memory: two of them being
 * read at once don't push each other out. Several threads that want the same file wait for one of
 * them to read it. */
#ifndef FS_TREE_BLOBS_H
#define FS_TREE_BLOBS_H

#include <stddef.h>
#include <stdint.h>

struct blobs;
struct blob; /* one file's bytes; counted */

/* Reads the bytes of a key into a malloc'd buffer; 0 or a negative errno. */
typedef int (*blobs_load)(void *data, uint32_t key, void **bytes, size_t *size);

/* `folder` is where large files go (a cache folder); if it can't be written, to memory after all.
 * NULL: out of memory. */
struct blobs *blobs_new(size_t max_bytes, const char *folder, blobs_load load, void *data);
void blobs_free(struct blobs *blobs);

/* Borrows the bytes until blob_put. 0 or a negative errno of `load`, which is not kept. */
int blobs_get(struct blobs *blobs, uint32_t key, struct blob **out);
void blob_put(struct blobs *blobs, struct blob *blob);

const void *blob_bytes(const struct blob *blob);
size_t blob_size(const struct blob *blob);

#endif
