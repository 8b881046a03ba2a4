#include "fs/tree/lists_open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/sets/list_folder.h"
#include "fs/tree/lists.h"
#include "fs/tree/lists_reload.h"
#include "fs/tree/lists_saved.h"

/* The path with its folder's symlinks resolved, not its own: what it points to may be replaced, as
 * in a ConfigMap that is mounted. Where the folder is not there, as it is written. */
static char *path_of_list(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = strndup(path, (size_t)(slash - path + 1));
    char *real = folder ? realpath(folder, NULL) : NULL, *out = NULL;

    if (folder && !real)
        out = strdup(path);
    else if (real && asprintf(&out, "%s%s", strcmp(real, "/") == 0 ? "" : real, slash) < 0)
        out = NULL;
    free(folder);
    free(real);
    return out;
}

static int open_list(struct mount *mount, const char *file, struct list_folder *found_in,
                     struct error *e)
{
    char *path = path_of_list(file), *name = path ? lists_name_of_file(path) : NULL;
    struct mounted_set *mounted;
    int r = name ? lists_check_name(mount->lists, name, file, e) : error_no_memory(e);

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

static struct list_folder *add_folder(struct mount *mount, const char *path)
{
    char *real = realpath(path, NULL);
    struct list_folder *folder = lists_add_folder(mount->lists, real ? real : path);

    free(real);
    return folder;
}

static int open_folder(struct mount *mount, const char *path, struct error *e)
{
    struct list_folder *folder = add_folder(mount, path);
    char **paths;
    int r;

    if (!folder)
        return error_no_memory(e);
    r = list_folder_read(folder->path, &paths, e);
    if (r < 0)
        return r;
    if (!*paths)
        log_warning(mount->log, "the folder of lists %s is empty: there is nothing to show yet",
                    folder->path);
    for (char **file = paths; *file && r == 0; file++)
        r = open_list(mount, *file, folder, e);
    list_folder_free(paths);
    folder->device = list_folder_device(folder->path);
    return r;
}

static int open_direct(struct mount *mount, const char *operand, const char *base, struct error *e)
{
    struct mounted_set *mounted = calloc(1, sizeof *mounted);

    if (!mounted)
        return error_no_memory(e);
    lists_append(mount->lists, mounted);
    return source_list_add_source(&mounted->set.sources, operand, base, e);
}

/* What an operand is. */
enum operand_kind { OPERAND_LIST, OPERAND_FOLDER, OPERAND_SOURCE };

static enum operand_kind kind_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        return OPERAND_LIST;
    return list_folder_is(path, true) ? OPERAND_FOLDER : OPERAND_SOURCE;
}

/* Malloc'd; NULL: out of memory. */
static char *absolute(const char *base, const char *operand)
{
    char *path = NULL;

    if (*operand == '/')
        return strdup(operand);
    return asprintf(&path, "%s/%s", base, operand) < 0 ? NULL : path;
}

static int open_operand(struct mount *mount, const char *base, const char *operand, struct error *e)
{
    char *path = absolute(base, operand);
    int r = -ENOMEM;

    if (!path)
        return error_no_memory(e);
    switch (kind_of(path)) {
    case OPERAND_LIST:
        r = open_list(mount, path, NULL, e);
        break;
    case OPERAND_FOLDER:
        r = open_folder(mount, path, e);
        break;
    case OPERAND_SOURCE:
        r = open_direct(mount, operand, base, e);
        break;
    }
    free(path);
    return r;
}

static int begin(struct mount *mount, struct error *e)
{
    struct lists *lists = calloc(1, sizeof *lists);

    if (!lists)
        return error_no_memory(e);
    pthread_mutex_init(&lists->lock, NULL);
    mount->lists = lists;
    return 0;
}

static int add_sets(struct mount *mount, struct error *e)
{
    struct list_folder *folder = lists_add_folder(mount->lists, mount->settings->sets);

    if (!folder)
        return error_no_memory(e);
    folder->holds_sets = true;
    return 0;
}

int lists_open(struct mount *mount, const char *folder, char *const *operands, size_t count,
               struct error *e)
{
    int r = begin(mount, e);

