/* branch.h - what the name of a branch stands for: the checkout of its present commit. */
#ifndef FS_TREE_BRANCH_H
#define FS_TREE_BRANCH_H

#include "fs/tree/ask.h"

/* The node that a name stands for just now: for a branch's node the checkout of its present commit,
 * once there is one. So a branch's folder gets another inode when it is switched, and who is inside
 * the old one stays there. For any other node: the same. */
uint32_t branch_shown(const struct mount *mount, uint32_t node);

/* A branch's name was looked up: if its listing is old, its remote is asked in the background what
 * the branch is now. For any other node: nothing. */
void branch_follow(struct mount *mount, uint32_t node, struct ask *ask);

#endif
