#include "fs/tree/folders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/children.h"
#include "gitcache/base/clock.h"

#define SMALL_FOLDER 2000 /* above it, comparing costs more than looking up anew */

int folders_child(struct mount *mount, uint32_t folder, const struct node_spec *spec,
                  const char *string, uint32_t *child)
{
    struct node_spec new = *spec;
    int r = node_lookup(mount->nodes, folder, spec->name, spec->name_length, child);

    if (r == 0) {
        const struct node *node = node_get(mount->nodes, *child);
        if (node->kind == spec->kind && node->flags == spec->flags &&
            oid_equal(&node->oid, &spec->oid) &&
            (string ? strcmp(node_string(mount->nodes, node_data(mount->nodes, node)), string) == 0
                    : node_data(mount->nodes, node) == spec->data))
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

void folders_tell(const struct mount *mount, uint32_t folder, bool renamed)
{
    const struct mount_observer *observer = &mount->observer;

    if (observer->folder_changed)
        observer->folder_changed(observer->data, folder, renamed);
}

static void tell_of_prefix(struct mount *mount, uint32_t folder)
{
    folders_tell(mount, folder, false);
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
        folders_tell(mount, folder, renamed || count >= SMALL_FOLDER);
    }
    return r;
}

int folders_publish_versions(struct mount *mount, struct repo *repo, struct version_names *names)
{
    struct shown *shown = shown_new(names);

    if (!shown)
        return -ENOMEM;
    struct shown *before = repo_show(repo, shown_hold(shown));
    enum shown_change change = shown_compare(before, shown);
    repo->is_published = true;
    shown_put(before);
    shown_put(shown);
    if (change == SHOWN_SAME)
        return 0;
    folders_advance(&repo->changed_at); /* before the kernel is told: it asks for the time then */
    folders_tell(mount, repo->node, change == SHOWN_OTHER);
    int r = version_nodes_each_prefix(mount, repo, tell_of_prefix);
    return r < 0 ? r : 1;
}
