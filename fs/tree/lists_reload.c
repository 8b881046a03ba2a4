#include "fs/tree/lists_reload.h"

#include <stdlib.h>
#include <string.h>

#include "fs/sets/list_folder.h"
#include "fs/sets/sets.h"
#include "fs/tree/lists.h"

static void set_fault(struct mount *mount, struct mounted_set *mounted, const char *fault)
{
    if (fault && (!mounted->fault || strcmp(mounted->fault, fault) != 0))
        log_error(mount->log, "%s: %s (what was read last goes on)", mounted->set.name, fault);
    if (!fault && mounted->fault)
        log_info(mount->log, "%s: it is in order again", mounted->set.name);
    free(mounted->fault);
    mounted->fault = fault ? strdup(fault) : NULL;
}

/* Reads one again. True if it has changed. */
static bool reread(struct mount *mount, struct mounted_set *mounted)
{
    struct mounted_set *fresh;
    struct error error;
    bool changed = false;
    int r = mounted_set_read(mount->settings, mounted->set.name, mounted->path, &fresh, &error);

    if (r == 0)
        r = lists_check(mount->lists, mounted, fresh, &error);
    set_fault(mount, mounted, r < 0 ? error.text : NULL);
    if (r == 0 && !mounted_set_is_same(mounted, fresh)) {
        mounted_set_swap(mounted, fresh);
        log_info(mount->log, "%s: has changed, %zu sources", mounted->set.name,
                 mounted->set.sources.count);
        changed = true;
    }
    if (fresh)
        mounted_set_free(fresh);
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

    for (struct mounted_set **link = &mount->lists->first; *link;) {
        struct mounted_set *mounted = *link;
        const char *key = found_in ? mounted->path : mounted->set.name;
        if (!mounted->set.name || mounted->found_in != found_in || (!found_in && mounted->path) ||
            is_among(present, key)) {
            link = &mounted->next;
            continue;
        }
        log_info(mount->log, "%s: the %s was removed", mounted->set.name,
                 found_in ? "list" : "set");
        *link = mounted->next;
        mounted_set_free(mounted);
        changed = true;
    }
    return changed;
}

/* A set, or with path a list, that was not there before. One that is faulty is kept, so that
 * status.json says why it is not served. NULL: out of memory. */
static struct mounted_set *add(struct mount *mount, const char *name, const char *path)
{
    struct mounted_set *mounted;
    struct error error;
    int r = mounted_set_read(mount->settings, name, path, &mounted, &error);

    if (r == 0)
        r = lists_check(mount->lists, NULL, mounted, &error);
    if (r < 0) {
        log_error(mount->log, "%s: %s", name, error.text);
        if (mounted)
            mounted_set_free(mounted);
        mounted = calloc(1, sizeof *mounted);
        if (!mounted)
            return NULL;
        mounted->set.name = strdup(name);
        mounted->path = path ? strdup(path) : NULL;
        mounted->fault = strdup(error.text);
    } else {
        log_info(mount->log, "%s: a %s with %zu sources", name, path ? "list" : "set",
                 mounted->set.sources.count);
    }
    lists_append(mount->lists, mounted);
    return mounted;
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
        if (!lists_find(mount->lists, *name))
            changed |= add(mount, *name, NULL) != NULL;
    sets_names_free(names);
    return changed;
}

static bool add_list(struct mount *mount, const struct list_folder *folder, const char *path)
{
    char *name = lists_name_of_file(path);
    struct error error;
    struct mounted_set *mounted = NULL;

    if (!name || lists_check_name(mount->lists, name, path, &error) < 0)
        log_error(mount->log, "%s", name ? error.text : "out of memory");
    else if ((mounted = add(mount, name, path)))
        mounted->found_in = folder->path;
    free(name);
    return mounted != NULL;
}

static bool has_path(const struct lists *lists, const char *path)
{
    const struct mounted_set *mounted = lists->first;

    while (mounted && (!mounted->path || strcmp(mounted->path, path) != 0))
        mounted = mounted->next;
    return mounted != NULL;
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
    for (struct mounted_set *mounted = lists->first; mounted; mounted = mounted->next)
        if (mounted->set.name)
            changed |= reread(mount, mounted);
    if (changed && lists_show(mount, &error) < 0)
        log_error(mount->log, "%s", error.text);
    pthread_mutex_unlock(&lists->lock);
}
