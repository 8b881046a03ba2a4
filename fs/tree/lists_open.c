#include "fs/tree/lists_open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/sets/list_folder.h"
#include "fs/tree/lists.h"
#include "fs/tree/lists_reload.h"

/* The path with its folder's symlinks resolved, not its own: what it points to may be replaced, as
 * in a ConfigMap that is mounted. */
static char *path_of_list(const char *operand)
{
    const char *slash = strrchr(operand, '/');
    char *folder = slash ? strndup(operand, (size_t)(slash - operand + 1)) : strdup(".");
    char *real = folder ? realpath(folder, NULL) : NULL, *path = NULL;

    if (real && asprintf(&path, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
                         slash ? slash + 1 : operand) < 0)
        path = NULL;
    free(folder);
    free(real);
    return path;
}

static int open_list(struct mount *mount, const char *operand, const char *found_in,
                     struct error *e)
{
    char *path = path_of_list(operand), *name = path ? lists_name_of_file(path) : NULL;
    struct mounted_set *mounted;
    int r;

    if (!name)
        r = error_set(e, errno, "cannot read the list %s: %s", operand, strerror(errno));
    else
        r = lists_check_name(mount->lists, name, operand, e);
    if (r == 0)
        r = mounted_set_read(mount->settings, name, path, &mounted, e);
    if (r == 0) {
        mounted->found_in = found_in;
        lists_append(mount->lists, mounted);
    }
    free(name);
    free(path);
    return r;
}

static int open_folder(struct mount *mount, const char *operand, struct error *e)
{
    struct list_folder *folder = calloc(1, sizeof *folder);
    char **paths;
    int r;

    if (!folder)
        return error_no_memory(e);
    folder->next = mount->lists->folders;
    mount->lists->folders = folder;
    folder->path = realpath(operand, NULL);
    if (!folder->path)
        return error_set(e, errno, "cannot read the folder of lists %s: %s", operand,
                         strerror(errno));
    r = list_folder_read(folder->path, &paths, e);
    if (r < 0)
        return r;
    for (char **path = paths; *path && r == 0; path++)
        r = open_list(mount, *path, folder->path, e);
    list_folder_free(paths);
    return r;
}

static int open_source(struct mount *mount, const char *operand, const char *folder,
                       struct error *e)
{
    struct mounted_set *mounted = calloc(1, sizeof *mounted);

    if (!mounted)
        return error_no_memory(e);
    lists_append(mount->lists, mounted);
    return source_list_add_source(&mounted->set.sources, operand, folder, e);
}

static int open_operand(struct mount *mount, const char *operand, const char *folder,
                        struct error *e)
{
    char *path = NULL;
    struct stat st;
    int r;

    if (asprintf(&path, "%s%s%s", *operand == '/' ? "" : folder, *operand == '/' ? "" : "/",
                 operand) < 0)
        return error_no_memory(e);
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        r = open_list(mount, path, NULL, e);
    else if (list_folder_is(path, true))
        r = open_folder(mount, path, e);
    else
        r = open_source(mount, operand, folder, e);
    free(path);
    return r;
}

int lists_open(struct mount *mount, const char *folder, char *const *operands, size_t count,
               struct error *e)
{
    struct lists *lists = calloc(1, sizeof *lists);
    int r = 0;

    if (!lists)
        return error_no_memory(e);
    pthread_mutex_init(&lists->lock, NULL);
    mount->lists = lists;
    lists->serves_sets = count == 0;
    for (size_t i = 0; i < count && r == 0; i++)
        r = open_operand(mount, operands[i], folder, e);
    if (r == 0)
        r = lists_check(lists, NULL, NULL, e);
    if (r == 0)
        r = lists_show(mount, e);
    if (r == 0 && lists->serves_sets)
        lists_reload(mount);
    return r;
}
