/* served.h - one list, or one set, that a mount serves: its sources as they were last read. */
#ifndef FS_TREE_SERVED_H
#define FS_TREE_SERVED_H

#include "fs/sets/sets.h"
#include "fs/settings.h"

struct served {
    struct set set;       /* as last read without a fault; its name NULL: sources given directly */
    char *path;           /* the list file, absolute; NULL for sets and direct sources */
    const char *found_in; /* the folder of lists that it lies in; borrowed; NULL: given by itself */
    char *fault;          /* why the newest reading is not served; NULL: it is */
    uint32_t folder;      /* its node, once it has one */
    struct served *next;
};

/* Reads the list at `path`, or for NULL the set of that name. The caller owns *out, which is NULL
 * on failure. */
int served_read(const struct settings *settings, const char *name, const char *path,
                struct served **out, struct error *e);
void served_free(struct served *served);

/* Whether both have the same sources, written alike, and the same type. */
bool served_is_same(const struct served *served, const struct served *other);
/* Exchanges what was read; the paths and folders stay. */
void served_swap(struct served *a, struct served *b);

#endif
