/* lists.h - the lists and sets that a mount serves, and what happens when one of them changes.
 *
 * Each list file given to `mount`, each one in a folder of lists, and each set that `create` made
 * (when `mount` got no source), is served as a set: a folder .startpointfs/sets/NAME/ with the
 * layout that the cyber-dojo services read. Together their sources, and those given directly, make
 * the mount's root.
 *
 * A list that has become faulty, or is gone, changes nothing: what was read last stays, also for the
 * next worker (lists_saved.h), and its fault is reported. The same goes for a folder of lists. A list
 * that was taken out of a folder which is still there is meant to go. */
#ifndef FS_TREE_LISTS_H
#define FS_TREE_LISTS_H

#include <stdatomic.h>

#include "fs/tree/ask.h"
#include "fs/tree/mount.h"
#include "fs/tree/mounted_set.h"
#include "fs/tree/work.h"

/* A folder whose lists (or sets) come and go. */
struct list_folder {
    char *path;      /* absolute */
    bool holds_sets; /* those that `create` made */
    uint64_t device; /* the file system that it was on when it was last read; 0: not read yet */
    char *fault;     /* why it could not be read when it was tried last; NULL: it could */
    char *refused;   /* lists of it that have no name of their own, as the log said; or NULL */
    struct list_folder *next;
};

struct lists {
    pthread_mutex_t lock; /* guards all below; held while lists are read, never on the way of a read
                             of a version */
    struct mounted_set *first;
    struct list_folder *folders;
    bool is_unshown;        /* what was read last could not be shown */
    struct work publishing; /* of a first worker: runs until the sets' folders are there */
    atomic_int published;   /* 0, or why they could not be made */
};

void lists_close(struct mount *mount);

/* The folders that hold lists and sets, for watching: calls visit with each path. */
void lists_each_folder(struct mount *mount, void (*visit)(void *data, const char *folder),
                       void *data);

/* Makes or updates the sets' folders, after a repository's listing has told more of its branches.
 */
int lists_publish(struct mount *mount);
/* The same for the first time: a first worker serves the root before it has looked into ten thousand listings for
 * branches. Does nothing in a later one, which has them before it serves. */
void lists_publish_first(struct mount *mount);
/* Whether they are there: 0; -EAGAIN: soon, wait for ask->work; or why not. Where they could not be made it is tried again. */
int lists_published(struct mount *mount, struct ask *ask);

/* ---- for lists_*.c; the caller holds the lock ---- */

/* "pp" of /etc/startpointfs/pp.list; malloc'd. */
char *lists_name_of_file(const char *path);
/* Whether a list may be served by that name: EINVAL. */
int lists_check_name(struct lists *lists, const char *name, const char *path, struct error *e);
struct mounted_set *lists_find(struct lists *lists, const char *name);
/* Frees what they hold. */
void lists_clear(struct lists *lists);
/* A folder that nobody has read yet. NULL: out of memory. */
struct list_folder *lists_add_folder(struct lists *lists, const char *path);
/* Takes ownership. */
void lists_append(struct lists *lists, struct mounted_set *mounted);
/* Whether all sources agree, with `instead` in the place of `of` (both may be NULL): EINVAL. */
int lists_check(const struct lists *lists, const struct mounted_set *of,
                const struct mounted_set *instead, struct error *e);
/* Makes the mount's folders what the lists say now, the sets' only if they are there, and keeps that for the next worker. */
int lists_show(struct mount *mount, struct error *e);

#endif
