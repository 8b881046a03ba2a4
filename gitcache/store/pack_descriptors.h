/* pack_descriptors.h - the few packs that were read last stay open for the next read. Private to
 * gitcache/store.
 *
 * To open a pack and close it again takes a tenth of the time of reading a small file. So many are
 * held at most, whatever the number of packs; each is one reader's while it reads. For any number of
 * threads. */
#ifndef GITCACHE_STORE_PACK_DESCRIPTORS_H
#define GITCACHE_STORE_PACK_DESCRIPTORS_H

#define PACK_DESCRIPTORS_MAX 8

struct pack_file;
struct pack_descriptors;

/* NULL: out of memory. */
struct pack_descriptors *pack_descriptors_new(void);
void pack_descriptors_free(struct pack_descriptors *descriptors);

/* A descriptor of that pack, which is the caller's now; -1: none is held. */
int pack_descriptors_take(struct pack_descriptors *descriptors, const struct pack_file *pack);
/* Holds it for the next one, in place of the one that was used longest ago, which is closed. */
void pack_descriptors_give(struct pack_descriptors *descriptors, const struct pack_file *pack,
                           int fd);
/* The pack goes. */
void pack_descriptors_forget(struct pack_descriptors *descriptors, const struct pack_file *pack);

#endif
