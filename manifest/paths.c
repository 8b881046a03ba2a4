/* paths.c - see paths.h. */
#include "manifest/paths.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SYMLINKS_MAX 40 /* followed for one name, as Linux does */

static int rank(char c)
{
    return c == '\0' ? 0 : c == '/' ? 1 : 2 + (unsigned char)c;
}

/* Orders paths part by part, as a walk of sorted folders meets them: a slash sorts first. */
static int compare_names(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return rank(*a) - rank(*b);
}

static int compare_paths(const void *a, const void *b)
{
    return compare_names(((const struct path *)a)->name, ((const struct path *)b)->name);
}

static bool is_git(const char *path)
{
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strcmp(part, ".git") == 0 || strncmp(part, ".git/", 5) == 0)
            return true;
    }
    return false;
}

static int paths_add(void *visitor, const char *path, enum path_kind kind, uint64_t size)
{
    struct paths *paths = visitor;
    size_t count = paths->count;
    if (is_git(path) || strlen(path) >= PATH_LENGTH)
        return 0;
    if (count == PATHS_MAX)
        return -E2BIG;
    if ((count & (count - 1)) == 0) { /* full at each power of two */
        struct path *items = reallocarray(paths->items, count ? count * 2 : 1, sizeof(*items));
        if (!items)
            return -ENOMEM;
        paths->items = items;
    }
    char *name = strdup(path);
    if (!name)
        return -ENOMEM;
    paths->items[paths->count++] = (struct path){name, kind, size};
    /* cppcheck-suppress memleak ; the item above owns it */
    return 0;
}

int paths_load(struct paths *paths, const struct start_point_files *files)
{
    *paths = (struct paths){.files = files};
    int r = files->walk(files->data, paths_add, paths);
    if (paths->count > 1)
        qsort(paths->items, paths->count, sizeof(*paths->items), compare_paths);
    return r;
}

void paths_release(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->items[i].name);
    free(paths->items);
    memset(paths, 0, sizeof(*paths));
}

/* The first path that does not sort before the name. */
static size_t lower_bound(const struct paths *paths, const char *name)
{
    size_t low = 0, high = paths->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(paths->items[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The file or symlink of that name; NULL and *is_folder if paths go on below it. */
static const struct path *find(const struct paths *paths, const char *name, bool *is_folder)
{
    size_t at = lower_bound(paths, name);
    *is_folder = false;
    if (at == paths->count)
        return NULL;
    const struct path *path = &paths->items[at];
    size_t length = strlen(name);
    if (strncmp(path->name, name, length) != 0)
        return NULL;
    *is_folder = path->name[length] == '/';
    return path->name[length] == '\0' ? path : NULL;
}

/* A walk along a name: where it stands, and what is still to go. */
struct path_walk {
    char at[PATH_LENGTH];
    char rest[PATH_LENGTH];
    unsigned symlinks;
};

/* Takes the next part off the rest, into part. */
static void next_part(struct path_walk *walk, char part[PATH_LENGTH])
{
    size_t skip = strspn(walk->rest, "/");
    size_t length = strcspn(walk->rest + skip, "/");
    memcpy(part, walk->rest + skip, length);
    part[length] = '\0';
    memmove(walk->rest, walk->rest + skip + length, strlen(walk->rest + skip + length) + 1);
}

static bool descend(struct path_walk *walk, const char *part)
{
    size_t used = strlen(walk->at), length = strlen(part);
    if (used + 1 + length >= sizeof(walk->at))
        return false;
    if (used)
        walk->at[used++] = '/';
    memcpy(walk->at + used, part, length + 1);
    return true;
}

static void ascend(struct path_walk *walk)
{
    char *slash = strrchr(walk->at, '/');
    *(slash ? slash : walk->at) = '\0';
}

/* Puts a symlink's target before the rest, and stands in the symlink's folder again. */
static int follow(const struct paths *paths, struct path_walk *walk)
{
    void *bytes = NULL;
    size_t size = 0, rest = strlen(walk->rest);
    if (++walk->symlinks > SYMLINKS_MAX)
        return PATH_MISSING;
    int r = paths->files->read(paths->files->data, walk->at, PATH_LENGTH - 1, &bytes, &size);
    if (r == -EFBIG)
        return PATH_MISSING;
    if (r < 0)
        return r;
    const char *target = bytes;
    if (size == 0 || memchr(target, '\0', size) || size + rest + 1 >= sizeof(walk->rest)) {
        r = PATH_MISSING;
    } else if (target[0] == '/') {
        r = PATH_OUTSIDE;
    } else {
        memmove(walk->rest + size, walk->rest, rest + 1); /* the rest begins with a slash */
        memcpy(walk->rest, target, size);
        ascend(walk);
        r = PATH_IS_FOLDER;
    }
    free(bytes);
    return r;
}

/* One part further. PATH_IS_FOLDER: stands in a folder, the walk may go on. */
static int step(const struct paths *paths, struct path_walk *walk, const struct path **out)
{
    char part[PATH_LENGTH];
    bool is_folder;
    next_part(walk, part);
    if (part[0] == '\0' || strcmp(part, ".") == 0)
        return PATH_IS_FOLDER;
    if (strcmp(part, "..") == 0) {
        if (walk->at[0] == '\0')
            return PATH_OUTSIDE;
        ascend(walk);
        return PATH_IS_FOLDER;
    }
    if (!descend(walk, part))
        return PATH_MISSING;
    const struct path *path = find(paths, walk->at, &is_folder);
    if (!path)
        return is_folder ? PATH_IS_FOLDER : PATH_MISSING;
    if (path->kind == PATH_SYMLINK)
        return follow(paths, walk);
    if (walk->rest[0] != '\0')
        return PATH_MISSING; /* a file is no folder */
    *out = path;
    return PATH_FOUND;
}

int paths_resolve(const struct paths *paths, const char *folder, const char *name,
                  const struct path **out)
{
    struct path_walk walk = {0};
    if (strlen(name) >= sizeof(walk.rest) || strlen(folder) >= sizeof(walk.at))
        return PATH_MISSING;
    strcpy(walk.at, folder);
    strcpy(walk.rest, name);
    int r = PATH_IS_FOLDER;
    while (r == PATH_IS_FOLDER && walk.rest[0] != '\0')
        r = step(paths, &walk, out);
    return r;
}
