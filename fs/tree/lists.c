#include "fs/tree/lists.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/sets/list_folder.h"
#include "fs/sets/sets.h"
#include "fs/tree/set_folders.h"

/* "pp" of /etc/startpointfs/pp.list. */
char *lists_name_of_file(const char *path)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(base, '.');

    return strndup(base, dot && dot != base ? (size_t)(dot - base) : strlen(base));
}

void lists_append(struct lists *lists, struct served *served)
{
    struct served **last = &lists->first;

    while (*last)
        last = &(*last)->next;
    *last = served;
}

struct served *lists_find(struct lists *lists, const char *name)
{
    struct served *served = lists->first;

    while (served && (!served->set.name || strcmp(served->set.name, name) != 0))
        served = served->next;
    return served;
}

/* ---- all of them together ---- */

/* The sources of all lists, with `instead` in the place of `of` (both may be NULL). Strings are
 * borrowed: free the items only. */
static int unite(const struct lists *lists, const struct served *of, const struct served *instead,
                 struct source_list *all)
{
    size_t count = 0;

    for (const struct served *served = lists->first; served; served = served->next)
        count += served->set.sources.count;
    all->items = calloc(count + (instead ? instead->set.sources.count : 0) + 1, sizeof *all->items);
    all->count = 0;
    if (!all->items)
        return -ENOMEM;
    for (const struct served *served = lists->first; served; served = served->next) {
        const struct served *use = served == of ? instead : served;
        for (size_t i = 0; use && i < use->set.sources.count; i++)
            all->items[all->count++] = use->set.sources.items[i];
    }
    for (size_t i = 0; !of && instead && i < instead->set.sources.count; i++)
        all->items[all->count++] = instead->set.sources.items[i];
    return 0;
}

int lists_check(const struct lists *lists, const struct served *of, const struct served *instead,
                struct error *e)
{
    struct source_list all;
    int r = unite(lists, of, instead, &all);

    if (r < 0)
        return error_no_memory(e);
    r = source_list_check(&all, e);
    free(all.items);
    return r;
}

/* Shows what the lists say now. */
int lists_show(struct mount *mount, struct error *e)
{
    struct source_list all;

    if (unite(mount->lists, NULL, NULL, &all) < 0)
        return error_no_memory(e);
    int r = namespace_set_sources(mount, &all, e);
    free(all.items);
    if (r == 0)
        r = set_folders_publish(mount, e);
    if (r == 0 && mount->settings->prefetch)
        namespace_prefetch(mount);
    return r;
}

/* ---- opening ---- */

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

int lists_check_name(struct lists *lists, const char *name, const char *path, struct error *e)
{
    const char *why;

    if (!set_name_is_valid(name, &why))
        return error_set(e, EINVAL, "list %s: it is served as a set of its name, and that %s", path,
                         why);
    if (lists_find(lists, name))
        return error_set(e, EINVAL, "list %s: another list is named '%s' too: rename one of them",
                         path, name);
    return 0;
}

static int open_list(struct mount *mount, const char *operand, const char *found_in,
                     struct error *e)
{
    char *path = path_of_list(operand), *name = path ? lists_name_of_file(path) : NULL;
    struct served *served;
    int r;

    if (!name)
        r = error_set(e, errno, "cannot read the list %s: %s", operand, strerror(errno));
    else
        r = lists_check_name(mount->lists, name, operand, e);
    if (r == 0)
        r = served_read(mount->settings, name, path, &served, e);
    if (r == 0) {
        served->found_in = found_in;
        lists_append(mount->lists, served);
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

static int open_direct(struct mount *mount, const char *operand, struct error *e)
{
    struct served *served = calloc(1, sizeof *served);

    if (!served)
        return error_no_memory(e);
    lists_append(mount->lists, served);
    return source_list_add(&served->set.sources, operand, e);
}

int lists_open(struct mount *mount, char *const *operands, size_t count, struct error *e)
{
    struct lists *lists = calloc(1, sizeof *lists);
    struct stat st;
    int r = 0;

    if (!lists)
        return error_no_memory(e);
    pthread_mutex_init(&lists->lock, NULL);
    mount->lists = lists;
    lists->serves_sets = count == 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        if (stat(operands[i], &st) == 0 && S_ISREG(st.st_mode))
            r = open_list(mount, operands[i], NULL, e);
        else if (list_folder_is(operands[i], true))
            r = open_folder(mount, operands[i], e);
        else
            r = open_direct(mount, operands[i], e);
    }
    if (r == 0)
        r = lists_check(lists, NULL, NULL, e);
    if (r == 0)
        r = lists_show(mount, e);
    if (r == 0 && lists->serves_sets)
        lists_reload(mount);
    return r;
}

void lists_close(struct mount *mount)
{
    if (!mount->lists)
        return;
    while (mount->lists->first) {
        struct served *next = mount->lists->first->next;
        served_free(mount->lists->first);
        mount->lists->first = next;
    }
    while (mount->lists->folders) {
        struct list_folder *next = mount->lists->folders->next;
        free(mount->lists->folders->path);
        free(mount->lists->folders);
        mount->lists->folders = next;
    }
    pthread_mutex_destroy(&mount->lists->lock);
    free(mount->lists);
}

int lists_publish(struct mount *mount)
{
    struct error error;

    pthread_mutex_lock(&mount->lists->lock);
    int r = set_folders_publish(mount, &error);
    pthread_mutex_unlock(&mount->lists->lock);
    if (r < 0)
        log_error(mount->log, "%s", error.text);
    return r;
}

/* The folder that a list's name stands in, and the one that its bytes do. */
static void visit_folders(const char *path, void (*visit)(void *data, const char *folder),
                          void *data)
{
    char here[PATH_MAX], there[PATH_MAX];

    if (strlen(path) >= sizeof here)
        return;
    strcpy(here, path);
    *strrchr(here, '/') = '\0';
    visit(data, *here ? here : "/");
    if (!realpath(path, there))
        return;
    *strrchr(there, '/') = '\0';
    if (strcmp(here, there) != 0)
        visit(data, *there ? there : "/");
}

void lists_each_folder(struct mount *mount, void (*visit)(void *data, const char *folder),
                       void *data)
{
    pthread_mutex_lock(&mount->lists->lock);
    if (mount->lists->serves_sets)
        visit(data, mount->settings->sets);
    for (const struct list_folder *folder = mount->lists->folders; folder; folder = folder->next)
        visit(data, folder->path);
    for (struct served *served = mount->lists->first; served; served = served->next)
        if (served->path)
            visit_folders(served->path, visit, data);
    pthread_mutex_unlock(&mount->lists->lock);
}
