/* shown.h - which versions a repository's folder shows at one moment: found by name and listed, without a
 * node for each.
 *
 * Immutable once it is made, and counted: who looks into it holds it, whatever the folder shows next.
 * A name takes 16 bytes here and nothing in the node table; 24 once its folder is listed. */
#ifndef FS_TREE_SHOWN_H
#define FS_TREE_SHOWN_H

#include "fs/tree/version_names.h"

struct shown;

enum shown_kind { SHOWN_NOTHING, SHOWN_VERSION, SHOWN_PREFIX };

/* One child of a folder. The name is borrowed from the struct shown, and not terminated. */
struct shown_child {
    const char *name;
    size_t length;
    enum shown_kind kind;
    bool branch;
    uint32_t number; /* below 2^31; tells it from the folder's other children */
};

/* Takes the names over on success. They need not be sorted. NULL: out of memory. */
struct shown *shown_new(struct version_names *names);
struct shown *shown_hold(struct shown *shown); /* NULL stays NULL */
void shown_put(struct shown *shown);

/* What a path below the repository is: "3.7", "release", "release/3.7". A prefix wins over a version of
 * its name: a branch may be called as tags nest. */
enum shown_kind shown_find(const struct shown *shown, const char *path, bool *branch);

/* The listed children of a folder ("" for the repository's, else a prefix's path), one a call. Start with
 * *offset 0; its values stay good for another struct shown of the repository. 0, -ENOENT (no more) or
 * -ENOMEM. */
int shown_next(struct shown *shown, const char *folder, uint64_t *offset, struct shown_child *out);
/* How many there are; 0 if out of memory. */
size_t shown_count(struct shown *shown, const char *folder);

/* How a folder that showed `before` (may be NULL) changes: not at all, names have come, or a name is gone
 * or means something else now. */
enum shown_change { SHOWN_SAME, SHOWN_MORE, SHOWN_OTHER };
enum shown_change shown_compare(const struct shown *before, const struct shown *after);

#endif
