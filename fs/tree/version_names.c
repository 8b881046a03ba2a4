#include "fs/tree/version_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/nodes.h"

static bool fits_folders(const char *name)
{
    size_t length;

    for (;; name += length + 1) {
        length = strcspn(name, "/");
        if (length == 0 || length > NODE_NAME_MAX)
            return false;
        if (!name[length])
            return true;
    }
}

static int append(struct version_names *names, const struct version_name *name)
{
    if (names->count == names->room) {
        size_t room = names->room ? 2 * names->room : 64;
        struct version_name *items = realloc(names->items, room * sizeof *items);
        if (!items)
            return -ENOMEM;
        names->items = items;
        names->room = room;
    }
    names->items[names->count++] = *name;
    return 0;
}

int version_names_borrow(struct version_names *names, const char *name, bool listed, bool branch)
{
    struct version_name new = {name, listed, branch, false};
    return fits_folders(name) ? append(names, &new) : 0;
}

int version_names_add(struct version_names *names, const char *name, bool listed, bool branch)
{
    struct version_name new = {NULL, listed, branch, true};

    if (!fits_folders(name))
        return 0;
    new.name = strdup(name);
    int r = new.name ? append(names, &new) : -ENOMEM;
    if (r < 0)
        free((char *)new.name);
    return r;
}

static void release_name(const struct version_name *name)
{
    if (name->is_copy)
        free((char *)name->name);
}

void version_names_release(struct version_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        release_name(&names->items[i]);
    free(names->items);
    if (names->listing)
        repository_listing_put(names->repository, names->listing);
    *names = (struct version_names){0};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct version_name *)a)->name, ((const struct version_name *)b)->name);
}

void version_names_sort(struct version_names *names)
{
    struct version_name *items = names->items;
    size_t kept = 0;

    if (names->count > 0)
        qsort(items, names->count, sizeof *items, compare_names);
    for (size_t i = 0; i < names->count; i++) {
        if (kept > 0 && strcmp(items[kept - 1].name, items[i].name) == 0) {
            items[kept - 1].listed |= items[i].listed;
            items[kept - 1].branch &= items[i].branch;
            release_name(&items[i]);
        } else {
            items[kept++] = items[i];
        }
    }
    names->count = kept;
}