    if (r == 0)
        work_begin(&mount->lists->publishing);
    if (r == 0 && count == 0)
        r = add_sets(mount, e);
    for (size_t i = 0; i < count && r == 0; i++)
        r = open_operand(mount, folder, operands[i], e);
    if (r == 0)
        r = lists_check(mount->lists, NULL, NULL, e);
    if (r == 0)
        r = lists_show(mount, e);
    if (r == 0 && count == 0)
        r = lists_load(mount, e);
    return r;
}

/* ---- which files that is ---- */

typedef int visit_path(void *data, const char *path, bool is_folder);

static int visit_links(const char *folder, visit_path *visit, void *data)
{
    char **paths = NULL;
    struct stat st;
    int r = 0;

    if (list_folder_read(folder, &paths, NULL) < 0)
        return 0;
    for (char **path = paths; *path && r == 0; path++)
        if (lstat(*path, &st) == 0 && S_ISLNK(st.st_mode))
            r = visit(data, *path, false);
    list_folder_free(paths);
    return r;
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int visit_operand(const char *path, visit_path *visit, void *data)
{
    int r = 0;

    switch (kind_of(path)) {
    case OPERAND_LIST:
        return visit(data, path, false);
    case OPERAND_FOLDER:
        r = visit(data, path, true);
        return r ? r : visit_links(path, visit, data);
    case OPERAND_SOURCE: /* a list that is not there now; a repository is git's to read */
        return is_folder(path) ? 0 : visit(data, path, false);
    }
    return 0;
}

int lists_open_each_path(const char *folder, char *const *operands, size_t count, visit_path *visit,
                         void *data)
{
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) {
        char *path = absolute(folder, operands[i]);
        r = path ? visit_operand(path, visit, data) : -ENOMEM;
        free(path);
    }
    return r;
}

/* ---- a later worker ---- */

/* Remembers an operand that cannot be read now as what it seems to be, so that it is read when it
 * can be. */
static int remember(struct mount *mount, const char *path, const struct error *fault)
{
    char *name = lists_name_of_file(path);
    struct mounted_set *mounted = name ? mounted_set_faulty(name, path, fault->text) : NULL;

    free(name);
    if (!mounted)
        return -ENOMEM;
    lists_append(mount->lists, mounted);
    return 0;
}

/* Reads what can be read. */
static int salvage_operand(struct mount *mount, const char *base, const char *operand,
                           struct error *e)
{
    char *path = absolute(base, operand);
    struct error fault;
    int r = 0;

    if (!path)
        return error_no_memory(e);
    switch (kind_of(path)) {
    case OPERAND_LIST:
        if (open_list(mount, path, NULL, &fault) < 0) {
            log_error(mount->log, "%s", fault.text);
            r = remember(mount, path, &fault);
        }
        break;
    case OPERAND_FOLDER: /* its lists come with the reload that follows */
        r = add_folder(mount, path) ? 0 : -ENOMEM;
        break;
    case OPERAND_SOURCE:
        if (open_direct(mount, operand, base, &fault) < 0) {
            log_error(mount->log, "%s", fault.text);
            r = fault.errnum == ENOMEM ? -ENOMEM : remember(mount, path, &fault);
        }
        break;
    }
    free(path);
    return r < 0 ? error_no_memory(e) : 0;
}

static int salvage(struct mount *mount, const char *folder, char *const *operands, size_t count,
                   struct error *e)
{
    int r = 0;

    if (count == 0)
        r = add_sets(mount, e);
    for (size_t i = 0; i < count && r == 0; i++)
        r = salvage_operand(mount, folder, operands[i], e);
    return r < 0 ? r : lists_load(mount, e);
}

int lists_resume(struct mount *mount, const char *folder, char *const *operands, size_t count,
                 struct error *e)
{
    struct error why;
    int r = begin(mount, e);

    if (r < 0)
        return r;
    int saved = lists_saved_read(mount->lists, mount->last_reading, &why);
    if (saved < 0) {
        log_warning(mount->log, "%s: reading the lists again", why.text);
        r = salvage(mount, folder, operands, count, e);
    }
    if (r == 0 && lists_show(mount, &why) < 0) {
        log_error(mount->log, "%s", why.text);
        mount->lists->is_unshown = true;
        r = why.errnum == ENOMEM ? error_no_memory(e) : 0;
    }
    return r;
}
