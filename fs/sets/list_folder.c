#include "fs/sets/list_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool exists(const char *folder, const char *name)
{
    struct stat st;
    char *path;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return false;
    bool found = stat(path, &st) == 0;
    free(path);
    return found;
}

/* "languages.list", not ".list". */
static bool is_list_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name && name[0] != '.' && strcmp(dot, ".list") == 0;
}

bool list_folder_is(const char *path, bool may_be_empty)
{
    bool has_list = false, is_empty = true;
    const struct dirent *entry;
    DIR *folder = opendir(path);

    if (!folder)
        return false;
    while ((entry = readdir(folder))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        is_empty = false;
        has_list = has_list || is_list_name(entry->d_name);
    }
    closedir(folder);
    return (has_list || (is_empty && may_be_empty)) && !exists(path, ".git") &&
           !exists(path, "HEAD");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes one more; the array always ends with NULL. */
static int add_path(char ***paths, size_t *count, const char *folder, const char *name)
{
    char **more = reallocarray(*paths, *count + 2, sizeof *more);

    if (!more)
        return -ENOMEM;
    *paths = more;
    if (asprintf(&more[*count], "%s/%s", folder, name) < 0) {
        more[*count] = NULL;
        return -ENOMEM;
    }
    more[++*count] = NULL;
    return 0;
}

int list_folder_read(const char *path, char ***out, struct error *e)
{
    char **paths = calloc(1, sizeof *paths);
    const struct dirent *entry;
    DIR *folder = opendir(path);
    size_t count = 0;
    int r = 0;

    if (!folder) {
        r = error_set(e, errno, "cannot read the folder of lists %s: %s", path, strerror(errno));
        goto out;
    }
    if (!paths)
        r = -ENOMEM;
    while (r == 0 && (entry = readdir(folder)))
        if (is_list_name(entry->d_name))
            r = add_path(&paths, &count, path, entry->d_name);
    closedir(folder);
    if (r < 0) {
        error_no_memory(e);
    } else {
        qsort(paths, count, sizeof *paths, by_name);
        *out = paths;
        paths = NULL;
    }
out:
    list_folder_free(paths);
    return r;
}

void list_folder_free(char **paths)
{
    for (char **path = paths; path && *path; path++)
        free(*path);
    free(paths);
}

uint64_t list_folder_device(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_dev : 0;
}

int list_folder_add(struct source_list *list, const char *argument, struct error *e)
{
    char **paths;
    int r;

    if (!list_folder_is(argument, false))
        return source_list_add(list, argument, e);
    r = list_folder_read(argument, &paths, e);
    if (r < 0)
        return r;
    for (char **path = paths; *path && r == 0; path++)
        r = source_list_add(list, *path, e);
    list_folder_free(paths);
    return r;
}
