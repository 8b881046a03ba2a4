/* set_folders.h - the folders .startpointfs/sets/NAME/ in the layout that the cyber-dojo services
 * read:
 *
 *     0/ 1/ ...    the trees of the sources, in order
 *     shas.txt     a line a source: INDEX, SHA, SOURCE, with " \t " between
 *     image.type   languages, exercises or custom; only where the type is known
 */
#ifndef FS_TREE_SET_FOLDERS_H
#define FS_TREE_SET_FOLDERS_H

#include "fs/tree/ask.h"
#include "fs/tree/mount.h"

/* Brings the folders up to date with mount->lists, whose lock the caller holds. What stays keeps
 * its inode number. */
int set_folders_publish(struct mount *mount, struct error *e);

/* The texts of shas.txt and image.type of the set in that folder, malloc'd. A set with versions
 * that nobody has resolved yet needs the network for its shas.txt: `ask` as in ask.h. 0,
 * -EAGAIN, -ENOENT (no such set any more) or another errno. */
int set_folders_shas(struct mount *mount, uint32_t folder, struct ask *ask, char **text);
int set_folders_type(struct mount *mount, uint32_t folder, char **text);

#endif
