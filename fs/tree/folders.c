#include "fs/tree/folders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/children.h"
#include "gitcache/base/clock.h"

#define SMALL_FOLDER 2000 /* above it, comparing costs more than looking up anew */

/* By name, with the slash before all other characters, so that "a/b" follows "a" and not "a-b". */
static int compare_names(const void *a, const void *b)
{
    const unsigned char *x = (const unsigned char *)((const struct version_name *)a)->name;
    const unsigned char *y = (const unsigned char *)((const struct version_name *)b)->name;

    while (*x && *x == *y)
        x++, y++;
    return (*x == '/' ? 1 : *x) - (*y == '/' ? 1 : *y);
}

static bool fits_folders(const char *name)
{
    size_t length;

    for (;; name += length + 1) {
        length = strcspn(name, "/");
        if (length == 0 || length > NODE_NAME_MAX)
            return false;
        if (!name[length])
            return true;
    }
}

int folders_add_name(struct version_names *names, const char *name, bool listed, bool branch)
{
    if (!fits_folders(name))
        return 0;
    if (names->count == names->room) {
        size_t room = names->room ? 2 * names->room : 64;
        struct version_name *items = realloc(names->items, room * sizeof *items);
        if (!items)
            return -ENOMEM;
        names->items = items;
        names->room = room;
    }
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    names->items[names->count++] = (struct version_name){copy, listed, branch};
    return 0;
}

void folders_release_names(struct version_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i].name);
    free(names->items);
}

/* Sorted, each name once. A tag wins over a branch of its name. */
static void tidy(struct version_names *names)
{
    size_t kept = 0;

    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    for (size_t i = 0; i < names->count; i++) {
        struct version_name *item = &names->items[i];
        if (kept > 0 && strcmp(names->items[kept - 1].name, item->name) == 0) {
            names->items[kept - 1].listed |= item->listed;
            names->items[kept - 1].branch &= item->branch;
            free(item->name);
        } else {
            names->items[kept++] = *item;
        }
    }
    names->count = kept;
}

int folders_child(struct mount *mount, uint32_t folder, const struct node_spec *spec,
                  const char *string, uint32_t *child)
{
    struct node_spec new = *spec;
    int r = node_lookup(mount->nodes, folder, spec->name, spec->name_length, child);

    if (r == 0) {
        const struct node *node = node_get(mount->nodes, *child);
        if (node->kind == spec->kind && node->flags == spec->flags &&
            oid_equal(&node->oid, &spec->oid) &&
            (string ? strcmp(node_string(mount->nodes, node->data), string) == 0
                    : node->data == spec->data))
            return 0;
    } else if (r != -ENOENT && r != -EAGAIN) {
        return r;
    }
    if (string) {
        r = nodes_keep_string(mount->nodes, string, &new.data);
        if (r < 0)
            return r;
    }
    return nodes_append(mount->nodes, &new, 1, child);
}

struct links_to_come {
    const struct node_link *links;
    size_t count;
};

/* Non-zero for a child that is not among those to come. */
static int is_gone(void *data, uint32_t child, bool listed)
{
    const struct links_to_come *to_come = data;

    (void)listed;
    for (size_t i = 0; i < to_come->count; i++)
        if (to_come->links[i].index == child)
            return 0;
    return 1;
}

static void tell_observer(const struct mount *mount, uint32_t folder, bool renamed)
{
    const struct mount_observer *observer = &mount->observer;

    if (observer->folder_changed)
        observer->folder_changed(observer->data, folder, renamed);
}

void folders_advance(_Atomic int64_t *changed_at)
{
    int64_t before = atomic_load(changed_at), now;

    do {
        now = clock_wall() * 1000000;
        now = now > before ? now : before + 1;
    } while (!atomic_compare_exchange_weak(changed_at, &before, now));
}

int folders_publish(struct mount *mount, uint32_t folder, const struct node_link *links,
                    size_t count)
{
    struct links_to_come to_come = {links, count};
    bool renamed =
        count < SMALL_FOLDER && node_each_link(mount->nodes, folder, is_gone, &to_come) != 0;
    int r = node_publish_links(mount->nodes, folder, links, count);

    if (r > 0) {
        folders_advance(&mount->changed_at); /* the root's and control folders' time */
        tell_observer(mount, folder, renamed || count >= SMALL_FOLDER);
    }
    return r;
}

/* The names names[0..count) all begin with the same `skip` bytes, the path of `folder` and a slash.
 */
static int publish_level(struct mount *mount, struct repo *repo, uint32_t folder,
                         const struct version_name *names, size_t count, size_t skip)
{
    struct node_link *links = calloc(count + 1, sizeof *links);
    size_t used = 0;
    int r = 0, changed = 0;

    if (!links)
        return -ENOMEM;
    for (size_t i = 0, end; i < count && r >= 0; i = end) {
        const char *part = names[i].name + skip;
        size_t length = strcspn(part, "/");
        bool listed = false, prefix = false;
        for (end = i; end < count && strncmp(names[end].name + skip, part, length) == 0 &&
                      (names[end].name[skip + length] == '/' || !names[end].name[skip + length]);
             end++) {
            listed |= names[end].listed;
            prefix |= names[end].name[skip + length] == '/';
        }
        /* A branch beside tags that nest below its name: the tags win. */
        struct node_spec spec = {
            .kind = prefix ? NODE_PREFIX : NODE_VERSION,
            .flags = !prefix && names[i].branch ? NODE_BRANCH : 0,
            .name = part,
            .name_length = length,
            .parent = folder,
            .data = repo->node,
            .mtime = repo->changed_at / 1000000000,
        };
        size_t first = i + (prefix && !part[length]);
        r = folders_child(mount, folder, &spec, NULL, &links[used].index);
        if (r >= 0 && prefix)
            r = publish_level(mount, repo, links[used].index, names + first, end - first,
                              skip + length + 1);
        if (r > 0)
            changed = 1;
        links[used++].listed = listed;
    }
    if (r >= 0)
        r = folders_publish(mount, folder, links, used);
    free(links);
    return r < 0 ? r : r | changed;
}

int folders_publish_versions(struct mount *mount, struct repo *repo, struct version_names *names)
{
    tidy(names);
    int r = publish_level(mount, repo, repo->node, names->items, names->count, 0);
    if (r >= 0)
        repo->is_published = true;
    return r;
}

struct link_list {
    struct node_link *links;
    size_t count, room;
};

static int copy_link(void *data, uint32_t child, bool listed)
{
    struct link_list *all = data;

    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 64;
        struct node_link *links = realloc(all->links, room * sizeof *links);
        if (!links)
            return -ENOMEM;
        all->links = links;
        all->room = room;
    }
    all->links[all->count++] = (struct node_link){child, listed};
    return 0;
}

int folders_add_unlisted(struct mount *mount, struct repo *repo, uint32_t folder, uint32_t child)
{
    const struct node *node = node_get(mount->nodes, child);
    struct link_list all = {0};
    uint32_t found;
    int r;

    pthread_mutex_lock(&repo->folders);
    r = node_lookup(mount->nodes, folder, node_name(mount->nodes, node), node->name_length, &found);
    if (r == -ENOENT || r == -EAGAIN) {
        r = node_each_link(mount->nodes, folder, copy_link, &all);
        if (r == 0)
            r = copy_link(&all, child, false);
        if (r == 0)
            r = node_publish_links(mount->nodes, folder, all.links, all.count);
    }
    pthread_mutex_unlock(&repo->folders);
    free(all.links);
    return r < 0 ? r : 0;
}
