#include "fs/tree/lists_reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/sets/list_folder.h"
#include "fs/sets/sets.h"
#include "fs/tree/lists.h"
#include "fs/tree/missing.h"
#include "gitcache/base/memory_file.h"

/* What could not be read, or shown. */
struct unread {
    size_t count;
    bool no_memory; /* for want of memory: one of them at least */
};

static void note_unread(struct unread *unread, int r)
{
    unread->count++;
    unread->no_memory |= r == -ENOMEM;
}

/* Keeps the newest fault in *fault. True if it is news. */
static bool note_fault(char **fault, const char *now)
{
    bool news = now ? !*fault || strcmp(*fault, now) != 0 : *fault != NULL;

    if (news) {
        free(*fault);
        *fault = now ? strdup(now) : NULL;
    }
    return news;
}

static void set_fault(struct mount *mount, struct mounted_set *mounted, const char *fault)
{
    if (!note_fault(&mounted->fault, fault))
        return;
    if (fault)
        log_error(mount->log, "%s: %s (what was read last stays in use)", mounted->set.name, fault);
    else
        log_info(mount->log, "%s: in order again", mounted->set.name);
}

/* Reads one again. 0; 1 if it has changed; or a negative errno, noted as its fault. What it says is checked against the others only then, so
 * that many lists are read in a time that grows with their lines. */
static int reread(struct mount *mount, struct mounted_set *mounted)
{
    struct mounted_set *fresh;
    struct error error;
    bool changed = false;
    int r = mounted_set_read(mount->settings, mounted->set.name, mounted->path, &fresh, &error);

    if (r == 0 && !mounted_set_is_same(mounted, fresh)) {
        r = lists_check(mount->lists, mounted, fresh, &error);
        changed = r == 0;
    }
    set_fault(mount, mounted, r < 0 ? error.text : NULL);
    if (changed) {
        mounted_set_swap(mounted, fresh);
        log_info(mount->log, "%s: changed, now %zu sources", mounted->set.name,
                 mounted->set.sources.count);
    }
    if (fresh)
        mounted_set_free(fresh);
    return r < 0 ? r : changed;
}

static const char *key_of(const struct mounted_set *mounted)
{
    return mounted->path ? mounted->path : mounted->set.name;
}

static bool is_among(char *const *keys, const char *key)
{
    for (; *keys; keys++)
        if (strcmp(*keys, key) == 0)
            return true;
    return false;
}

/* Drops what was found in the folder and is no longer there. Returns how many. */
static size_t drop_missing(struct mount *mount, const struct list_folder *folder,
                           char *const *present)
{
    size_t count = 0;

    for (struct mounted_set **link = &mount->lists->first; *link;) {
        struct mounted_set *mounted = *link;
        if (mounted->found_in != folder || is_among(present, key_of(mounted))) {
            link = &mounted->next;
            continue;
        }
        log_info(mount->log, "%s: the %s was removed", mounted->set.name,
                 folder->holds_sets ? "set" : "list");
        *link = mounted->next;
        mounted_set_free(mounted);
        count++;
    }
    return count;
}

/* A set, or with path a list, that was not there before. One that is faulty is kept, so that
 * status.json says why it is not shown. 1 or -ENOMEM. */
static int add(struct mount *mount, struct list_folder *folder, const char *name, const char *path)
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
        mounted = mounted_set_faulty(name, path, error.text);
        if (!mounted)
            return -ENOMEM;
    } else {
        log_info(mount->log, "%s: new %s, %zu sources", name, path ? "list" : "set",
                 mounted->set.sources.count);
    }
    mounted->found_in = folder;
    lists_append(mount->lists, mounted);
    return 1;
}

/* 1 if it was added; 0 for one that can have no name, which is described in `refused`; or -ENOMEM. */
static int add_list(struct mount *mount, struct list_folder *folder, const char *path,
                    FILE *refused)
{
    char *name = lists_name_of_file(path);
    struct error error;
    int r = 0;

    if (!name)
        return -ENOMEM;
    if (lists_check_name(mount->lists, name, path, &error) < 0)
        fprintf(refused, "%s%s", ftell(refused) ? "; " : "", error.text);
    else
        r = add(mount, folder, name, path);
    free(name);
    return r;
}

/* Who was found in the folder; NULL at the end. `after` NULL: the first. */
static struct mounted_set *next_of(const struct mount *mount, const struct list_folder *folder,
                                   const struct mounted_set *after)
{
    struct mounted_set *mounted = after ? after->next : mount->lists->first;

    while (mounted && mounted->found_in != folder)
        mounted = mounted->next;
    return mounted;
}

static bool has_key(const struct mount *mount, const struct list_folder *folder, const char *key)
{
    const struct mounted_set *mounted = next_of(mount, folder, NULL);

    while (mounted && strcmp(key_of(mounted), key) != 0)
        mounted = next_of(mount, folder, mounted);
    return mounted != NULL;
}

/* The paths of a folder's lists, or the names of its sets. That there is no folder is a fault, but
 * for the one of sets before there is any. */
