#include "fs/lists.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/list_folder.h"
#include "fs/set_folders.h"
#include "fs/sets.h"

static void served_free(struct served *served)
{
    for (size_t i = 0; served->given && i < served->sources.count; i++)
        free(served->given[i]);
    free(served->given);
    source_list_release(&served->sources);
    free(served->name);
    free(served->path);
    free(served->fault);
    free(served);
}

static int no_memory(struct error *e)
{
    return error_set(e, ENOMEM, "out of memory");
}

/* ---- reading one list, set or argument ---- */

/* "pp" of /etc/startpointfs/pp.list. */
static char *name_of_file(const char *path)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(base, '.');

    return strndup(base, dot && dot != base ? (size_t)(dot - base) : strlen(base));
}

/* Moves the sources, and how they were given, out of the set. */
static void take_set(struct served *served, struct set *set)
{
    served->sources = set->sources;
    served->given = set->given;
    set->sources = (struct source_list){0};
    set->given = NULL;
    set_release(set);
}

/* A list file that is a set's (another machine's) says its type and how its sources were given. */
static int read_list(struct served *served, enum set_type type, struct error *e)
{
    struct set set = {.type = type};
    int r = set_add(&set, served->path, e);

    served->type = set.type != TYPE_NONE ? set.type : set_type_find(served->name);
    take_set(served, &set);
    return r;
}

static int read_set(struct served *served, const char *folder, struct error *e)
{
    struct set set;
    int r = set_load(&set, folder, served->name, e);

    if (r < 0)
        return r;
    served->type = set.type;
    take_set(served, &set);
    return 0;
}

/* A list or set, read now. On failure *out is NULL. */
static int serve(struct mount *mount, const char *name, const char *path, struct served **out,
                 struct error *e)
{
    struct served *served = calloc(1, sizeof *served);
    int r = 0;

    *out = NULL;
    if (!served)
        return no_memory(e);
    served->name = strdup(name);
    served->path = path ? strdup(path) : NULL;
    if (!served->name || (path && !served->path))
        r = no_memory(e);
    else if (path)
        r = read_list(served, mount->settings->type, e);
    else
        r = read_set(served, mount->settings->sets, e);
    if (r < 0)
        served_free(served);
    else
        *out = served;
    return r;
}

static void append(struct lists *lists, struct served *served)
{
    struct served **last = &lists->first;

    while (*last)
        last = &(*last)->next;
    *last = served;
}

static struct served *find(struct lists *lists, const char *name)
{
    struct served *served = lists->first;

    while (served && (!served->name || strcmp(served->name, name) != 0))
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
        count += served->sources.count;
    all->items = calloc(count + (instead ? instead->sources.count : 0) + 1, sizeof *all->items);
    all->count = 0;
    if (!all->items)
        return -ENOMEM;
    for (const struct served *served = lists->first; served; served = served->next) {
        const struct served *use = served == of ? instead : served;
        for (size_t i = 0; use && i < use->sources.count; i++)
            all->items[all->count++] = use->sources.items[i];
    }
    for (size_t i = 0; !of && instead && i < instead->sources.count; i++)
        all->items[all->count++] = instead->sources.items[i];
    return 0;
}

static int check_together(const struct lists *lists, const struct served *of,
                          const struct served *instead, struct error *e)
{
    struct source_list all;
    int r = unite(lists, of, instead, &all);

    if (r < 0)
        return no_memory(e);
    r = source_list_check(&all, e);
    free(all.items);
    return r;
}

