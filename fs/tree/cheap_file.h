/* cheap_file.h - small files, most of which are not converted: they are read where somebody is about to need them. Private
 * to fs/tree. */
#ifndef FS_TREE_CHEAP_FILE_H
#define FS_TREE_CHEAP_FILE_H

#include "fs/tree/blobs.h"
#include "fs/tree/mount.h"

/* Whether reading it takes about as long as its size says, and that is not long. */
bool cheap_file_is(const struct node *node, const struct repo *repo);

/* Reads it on the calling thread. If it took long after all, none of that repository is cheap from then on. As
 * blobs_add, or the errno of why it cannot be read. */
int cheap_file_read(struct mount *mount, struct repo *repo, uint32_t node, struct blob **out,
                    struct error *e);

/* Whether it may be tried to read it before anybody needs it: it is cheap, or small and perhaps converted quickly. */
bool cheap_file_may_be(const struct node *node, const struct repo *repo);

/* Tries that, for a few milliseconds. As cheap_file_read; ECANCELED: it takes longer. */
int cheap_file_try(struct mount *mount, struct repo *repo, uint32_t node, struct blob **out);

#endif