static int read_names(const struct mount *mount, const struct list_folder *folder, char ***names,
                      struct error *e)
{
    if (!folder->holds_sets)
        return list_folder_read(folder->path, names, e);
    if (next_of(mount, folder, NULL) && access(folder->path, F_OK) < 0)
        return error_set(e, errno, "cannot read the sets folder %s: %s", folder->path,
                         strerror(errno));
    return sets_names(folder->path, names, e);
}

/* A folder that is empty because what was mounted on it is not there (yet, or any more). */
static bool has_lost_its_disk(const struct mount *mount, const struct list_folder *folder,
                              char *const *names)
{
    uint64_t device = list_folder_device(folder->path);

    return !*names && next_of(mount, folder, NULL) && folder->device && device &&
           folder->device != device;
}

/* What is found in the folder goes on as it was read last. */
static void fail_folder(struct mount *mount, struct list_folder *folder, const char *fault)
{
    if (note_fault(&folder->fault, fault))
        log_error(mount->log, "%s (what was read last stays in use)", fault);
    for (struct mounted_set *one = NULL; (one = next_of(mount, folder, one));)
        note_fault(&one->fault, fault);
}

/* Adds what was not there before, and sets *changed. What the log says of it is said once. 0 or -ENOMEM. */
static int add_new(struct mount *mount, struct list_folder *folder, char *const *names,
                   bool *changed)
{
    char *text = NULL;
    size_t size;
    FILE *refused = memory_file_open(&text, &size);
    int r = 0;

    if (!refused)
        return -ENOMEM;
    for (char *const *name = names; *name && r >= 0; name++) {
        if (has_key(mount, folder, *name))
            continue;
        r = folder->holds_sets ? add(mount, folder, *name, NULL)
                               : add_list(mount, folder, *name, refused);
        *changed |= r > 0;
    }
    if (fclose(refused) == 0 && r >= 0 && note_fault(&folder->refused, size ? text : NULL) && size)
        log_error(mount->log, "%s", text);
    free(text);
    return r < 0 ? r : 0;
}

/* The folder's names have been read. Sets *changed if one came or went. 0 or -ENOMEM. */
static int take_names(struct mount *mount, struct list_folder *folder, char *const *names,
                      bool *changed)
{
    size_t gone = drop_missing(mount, folder, names);

    *changed = gone > 0;
    if (note_fault(&folder->fault, NULL))
        log_info(mount->log, "%s can be read again", folder->path);
    if (gone > 0 && !*names && !folder->holds_sets)
        log_warning(mount->log, "the folder of lists %s holds no list any more", folder->path);
    folder->device = list_folder_device(folder->path);
    return add_new(mount, folder, names, changed);
}

static bool reread_folder(struct mount *mount, struct list_folder *folder, struct unread *unread)
{
    struct error error;
    bool changed = false;
    char **names;
    int r = read_names(mount, folder, &names, &error);

    if (r < 0) {
        fail_folder(mount, folder, error.text);
        note_unread(unread, r);
        return false;
    }
    if (has_lost_its_disk(mount, folder, names)) {
        error_set(&error, ENODEV,
                  "%s is empty and on a different file system than before: the one with the %s is "
                  "not mounted",
                  folder->path, folder->holds_sets ? "sets" : "lists");
        fail_folder(mount, folder, error.text);
        note_unread(unread, -ENODEV);
    } else if (take_names(mount, folder, names, &changed) < 0) {
        fail_folder(mount, folder, "out of memory");
        note_unread(unread, -ENOMEM);
    }
    list_folder_free(names);
    return changed;
}

/* True if one has changed. */
static bool reread_all(struct mount *mount, struct unread *unread)
{
    bool changed = false;

    for (struct list_folder *folder = mount->lists->folders; folder; folder = folder->next)
        changed |= reread_folder(mount, folder, unread);
    for (struct mounted_set *mounted = mount->lists->first; mounted; mounted = mounted->next) {
        if (!mounted->set.name || (mounted->found_in && mounted->found_in->fault))
            continue;
        int r = reread(mount, mounted);
        changed |= r > 0;
        if (r < 0 && r != -EINVAL)
            note_unread(unread, r);
    }
    return changed;
}

/* True if something has changed, and is shown. What could not be shown is to be shown the next time. */
static bool reload(struct mount *mount, struct unread *unread)
{
    struct lists *lists = mount->lists;
    struct error error;

    if (!reread_all(mount, unread) && !lists->is_unshown)
        return false;
    lists->is_unshown = lists_show(mount, &error) < 0;
    if (!lists->is_unshown)
        return true;
    log_error(mount->log, "%s", error.text);
    note_unread(unread, -error.errnum);
    return false;
}

int lists_load(struct mount *mount, struct error *e)
{
    struct unread unread = {0};

    pthread_mutex_lock(&mount->lists->lock);
    reload(mount, &unread);
    pthread_mutex_unlock(&mount->lists->lock);
    return unread.no_memory ? error_no_memory(e) : 0;
}

size_t lists_reload(struct mount *mount)
{
    struct unread unread = {0};

    pthread_mutex_lock(&mount->lists->lock);
    if (reload(mount, &unread))
        missing_ask_later(mount);
    pthread_mutex_unlock(&mount->lists->lock);
    return unread.count;
}
