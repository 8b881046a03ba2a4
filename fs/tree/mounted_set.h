/* mounted_set.h - one list, or one set, that a mount serves: its sources as they were last read. */
#ifndef FS_TREE_MOUNTED_SET_H
#define FS_TREE_MOUNTED_SET_H

#include "fs/sets/set.h"
#include "fs/settings.h"

struct repo_version;

/* What readahead.c knows of a list. */
struct list_ahead {
    const struct repo_version
        *missed;      /* what a reader asked for last, and the cache did not have */
    int64_t begun_at; /* clock_now() when its versions were last fetched ahead; 0 */
};

struct mounted_set {
    struct set set; /* as last read without a fault; its name NULL: sources given directly */
    char *path;     /* the list file, absolute; NULL for sets and direct sources */
    struct list_folder *found_in; /* borrowed; NULL: given by itself */
    char *fault;                  /* why what it says now is not what is shown; NULL: it is */
    uint32_t node;                /* its folder, once it has one */
    struct list_ahead ahead;
    struct mounted_set *next;
};

/* Reads the list at `path`, or for NULL the set of that name. The caller owns *out, which is NULL
 * on failure. */
int mounted_set_read(const struct settings *settings, const char *name, const char *path,
                     struct mounted_set **out, struct error *e);
/* One that could not be read yet: without sources. NULL: out of memory. */
struct mounted_set *mounted_set_faulty(const char *name, const char *path, const char *fault);
void mounted_set_free(struct mounted_set *mounted);

/* Whether both have the same sources, written alike, and the same type. */
bool mounted_set_is_same(const struct mounted_set *mounted, const struct mounted_set *other);
/* Exchanges what was read; the paths and folders stay. What is new may be fetched ahead at once. */
void mounted_set_swap(struct mounted_set *a, struct mounted_set *b);

#endif