/* Shows what the lists say now. */
static int show(struct mount *mount, struct error *e)
{
    struct source_list all;

    if (unite(mount->lists, NULL, NULL, &all) < 0)
        return no_memory(e);
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

static int check_name(struct lists *lists, const char *name, const char *path, struct error *e)
{
    const char *why;

    if (!set_name_is_valid(name, &why))
        return error_set(e, EINVAL, "list %s: it is served as a set of its name, and that %s", path,
                         why);
    if (find(lists, name))
        return error_set(e, EINVAL, "list %s: another list is named '%s' too: rename one of them",
                         path, name);
    return 0;
}

static int open_list(struct mount *mount, const char *operand, const char *found_in,
                     struct error *e)
{
    char *path = path_of_list(operand), *name = path ? name_of_file(path) : NULL;
    struct served *served;
    int r;

    if (!name)
        r = error_set(e, errno, "cannot read the list %s: %s", operand, strerror(errno));
    else
        r = check_name(mount->lists, name, operand, e);
    if (r == 0)
        r = serve(mount, name, path, &served, e);
    if (r == 0) {
        served->found_in = found_in;
        append(mount->lists, served);
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
        return no_memory(e);
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
        return no_memory(e);
    append(mount->lists, served);
    return source_list_add(&served->sources, operand, e);
}

int lists_open(struct mount *mount, char *const *operands, size_t count, struct error *e)
{
    struct lists *lists = calloc(1, sizeof *lists);
    struct stat st;
    int r = 0;

    if (!lists)
        return no_memory(e);
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
        r = check_together(lists, NULL, NULL, e);
    if (r == 0)
        r = show(mount, e);
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

/* ---- changes ---- */

static void set_fault(struct mount *mount, struct served *served, const char *fault)
{
    if (fault && (!served->fault || strcmp(served->fault, fault) != 0))
        log_error(mount->log, "%s: %s (what was read last goes on)", served->name, fault);
    if (!fault && served->fault)
        log_info(mount->log, "%s: it is in order again", served->name);
    free(served->fault);
    served->fault = fault ? strdup(fault) : NULL;
}

static bool same_sources(const struct served *a, const struct served *b)
{
    if (a->sources.count != b->sources.count || a->type != b->type)
        return false;
    for (size_t i = 0; i < a->sources.count; i++)
        if (strcmp(a->sources.items[i].text, b->sources.items[i].text) != 0 ||
            strcmp(a->sources.items[i].url, b->sources.items[i].url) != 0 ||
            strcmp(a->given[i], b->given[i]) != 0)
            return false;
    return true;
}

/* Takes over what `from` holds; keeps the name, the path and the folder. */
static void replace(struct served *served, struct served *from)
{
    struct source_list sources = served->sources;
    char **given = served->given;

    served->sources = from->sources;
    served->given = from->given;
    served->type = from->type;
    from->sources = sources;
    from->given = given;
}

/* Reads one again. True if it has changed. */
static bool reread(struct mount *mount, struct served *served)
{
    struct served *fresh;
    struct error error;
    bool changed = false;
    int r = serve(mount, served->name, served->path, &fresh, &error);

    if (r == 0)
        r = check_together(mount->lists, served, fresh, &error);
    set_fault(mount, served, r < 0 ? error.text : NULL);
    if (r == 0 && !same_sources(served, fresh)) {
        replace(served, fresh);
        log_info(mount->log, "%s: has changed, %zu sources", served->name, served->sources.count);
        changed = true;
    }
    if (fresh)
        served_free(fresh);
    return changed;
}

static bool is_among(char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* Drops what is gone: the sets that are not among `present`, or the lists that were found in a
 * folder and whose paths are not among it. */
static bool drop_missing(struct mount *mount, const char *found_in, char *const *present)
{
    bool changed = false;

    for (struct served **link = &mount->lists->first; *link;) {
        struct served *served = *link;
        const char *key = found_in ? served->path : served->name;
        if (!served->name || served->found_in != found_in || (!found_in && served->path) ||
            is_among(present, key)) {
            link = &served->next;
            continue;
        }
        log_info(mount->log, "%s: the %s was removed", served->name, found_in ? "list" : "set");
        *link = served->next;
        served_free(served);
        changed = true;
    }
    return changed;
}

/* A set, or with path a list, that was not there before. One that is faulty is kept, so that
 * status.json says why it is not served. NULL: out of memory. */
static struct served *add(struct mount *mount, const char *name, const char *path)
{
    struct served *served;
    struct error error;
    int r = serve(mount, name, path, &served, &error);

    if (r == 0)
        r = check_together(mount->lists, NULL, served, &error);
    if (r < 0) {
        log_error(mount->log, "%s: %s", name, error.text);
        if (served)
            served_free(served);
        served = calloc(1, sizeof *served);
        if (!served)
            return NULL;
        served->name = strdup(name);
        served->path = path ? strdup(path) : NULL;
        served->fault = strdup(error.text);
    } else {
        log_info(mount->log, "%s: a %s with %zu sources", name, path ? "list" : "set",
                 served->sources.count);
    }
    append(mount->lists, served);
    return served;
}

static bool reread_sets(struct mount *mount)
{
    struct error error;
    char **names;
    bool changed;

    if (sets_names(mount->settings->sets, &names, &error) < 0) {
        log_error(mount->log, "%s", error.text);
        return false;
    }
    changed = drop_missing(mount, NULL, names);
    for (char **name = names; *name; name++)
        if (!find(mount->lists, *name))
            changed |= add(mount, *name, NULL) != NULL;
    sets_names_free(names);
    return changed;
}

static bool add_list(struct mount *mount, const struct list_folder *folder, const char *path)
{
    char *name = name_of_file(path);
    struct error error;
    struct served *served = NULL;

    if (!name || check_name(mount->lists, name, path, &error) < 0)
        log_error(mount->log, "%s", name ? error.text : "out of memory");
    else if ((served = add(mount, name, path)))
        served->found_in = folder->path;
    free(name);
    return served != NULL;
}

static bool has_path(const struct lists *lists, const char *path)
{
    const struct served *served = lists->first;

    while (served && (!served->path || strcmp(served->path, path) != 0))
        served = served->next;
    return served != NULL;
}

/* A folder that can't be read now takes nothing away. */
static bool reread_folder(struct mount *mount, const struct list_folder *folder)
{
    struct error error;
    char **paths;
    bool changed;

    if (list_folder_read(folder->path, &paths, &error) < 0) {
        log_error(mount->log, "%s", error.text);
        return false;
    }
    changed = drop_missing(mount, folder->path, paths);
    for (char **path = paths; *path; path++)
        if (!has_path(mount->lists, *path))
            changed |= add_list(mount, folder, *path);
    list_folder_free(paths);
    return changed;
}

void lists_reload(struct mount *mount)
{
    struct lists *lists = mount->lists;
    struct error error;
    bool changed = false;

    pthread_mutex_lock(&lists->lock);
    if (lists->serves_sets)
        changed = reread_sets(mount);
    for (const struct list_folder *folder = lists->folders; folder; folder = folder->next)
        changed |= reread_folder(mount, folder);
    for (struct served *served = lists->first; served; served = served->next)
        if (served->name)
            changed |= reread(mount, served);
    if (changed && show(mount, &error) < 0)
        log_error(mount->log, "%s", error.text);
    pthread_mutex_unlock(&lists->lock);
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
