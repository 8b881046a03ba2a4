/* lists_reload.c - what has changed in the lists and sets since they were read last. */
#include <stdlib.h>
#include <string.h>

#include "fs/sets/list_folder.h"
#include "fs/sets/sets.h"
#include "fs/tree/lists.h"

static void set_fault(struct mount *mount, struct served *served, const char *fault)
{
    if (fault && (!served->fault || strcmp(served->fault, fault) != 0))
        log_error(mount->log, "%s: %s (what was read last goes on)", served->set.name, fault);
    if (!fault && served->fault)
        log_info(mount->log, "%s: it is in order again", served->set.name);
    free(served->fault);
    served->fault = fault ? strdup(fault) : NULL;
}

/* Reads one again. True if it has changed. */
static bool reread(struct mount *mount, struct served *served)
{
    struct served *fresh;
    struct error error;
    bool changed = false;
    int r = served_read(mount->settings, served->set.name, served->path, &fresh, &error);

    if (r == 0)
        r = lists_check(mount->lists, served, fresh, &error);
    set_fault(mount, served, r < 0 ? error.text : NULL);
    if (r == 0 && !served_is_same(served, fresh)) {
        served_swap(served, fresh);
        log_info(mount->log, "%s: has changed, %zu sources", served->set.name,
                 served->set.sources.count);
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
        const char *key = found_in ? served->path : served->set.name;
        if (!served->set.name || served->found_in != found_in || (!found_in && served->path) ||
            is_among(present, key)) {
            link = &served->next;
            continue;
        }
        log_info(mount->log, "%s: the %s was removed", served->set.name, found_in ? "list" : "set");
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
    int r = served_read(mount->settings, name, path, &served, &error);

    if (r == 0)
        r = lists_check(mount->lists, NULL, served, &error);
    if (r < 0) {
        log_error(mount->log, "%s: %s", name, error.text);
        if (served)
            served_free(served);
        served = calloc(1, sizeof *served);
        if (!served)
            return NULL;
        served->set.name = strdup(name);
        served->path = path ? strdup(path) : NULL;
        served->fault = strdup(error.text);
    } else {
        log_info(mount->log, "%s: a %s with %zu sources", name, path ? "list" : "set",
                 served->set.sources.count);
    }
    lists_append(mount->lists, served);
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
        if (!lists_find(mount->lists, *name))
            changed |= add(mount, *name, NULL) != NULL;
    sets_names_free(names);
    return changed;
}

static bool add_list(struct mount *mount, const struct list_folder *folder, const char *path)
{
    char *name = lists_name_of_file(path);
    struct error error;
    struct served *served = NULL;

    if (!name || lists_check_name(mount->lists, name, path, &error) < 0)
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
        if (served->set.name)
            changed |= reread(mount, served);
    if (changed && lists_show(mount, &error) < 0)
        log_error(mount->log, "%s", error.text);
    pthread_mutex_unlock(&lists->lock);
}
