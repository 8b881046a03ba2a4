#include "fs/lists.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static int copy_texts(struct served *served)
{
    served->given = calloc(served->sources.count + 1, sizeof *served->given);
    for (size_t i = 0; served->given && i < served->sources.count; i++)
        if (!(served->given[i] = strdup(served->sources.items[i].text)))
            return -ENOMEM;
    return served->given ? 0 : -ENOMEM;
}

/* A list file that is a set's (another machine's) says its type and how its sources were given. */
static int read_list(struct served *served, enum set_type type, struct error *e)
{
    int r = source_list_add(&served->sources, served->path, e);

    served->type = type;
    if (r == 0 && copy_texts(served) < 0)
        r = no_memory(e);
    return r;
}

static int read_set(struct served *served, const char *folder, struct error *e)
{
    struct set set;
    int r = set_load(&set, folder, served->name, e);

    if (r < 0)
        return r;
    served->type = set.type;
    served->sources = set.sources;
    served->given = set.given;
    set.sources = (struct source_list){0};
    set.given = NULL;
    set_release(&set);
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

static int open_list(struct mount *mount, const char *operand, struct error *e)
{
    char *path = realpath(operand, NULL), *name = path ? name_of_file(path) : NULL;
    const char *why = NULL;
    struct served *served;
    int r = 0;

    if (!name)
        r = error_set(e, errno, "cannot read the list %s: %s", operand, strerror(errno));
    else if (!set_name_is_valid(name, &why))
        r = error_set(e, EINVAL, "list %s: it is served as a set of its name, and that %s", operand,
                      why);
    else if (find(mount->lists, name))
        r = error_set(e, EINVAL, "list %s: another list is named '%s' too: rename one of them",
                      operand, name);
    if (r == 0)
        r = serve(mount, name, path, &served, e);
    if (r == 0)
        append(mount->lists, served);
    free(name);
    free(path);
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
    for (size_t i = 0; i < count && r == 0; i++)
        r = stat(operands[i], &st) == 0 && S_ISREG(st.st_mode) ? open_list(mount, operands[i], e)
                                                               : open_direct(mount, operands[i], e);
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

static bool drop_missing(struct mount *mount, char *const *names)
{
    bool changed = false;

    for (struct served **link = &mount->lists->first; *link;) {
        struct served *served = *link;
        if (served->path || !served->name || is_among(names, served->name)) {
            link = &served->next;
            continue;
        }
        log_info(mount->log, "%s: the set was removed", served->name);
        *link = served->next;
        served_free(served);
        changed = true;
    }
    return changed;
}

static bool add_set(struct mount *mount, const char *name)
{
    struct served *served;
    struct error error;
    int r = serve(mount, name, NULL, &served, &error);

    if (r == 0)
        r = check_together(mount->lists, NULL, served, &error);
    if (r < 0) {
        /* Kept, so that status.json says why it is not served. */
        log_error(mount->log, "%s: %s", name, error.text);
        if (served)
            served_free(served);
        served = calloc(1, sizeof *served);
        if (!served)
            return false;
        served->name = strdup(name);
        served->fault = strdup(error.text);
    } else {
        log_info(mount->log, "%s: a set with %zu sources", name, served->sources.count);
    }
    append(mount->lists, served);
    return true;
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
    changed = drop_missing(mount, names);
    for (char **name = names; *name; name++)
        if (!find(mount->lists, *name))
            changed |= add_set(mount, *name);
    sets_names_free(names);
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

void lists_each_folder(struct mount *mount, void (*visit)(void *data, const char *folder),
                       void *data)
{
    char folder[PATH_MAX];

    pthread_mutex_lock(&mount->lists->lock);
    if (mount->lists->serves_sets)
        visit(data, mount->settings->sets);
    for (struct served *served = mount->lists->first; served; served = served->next) {
        if (!served->path || strlen(served->path) >= sizeof folder)
            continue;
        strcpy(folder, served->path);
        *strrchr(folder, '/') = '\0';
        visit(data, *folder ? folder : "/");
    }
    pthread_mutex_unlock(&mount->lists->lock);
}
