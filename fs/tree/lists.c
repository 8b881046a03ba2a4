#include "fs/tree/lists.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/sets/set.h"
#include "fs/tree/ask.h"
#include "fs/tree/lists_saved.h"
#include "fs/tree/parked.h"
#include "fs/tree/publish.h"
#include "fs/tree/set_folders.h"

/* "pp" of /etc/startpointfs/pp.list. */
char *lists_name_of_file(const char *path)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(base, '.');

    return strndup(base, dot && dot != base ? (size_t)(dot - base) : strlen(base));
}

void lists_append(struct lists *lists, struct mounted_set *mounted)
{
    struct mounted_set **last = &lists->first;

    while (*last)
        last = &(*last)->next;
    *last = mounted;
}

struct list_folder *lists_add_folder(struct lists *lists, const char *path)
{
    struct list_folder *folder = calloc(1, sizeof *folder), **last = &lists->folders;

    if (!folder)
        return NULL;
    folder->path = strdup(path);
    if (!folder->path) {
        free(folder);
        return NULL;
    }
    while (*last)
        last = &(*last)->next;
    return *last = folder;
}

struct mounted_set *lists_find(struct lists *lists, const char *name)
{
    struct mounted_set *mounted = lists->first;

    while (mounted && (!mounted->set.name || strcmp(mounted->set.name, name) != 0))
        mounted = mounted->next;
    return mounted;
}

/* The sources of all lists, with `instead` in the place of `of` (both may be NULL). Strings are
 * borrowed: free the items only. */
static int unite(const struct lists *lists, const struct mounted_set *of,
                 const struct mounted_set *instead, struct source_list *all)
{
    size_t count = 0;

    for (const struct mounted_set *mounted = lists->first; mounted; mounted = mounted->next)
        count += mounted->set.sources.count;
    all->items = calloc(count + (instead ? instead->set.sources.count : 0) + 1, sizeof *all->items);
    all->count = 0;
    if (!all->items)
        return -ENOMEM;
    for (const struct mounted_set *mounted = lists->first; mounted; mounted = mounted->next) {
        const struct mounted_set *use = mounted == of ? instead : mounted;
        for (size_t i = 0; use && i < use->set.sources.count; i++)
            all->items[all->count++] = use->set.sources.items[i];
    }
    for (size_t i = 0; !of && instead && i < instead->set.sources.count; i++)
        all->items[all->count++] = instead->set.sources.items[i];
    return 0;
}

int lists_check(const struct lists *lists, const struct mounted_set *of,
                const struct mounted_set *instead, struct error *e)
{
    struct source_list all;
    int r = unite(lists, of, instead, &all);

    if (r < 0)
        return error_no_memory(e);
    r = source_list_check(&all, e);
    free(all.items);
    return r;
}

/* The caller holds the lock. What could be made once is there still if it cannot be made anew. */
static int publish_sets(struct mount *mount, struct error *e)
{
    struct lists *lists = mount->lists;
    int r = set_folders_publish(mount, e);

    if (r == 0 || atomic_load(&lists->publishing.running))
        atomic_store(&lists->published, r);
    return r;
}

int lists_show(struct mount *mount, struct error *e)
{
    struct source_list all;

    if (unite(mount->lists, NULL, NULL, &all) < 0)
        return error_no_memory(e);
    int r = publish_sources(mount, &all, e);
    free(all.items);
    if (r == 0 && !atomic_load(&mount->lists->publishing.running))
        r = publish_sets(mount, e);
    if (r == 0 && mount->settings->prefetch)
        ask_sources_later(mount);
    if (r == 0 && mount->last_reading >= 0) {
        int saved = lists_saved_write(mount->lists, mount->last_reading);
        if (saved < 0)
            log_warning(mount->log, "cannot save the lists for the next worker: %s",
                        strerror(-saved));
    }
    return r;
}

int lists_check_name(struct lists *lists, const char *name, const char *path, struct error *e)
{
    const char *why;

    if (!set_name_is_valid(name, &why))
        return error_set(e, EINVAL, "list %s: its name is also that of its set, and %s", path, why);
    if (lists_find(lists, name))
        return error_set(e, EINVAL, "list %s: another list is also named '%s'; rename one of them",
                         path, name);
    return 0;
}

static void free_folder(struct list_folder *folder)
{
    free(folder->path);
    free(folder->fault);
    free(folder->refused);
    free(folder);
}

void lists_clear(struct lists *lists)
{
    while (lists->first) {
        struct mounted_set *next = lists->first->next;
        mounted_set_free(lists->first);
        lists->first = next;
    }
    while (lists->folders) {
        struct list_folder *next = lists->folders->next;
        free_folder(lists->folders);
        lists->folders = next;
    }
}

void lists_close(struct mount *mount)
{
    if (!mount->lists)
        return;
    lists_clear(mount->lists);
    pthread_mutex_destroy(&mount->lists->lock);
    free(mount->lists);
}

int lists_publish(struct mount *mount)
{
    struct error error;

    pthread_mutex_lock(&mount->lists->lock);
    int r = publish_sets(mount, &error);
    bool is_first = atomic_exchange(&mount->lists->publishing.running, false);
    pthread_mutex_unlock(&mount->lists->lock);
    if (r < 0)
        log_error(mount->log, "%s", error.text);
    if (is_first)
        parked_wake(mount->parked, &mount->lists->publishing);
    return r;
}

void lists_publish_first(struct mount *mount)
{
    if (atomic_load(&mount->lists->publishing.running))
        lists_publish(mount);
}

int lists_published(struct mount *mount, struct ask *ask)
{
    struct lists *lists = mount->lists;
    struct error error;

    if (atomic_load(&lists->publishing.running)) {
        ask->work = &lists->publishing;
        return -EAGAIN;
    }
    int r = atomic_load(&lists->published);
    if (r < 0 && pthread_mutex_trylock(&lists->lock) == 0) {
        r = publish_sets(mount, &error);
        pthread_mutex_unlock(&lists->lock);
    }
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
    for (const struct list_folder *folder = mount->lists->folders; folder; folder = folder->next)
        visit(data, folder->path);
    for (struct mounted_set *mounted = mount->lists->first; mounted; mounted = mounted->next)
        if (mounted->path)
            visit_folders(mounted->path, visit, data);
    pthread_mutex_unlock(&mount->lists->lock);
}
