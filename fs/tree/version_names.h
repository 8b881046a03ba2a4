/* version_names.h - a list of the names below a repository while it is made: "3.7.4-19", or
 * "release/3.7". */
#ifndef FS_TREE_VERSION_NAMES_H
#define FS_TREE_VERSION_NAMES_H

#include "gitcache/store/repository.h"

struct version_name {
    const char *name; /* a copy, or the listing's: see is_copy */
    bool listed;
    bool branch;
    bool is_copy;
};

/* Start with zeroes. */
struct version_names {
    struct version_name *items;
    size_t count, room;
    struct repository *repository;
    const struct listing *listing; /* whose names are borrowed; NULL: nobody's */
};

/* Adds a name; one that is there already becomes listed if either is. A name with a part longer than
 * 255 bytes can't be a folder, and is left out. `add` makes a copy, `borrow` keeps the listing's. 0 or
 * -ENOMEM. */
int version_names_add(struct version_names *names, const char *name, bool listed, bool branch);
int version_names_borrow(struct version_names *names, const char *name, bool listed, bool branch);

/* Sorts (strcmp); each name is there once then. A tag wins over a branch of its name. */
void version_names_sort(struct version_names *names);

/* Gives the listing back, too. */
void version_names_release(struct version_names *names);

#endif
