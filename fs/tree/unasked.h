/* unasked.h - who reads the mount though nobody asked them to: what such a process reads is not fetched for it.
 *
 * An indexer that walks the whole machine would else fetch every version of every repository. It is known by its name in
 * /proc/PID/comm, of the thread that reads or of its process; no_fetch_for= has the names. One of another pid namespace, and one
 * whose name may not be read, is served as everybody is. */
#ifndef FS_TREE_UNASKED_H
#define FS_TREE_UNASKED_H

#include "fs/tree/ask.h"

/* 0; or -EACCES, which makes walkers go on with the next folder: nothing is fetched for this request. Logs each name once. */
int unasked_refuse(struct mount *mount, struct ask *ask);

/* Which of the names (separated by colons; longer ones count as the kernel cuts them) `comm` is: its number, or -1. */
int unasked_find(const char *names, const char *comm);

#endif
